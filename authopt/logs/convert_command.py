"""``authopt log convert``: the same log in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import CheckFailed
from authopt.terminal import (
    console,
    distinct_files,
    existing_file,
    json_option,
    new_file,
    notes,
    print_json,
    tracked,
)

if TYPE_CHECKING:
    from authopt.logs.rejects import Rejects


@click.command("convert")
@click.argument("log", type=existing_file)
@click.argument("out", type=new_file)
@click.option(
    "--rejects",
    "rejects_file",
    type=new_file,
    metavar="FILE.csv",
    help="Write every unsound row's file, row, column, value and reason.",
)
@click.option("--strict", is_flag=True, help="Stop at the first unsound row, and write nothing.")
@json_option
def convert(log: Path, out: Path, rejects_file: Path | None, strict: bool, as_json: bool) -> None:
    """Write LOG again as OUT, in the format of OUT's suffix.

    The suffixes are .parquet, .csv, .csv.gz, .dsjson, .dsjson.gz and .json (VW's dsjson). Unsound
    rows are left out and counted.

    \b
    Examples:
      authopt log convert log.parquet log.csv.gz
      authopt log convert events.dsjson log.parquet --rejects rejects.csv
      authopt log convert log.parquet log.dsjson --strict
    """
    from authopt.logs.files import open_log, write_records
    from authopt.logs.rejects import Rejects

    distinct_files("LOG, OUT and --rejects", log, out, rejects_file)
    opened = open_log(log)
    with Rejects(strict=strict, sink=rejects_file) as rejects:
        rows = write_records(
            out,
            tracked(opened.records(rejects=rejects), "converting", opened.num_rows, len),
            opened.propensity_source,
        )
    if as_json:
        print_json(
            {
                "log": log,
                "out": out,
                "rows": rows,
                "rejected": rejects.count,
                "by_reason": dict(rejects.by_reason),
                "remarks": opened.remarks,
            }
        )
    else:
        for remark in opened.remarks:
            notes().print(f"note: {remark}", markup=False, soft_wrap=True)
        console().print(f"{rows:,} rows written to {out}", markup=False, soft_wrap=True)
        _print_rejects(rejects, rejects_file)
    if rejects.count and not rows:
        raise CheckFailed(f"{log}: all {rejects.count:,} rows are unsound; {out} is empty")


def _print_rejects(rejects: Rejects, sink: Path | None) -> None:
    if not rejects.count:
        return
    where = f"; all of them are in {sink}" if sink else "; list them with --rejects FILE.csv"
    notes().print(f"{rejects.count:,} unsound rows left out{where}", markup=False, soft_wrap=True)
    for reason, count in rejects.by_reason.most_common(10):
        notes().print(f"  {count:,} x {reason}", markup=False, soft_wrap=True)
    example = rejects.examples[0]
    notes().print(f"  the first: {example}", markup=False, soft_wrap=True)
