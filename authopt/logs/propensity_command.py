"""``authopt log propensities``: fill the propensities of a log that has none, by an estimate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import CheckFailed, UserError
from authopt.logs.schema import PropensitySource
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
    from rich.console import Console

    from authopt.batch import LoggedBatch
    from authopt.logs.files import AttemptLog
    from authopt.logs.propensity import PropensityModel
    from authopt.logs.propensity_report import ActionSupport, Estimate, PropensityReport

EPILOG = """\b
Examples:
  authopt log propensities attempts.parquet --out with-propensities.parquet
  authopt log propensities attempts.parquet --out filled.parquet --strict
  authopt log propensities attempts.parquet --out filled.parquet --report calibration.html
  authopt log propensities attempts.parquet --out filled.parquet --json > propensities.json
"""


@click.command("propensities", epilog=EPILOG)
@click.argument("log", type=existing_file)
@click.option("--out", type=new_file, required=True, help="Where to write the log again, filled.")
@click.option("--folds", default=5, show_default=True, help="Folds of the cross-fit, by payment.")
@click.option(
    "--floor",
    default=0.001,
    show_default=True,
    help="Smallest probability of an action that the log took somewhere.",
)
@click.option(
    "--max-rows",
    default=200_000,
    show_default=True,
    help="Fit on whole payments with at most this many decisions.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the folds and the sample.")
@click.option("--overwrite", is_flag=True, help="Replace propensities that the log has already.")
@click.option(
    "--strict",
    is_flag=True,
    help="Write nothing and exit with 1 where calibration or overlap is poor.",
)
@click.option(
    "--report",
    type=new_file,
    metavar="FILE.html",
    help="Write calibration plots and all figures as one page that opens offline.",
)
@json_option
def propensities(
    log: Path,
    out: Path,
    folds: int,
    floor: float,
    max_rows: int,
    seed: int,
    overwrite: bool,
    strict: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Estimate the propensities of LOG: the probabilities with which its actions were taken.

    For a log whose policy did not record them. A multinomial model of the logging policy over the
    eligible actions is fitted on the context, cross-fitted by payment and calibrated. The log is
    written again to OUT with the columns 'propensity' and 'eligible_probability', marked as
    estimated.

    \b
    With --strict the exit status is 1 where
      - the calibration error is above chance by more than 0.01,
      - the mean of 1/propensity is off by more than 5%,
      - the model predicts worse than plain frequencies, by more than 0.005 nats, or
      - more than 5% of the decisions with a choice have an action below 1%.
    """
    from authopt.logs.files import open_log, write_log
    from authopt.logs.propensity import estimate_propensities
    from authopt.logs.propensity_report import shortcomings

    if out.resolve() == log.resolve():
        raise UserError(f"{out}: --out is the log itself; give it another name")
    distinct_files("LOG, --out and --report", log, out, report)
    opened = open_log(log)
    if opened.propensity_source is not PropensitySource.UNKNOWN and not overwrite:
        raise UserError(
            f"{log}: the log has propensities already ({opened.propensity_source}). "
            "Use them as they are, or replace them by an estimate with --overwrite"
        )
    estimate = estimate_propensities(
        tracked(opened.batches(), "reading", opened.num_rows, len),
        folds=folds,
        max_rows=max_rows,
        floor=floor,
        seed=seed,
        track=tracked,
    )
    poor = shortcomings(estimate.report)
    if report is not None:
        from authopt.logs.propensity_page import write_page

        write_page(estimate.report, poor, str(log), report)
        notes().print(f"report: {report}", markup=False, soft_wrap=True)
    if not (strict and poor):
        write_log(out, _filled(opened, estimate.model), PropensitySource.ESTIMATED)
    if as_json:
        print_json(
            {
                "log": log,
                "out": None if strict and poor else out,
                "propensity_source": PropensitySource.ESTIMATED,
                "report": estimate.report,
                "shortcomings": poor,
            }
        )
    else:
        print_report(estimate.report, poor, console())
        if not (strict and poor):
            notes().print(f"written: {out}", markup=False, soft_wrap=True)
    if strict and poor:
        raise CheckFailed("nothing was written. " + "; ".join(poor))


