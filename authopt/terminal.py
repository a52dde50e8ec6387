"""What all commands share at the terminal: consoles, progress over long work, JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from authopt.errors import UserError

T = TypeVar("T")

ACCENT = "cyan"


def console() -> Console:
    """Console on standard output, for the answer."""
    return Console(highlight=False)


def notes() -> Console:
    """Console on standard error, for progress and remarks, so that standard output stays clean."""
    return Console(stderr=True, highlight=False)


def tracked(
    items: Iterable[T], what: str, total: int | None = None, size: Any = None
) -> Iterator[T]:
    """Pass items on with a progress bar on standard error (none where that is not a terminal).

    Parameters
    ----------
    items
        what to go through.
    what
        a few words before the bar.
    total
        sum of the sizes, if known.
    size
        function that gives the size of an item (such as ``len``); 1 each by default.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=notes(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task, size(item) if size else 1)


def print_json(value: Any) -> None:
    """Write a value (dataclasses, msgspec structs, plain containers) as indented JSON."""
    encoded = msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2)
    click.echo(encoded.decode())


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def json_option(function: Any) -> Any:
    """The option ``--json`` that every command which answers something has."""
    return click.option("--json", "as_json", is_flag=True, help="Answer as JSON, for machines.")(
        function
    )


def distinct_files(names: str, *paths: Path | None) -> None:
    """Raise a UserError where two of the files that a command reads and writes are the same.

    Parameters
    ----------
    names
        how the user knows them, such as "LOG, OUT and --rejects".
    paths
        the files; None where an option was not given.
    """
    resolved = [path.resolve() for path in paths if path is not None]
    if len(set(resolved)) < len(resolved):
        raise UserError(f"{names} must be different files")


existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
new_file = click.Path(dir_okay=False, path_type=Path)
