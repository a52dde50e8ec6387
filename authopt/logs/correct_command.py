"""``authopt log correct``: refunds and chargebacks that came after the log was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
    from authopt.logs.correcting import CorrectionSummary
    from authopt.logs.rejects import Rejects


@click.command("correct")
@click.argument("log", type=existing_file)
@click.option(
    "--corrections",
    type=existing_file,
    required=True,
    metavar="FILE.csv",
    help="What happened later: columns decision_id or payment_id, kind (refund, chargeback, "
    "representment-won), amount_minor, currency, at, and perhaps id.",
)
@click.option("--out", type=new_file, required=True, help="Where the corrected log goes.")
@click.option(
    "--rejects",
    "rejects_file",
    type=new_file,
    metavar="FILE.csv",
    help="Write every correction that was not applied, and why.",
)
@click.option("--strict", is_flag=True, help="Stop at the first correction that does not fit.")
@json_option
def correct(
    log: Path,
    corrections: Path,
    out: Path,
    rejects_file: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Write LOG again with late corrections of its outcomes applied.

    Each correction is applied once. Two rows are the same correction if they have the same id, or,
    without one, if they say the same. A correction of a payment corrects its approved attempt.
    Refunds of a decision add up; of chargebacks and chargebacks won back the latest stands.

    A corrected log can be corrected on: what is not later than a decision's last correction
    (corrected_at) is not applied again. So give what came late to the uncorrected log, together
    with all else.

    \b
    Examples:
      authopt log correct log.parquet --corrections march.csv --out corrected.parquet
      authopt log correct log.parquet --corrections all.csv --out c.parquet --rejects left.csv
    """
    from authopt.logs.correcting import correct_log
    from authopt.logs.corrections import read_corrections
    from authopt.logs.files import open_log
    from authopt.logs.rejects import Rejects

    distinct_files("LOG, --corrections, --out and --rejects", log, corrections, out, rejects_file)
    opened = open_log(log)
    advice = "Mend the correction, or leave it out by correcting without --strict"
    with Rejects(strict=strict, sink=rejects_file, advice=advice) as rejects:
        summary = correct_log(
            opened,
            read_corrections(corrections, rejects),
            corrections,
            out,
            rejects,
            lambda batches: tracked(batches, "correcting", opened.num_rows, len),
        )
    if as_json:
        print_json(
            {
                "log": log,
                "out": out,
                "summary": summary,
                "rejected": rejects.count,
                "by_reason": dict(rejects.by_reason),
            }
        )
        return
    _print(summary, rejects)
    notes().print(f"written: {out}", markup=False, soft_wrap=True)


def _print(summary: CorrectionSummary, rejects: Rejects) -> None:
    from rich.table import Table

    answer = console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style=ACCENT, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("decisions", f"{summary.decisions:,}, {summary.corrected:,} of them corrected")
    kinds = "   ".join(f"{kind}: {rows:,}" for kind, rows in sorted(summary.applied.items()))
    table.add_row("applied", kinds or "none")
    if summary.duplicates:
        table.add_row("said twice", f"{summary.duplicates:,}, applied once")
    if summary.partial_chargebacks:
        said = f"{summary.partial_chargebacks:,} chargebacks of less than the amount, held as whole"
        table.add_row("partial", said)
    for reason, rows in rejects.by_reason.most_common():
        table.add_row("not applied", f"{rows:,} x {reason}")
    answer.print(table)
    if rejects.examples:
        answer.print(f"the first: {rejects.examples[0]}", markup=False, soft_wrap=True)