def _filled(log: AttemptLog, model: PropensityModel) -> Iterator[LoggedBatch]:
    for batch in tracked(log.batches(), "writing", log.num_rows, len):
        yield model.fill(batch)


def print_report(report: PropensityReport, poor: tuple[str, ...], out: Console) -> None:
    """The report as tables, at most 100 columns wide."""
    from rich.panel import Panel
    from rich.text import Text

    out.print(
        Panel(
            Text(
                "These propensities are ESTIMATED, not logged. Every estimate that uses them is "
                "biased if the logging policy looked at something that this log does not hold."
            ),
            title="estimated propensities",
            border_style="yellow",
            width=min(out.width, 100),
        )
    )
    _print_fit(report, out)
    _print_actions(report, out)
    _print_overlap(report, out)
    for sentence in report.warnings:
        out.print(Text.assemble(("warning ", "bold yellow"), sentence))
    for sentence in poor:
        out.print(Text.assemble(("poor ", "bold red"), sentence))


def _print_fit(report: PropensityReport, out: Console) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    table.add_column(style=ACCENT)
    table.add_column()
    table.add_row(
        "fitted on",
        f"{report.sampled:,} decisions of {report.payments:,} payments, {report.folds} folds"
        + (f" (of {report.decisions:,} decisions)" if report.sampled < report.decisions else ""),
    )
    table.add_row(
        "log loss",
        f"{report.log_loss:.4f}   without context {report.log_loss_marginal:.4f}   "
        f"uniform {report.log_loss_uniform:.4f}   gain {_with_error(report.gain, 4)}",
    )
    table.add_row(
        "calibration error",
        f"{_with_error(report.calibration_error, 4)}   by chance {report.calibration_noise:.4f}",
    )
    table.add_row(
        "mean 1/propensity",
        f"{_with_error(report.mean_inverse, 3)}   expected {report.mean_actions:.3f}",
    )
    out.print(table)
    out.print()


def _print_actions(report: PropensityReport, out: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("action", style=ACCENT, overflow="fold", max_width=30)
    for title in ("offered", "taken", "share", "smallest p", "1% have less", "sum 1/p / offered"):
        table.add_column(title, justify="right", no_wrap=True)
    for action in report.actions:
        table.add_row(
            action.action,
            f"{action.offered:,}",
            f"{action.taken:,}",
            f"{action.taken / action.offered:.1%}",
            f"{action.smallest:.4f}",
            f"{action.first_percentile:.4f}",
            _inverse(action),
        )
    out.print(table)
    out.print()


def _inverse(action: ActionSupport) -> str:
    if action.inverse_sum is None:
        return "[red]no support[/]"
    return _with_error(action.inverse_sum, 3)


def _print_overlap(report: PropensityReport, out: Console) -> None:
    from rich.table import Table

    overlap = report.overlap
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    table.add_column(style=ACCENT)
    table.add_column()
    quantiles = "   ".join(
        f"{'least' if order == '0.0' else f'{float(order):.0%}'} {value:.4f}"
        for order, value in overlap.smallest.items()
    )
    table.add_row("overlap", f"over {overlap.with_choice:,} decisions with a choice")
    table.add_row("smallest p, quantiles", quantiles)
    table.add_row(
        "an action below 1% / 5%",
        f"{overlap.below_1_percent:.1%} / {overlap.below_5_percent:.1%} of the decisions",
    )
    table.add_row("largest possible weight", f"{overlap.largest_weight:,.1f}")
    table.add_row("floor", f"{overlap.floor:g}, applied in {overlap.floored:.2%} of the decisions")
    table.add_row("never taken", f"an action in {overlap.unsupported:.1%} of the decisions")
    out.print(table)


def _with_error(figure: Estimate, digits: int) -> str:
    return f"{figure.value:.{digits}f} ± {figure.standard_error:.{digits}f}"
