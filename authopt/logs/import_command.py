"""``authopt log import``: a foreign file becomes an attempt log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import CheckFailed
from authopt.terminal import (
    ACCENT,
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
    from authopt.logs.importing import ImportSummary

MOST_ATTEMPTS_SHOWN = 6
MOST_CODES_SHOWN = 5


@click.command("import")
@click.argument("source", type=existing_file)
@click.option("--mapping", type=existing_file, required=True, help="What its columns are (TOML).")
@click.option("--out", type=new_file, required=True, help="Where to write the attempt log.")
@click.option(
    "--rejects",
    "rejects_file",
    type=new_file,
    metavar="FILE.csv",
    help="Write every rejected row's file, row, column, value and reason.",
)
@click.option("--strict", is_flag=True, help="Stop at the first bad row, and write nothing.")
@json_option
def import_log(
    source: Path,
    mapping: Path,
    out: Path,
    rejects_file: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Bring SOURCE, a foreign CSV (.csv, .csv.gz) or XLSX, into the form of an attempt log.

    The mapping says which column is what, in which time zone, which routes exist, and which
    attempts make one payment; data/mappings holds examples and a README with every key. A row that
    cannot be used is left out, counted, and shown by row, column, value and reason.

    \b
    Examples:
      authopt log import payments.csv --mapping mapping.toml --out log.parquet
      authopt log import payments.xlsx --mapping mapping.toml --out log.parquet --strict
      authopt log import payments.csv --mapping m.toml --out log.parquet --rejects rejects.csv
    """
    from authopt.logs.importing import import_file, load_mapping
    from authopt.logs.rejects import Rejects

    distinct_files("SOURCE, --mapping, --out and --rejects", source, mapping, out, rejects_file)
    checked = load_mapping(mapping)
    advice = "Mend the row or the mapping, or leave the row out by importing without --strict"
    with Rejects(strict=strict, sink=rejects_file, advice=advice) as rejects:
        summary = import_file(
            source,
            checked,
            out,
            rejects,
            lambda cells: tracked(cells, "importing", None, lambda some: len(some.rows)),
        )
    if as_json:
        print_json({"source": source, "out": out, "summary": summary, "examples": rejects.examples})
    else:
        _print(summary)
        for example in rejects.examples[:3]:
            notes().print(f"rejected: {example}", markup=False, soft_wrap=True)
        notes().print(f"written: {out}", markup=False, soft_wrap=True)
    if summary.read and not summary.written:
        raise CheckFailed(f"{source}: all {summary.read:,} rows are rejected; {out} is empty")


def _print(summary: ImportSummary) -> None:
    from rich.table import Table

    answer = console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style=ACCENT)
    table.add_column(overflow="fold")
    table.add_row(
        "rows",
        f"{summary.read:,} read = {summary.written:,} written + {summary.rejected:,} rejected",
    )
    for reason, rows in summary.by_reason.items():
        table.add_row("", f"{rows:,} x {reason}")
    attempts = "   ".join(
        f"{number}: {summary.by_attempt[number]:,}"
        for number in sorted(summary.by_attempt)[:MOST_ATTEMPTS_SHOWN]
    )
    more = " …" if len(summary.by_attempt) > MOST_ATTEMPTS_SHOWN else ""
    table.add_row("payments", f"{summary.payments:,}")
    table.add_row("by attempt", attempts + more)
    if summary.first is not None and summary.last is not None:
        span = f"{summary.first:%Y-%m-%d %H:%M} to {summary.last:%Y-%m-%d %H:%M} UTC"
        table.add_row("from", span)
    if summary.after_approval:
        table.add_row(
            "perhaps twice",
            f"{summary.after_approval:,} payments begin right after the approval of one like them",
        )
    if summary.unknown_codes:
        table.add_row("unknown codes", _unknown(summary))
    if summary.sorted_in_memory:
        table.add_row("order", "the source was not in the order of time; it was sorted in memory")
    answer.print(table)
    answer.print()
    routes = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    routes.add_column("route", style=ACCENT)
    for heading in ("attempts", "approved"):
        routes.add_column(heading, justify="right")
    for row in sorted(summary.by_route.values(), key=lambda each: -each.attempts):
        rate = f"{row.approved / row.attempts:.1%}" if row.attempts else "-"
        routes.add_row(row.route, f"{row.attempts:,}", rate)
    answer.print(routes)


def _unknown(summary: ImportSummary) -> str:
    shown = summary.unknown_codes.most_common(MOST_CODES_SHOWN)
    codes = ", ".join(f"{code} ({rows:,} x)" for code, rows in shown)
    more = f" and {len(summary.unknown_codes) - len(shown):,} more" * (
        len(summary.unknown_codes) > len(shown)
    )
    return f"{codes}{more}: imported as generic declines; add them to a table of your own"
