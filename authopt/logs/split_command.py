"""``authopt log split``: an earlier part to learn from and a later one to judge on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import UserError
from authopt.terminal import ACCENT, console, existing_file, json_option, new_file, print_json

if TYPE_CHECKING:
    import numpy as np

    from authopt.logs.split import Split


@click.command("split")
@click.argument("log", type=existing_file)
@click.option(
    "--at",
    required=True,
    metavar="FRACTION|TIME",
    help="Fraction of the decisions that lie before, such as 0.8, or a time in ISO 8601 with Z or "
    "an offset.",
)
@click.option("--earlier", type=new_file, required=True, help="Where the earlier part goes.")
@click.option("--later", type=new_file, required=True, help="Where the later part goes.")
@json_option
def split(log: Path, at: str, earlier: Path, later: Path, as_json: bool) -> None:
    """Cut LOG in two by time: learn from the earlier part, evaluate on the later one.

    Payments stay whole. A payment belongs where its first attempt falls, so attempts of a payment
    that spans the time may be in the earlier part though they were made later.

    \b
    Examples:
      authopt log split log.parquet --at 0.8 --earlier train.parquet --later test.parquet
      authopt log split log.csv --at 2026-03-01T00:00:00Z --earlier a.csv --later b.csv
    """
    from functools import partial

    from authopt.logs.files import open_log
    from authopt.logs.split import split_log
    from authopt.terminal import tracked

    paths = {"LOG": log.resolve(), "--earlier": earlier.resolve(), "--later": later.resolve()}
    if len(set(paths.values())) < len(paths):
        raise UserError("LOG, --earlier and --later must be three different files")
    opened = open_log(log)
    done = split_log(
        opened,
        parse_at(at),
        earlier,
        later,
        partial(tracked, total=opened.num_rows, size=len),
    )
    if as_json:
        print_json(done)
    else:
        _print(done)


def parse_at(text: str) -> float | np.datetime64:
    """A fraction or a time out of the text of ``--at``.

    Raises
    ------
    UserError
        If it is neither, or a time without its zone.
    """
    import datetime

    import numpy as np

    try:
        fraction = float(text)
    except ValueError:
        pass
    else:
        if 0 < fraction < 1:
            return fraction
    try:
        time = datetime.datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return np.datetime64(time.astimezone(datetime.UTC).replace(tzinfo=None), "us")
    except (ValueError, OverflowError):
        pass
    raise UserError(
        f"--at {text!r}: expected a fraction between 0 and 1, such as 0.8, or a time with its "
        "zone, such as 2026-03-01T00:00:00Z"
    )


def _print(done: Split) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), title_justify="left")
    table.add_column("", style=ACCENT)
    table.add_column("decisions", justify="right")
    table.add_column("payments", justify="right")
    table.add_column("from (UTC)", no_wrap=True)
    table.add_column("to (UTC)", no_wrap=True)
    table.add_column("file", overflow="fold")
    for name, side in (("earlier", done.earlier), ("later", done.later)):
        table.add_row(
            name,
            f"{side.decisions:,}",
            f"{side.payments:,}",
            _minute(side.first),
            _minute(side.last),
            str(side.path),
        )
    out = console()
    out.print(f"cut at {done.at[:19]}Z; a payment belongs where its first attempt falls")
    out.print(table)


def _minute(time: str | None) -> str:
    return (time or "")[:16].replace("T", " ")
