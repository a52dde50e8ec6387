"""An evaluation at the terminal: the answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from authopt.evaluation.payments.result import ATTEMPTS, COST_PER_APPROVAL
from authopt.evaluation.quantities import Level
from authopt.evaluation.report.doubts import Doubt, doubts
from authopt.evaluation.report.money import money, money_interval, unit_of
from authopt.evaluation.report.payment_measures import MeasureOfAll, measures, with_payments
from authopt.evaluation.report.segment_heat import heat_of
from authopt.evaluation.report.tables_full import print_in_full
from authopt.evaluation.report.tables_layout import (
    WIDEST,
    figure_columns,
    gap_of,
    limits,
    name_column,
    plain_table,
    style_of,
)
from authopt.evaluation.report.verdict import chosen, difference, verdict
from authopt.evaluation.report.wording import Scale, log_facts, share, sign, weight
from authopt.evaluation.result import Evaluation, PolicyResult
from authopt.terminal import ACCENT

__all__ = ["WIDEST", "print_evaluation"]

MOST_SEGMENTS = 5
"""Segments that stand out which are printed; the report holds all."""

_LEVELS = {Level.NOTE: "cyan", Level.WARNING: "bold yellow", Level.ALARM: "bold red"}
_PER_POLICY = 11
"""Columns that a policy takes in the table of estimators."""


def print_evaluation(evaluation: Evaluation, console: Console, *, full: bool = False) -> None:
    """Print the answer, what can go wrong and the estimators, at most ``WIDEST`` columns wide.

    Parameters
    ----------
    evaluation
        what to print.
    console
        where to.
    full
        print every estimator with every interval, and every note, too.
    """
    width = min(console.width, WIDEST)
    if evaluation.log.path:
        console.print(Text(evaluation.log.path, style="bold"), width=width)
    console.print(Text(_facts(evaluation, width), style="dim"), width=width)
    if evaluation.log.propensity_source == "estimated":
        loud = "Propensities are ESTIMATED: every figure rests on that model."
        console.print(Panel(Text(loud, style="bold"), border_style="yellow", width=width))
    console.print()
    for sentence in verdict(evaluation):
        console.print(Text(sentence, style="bold"), width=width)
    for table in _answers(evaluation, width):
        console.print()
        console.print(table, width=width)
    _print_lines(evaluation, console, width)
    console.print()
    console.print(_trust(evaluation, width), width=width)
    _print_doubts(doubts(evaluation), console, width, full)
    if full:
        print_in_full(evaluation, console, width)
        return
    for table in _estimators(evaluation, width):
        console.print()
        console.print(table, width=width)


def _answers(evaluation: Evaluation, width: int) -> Iterator[Table]:
    yield _comparison(evaluation, width)
    if len(evaluation.policies) > 2 and evaluation.comparisons:
        yield _candidates(evaluation, width)
    if with_payments(evaluation):
        yield _payments(evaluation, measures(evaluation), width)


def _facts(evaluation: Evaluation, width: int) -> str:
    # Lines break between facts, not within one.
    lines = [""]
    for label, figure in log_facts(evaluation):
        fact = f"{label} {figure}"
        if lines[-1] and len(lines[-1]) + 3 + len(fact) > width:
            lines.append(fact)
        else:
            lines[-1] += f"   {fact}" if lines[-1] else fact
    return "\n".join(lines)


def _comparison(evaluation: Evaluation, width: int) -> Table:
    scale = Scale.of(evaluation)
    level = f"{evaluation.confidence:.0%}"
    table = plain_table()
    name_column(table, "policy", width)
    figure_columns(table, "value", level, f"gain{scale.short_unit}", level)
    table.add_column("so it is", no_wrap=True)
    for policy in evaluation.policies:
        gain = policy.gain
        style = style_of(gain)
        table.add_row(
            Text(policy.name),
            scale.value(policy.value.value),
            scale.interval(policy.value.interval),
            "" if gain is None else Text(scale.gain(gain.value), style),
            "" if gain is None else Text(scale.gain_interval(gain.interval), style),
            "" if gain is None else Text(sign(gain), style),
        )
    return table


def _candidates(evaluation: Evaluation, width: int) -> Table:
    """The policy that the verdict speaks of against every other one."""
    scale, best = Scale.of(evaluation), chosen(evaluation)
    assert best is not None
    title = Text.assemble((best.name, "bold"), (" less each other candidate", "not bold dim"))
    table = plain_table(title)
    name_column(table, "candidate", width)
    figure_columns(table, f"difference{scale.short_unit}", f"{evaluation.confidence:.0%}")
    table.add_column("so it is", no_wrap=True)
    for other in evaluation.policies:
        found = difference(evaluation, best, other)
        if found is not None:
            style = style_of(found)
            table.add_row(
                Text(other.name),
                Text(scale.gain(found.value), style),
                Text(scale.gain_interval(found.interval), style),
                Text(sign(found), style),
            )
    return table


def _payments(evaluation: Evaluation, found: tuple[MeasureOfAll, ...], width: int) -> Table:
    scale, level = found[0].scale, f"{evaluation.confidence:.0%}"
    beside = [each for each in found if each.name in (ATTEMPTS, COST_PER_APPROVAL)]
    headings = {ATTEMPTS: "attempts", COST_PER_APPROVAL: "cost/appr."}
    count = f"{with_payments(evaluation)[0][1].payments:,}"
    title = Text.assemble(("per payment", "bold"), (f", {count} of them", "not bold dim"))
    table = plain_table(title, gap_of(width))
    name_column(table, "policy", width)
    figure_columns(table, "value", f"gain{scale.short_unit}", level)
    table.add_column("so it is", no_wrap=True)
    figure_columns(table, *(headings[each.name] for each in beside))
    for policy, payments in with_payments(evaluation):
        value, gain = payments.value, payments.value.gain
        style = style_of(gain)
        table.add_row(
            Text(policy.name),
            scale.value(value.estimate.value),
            "" if gain is None else Text(scale.gain(gain.value), style),
            "" if gain is None else limits(gain.interval, scale.gain_interval(gain.interval)),
            "" if gain is None else Text(sign(gain), style),
            *(_beside(each, policy) for each in beside),
        )
    return table


def _beside(measure: MeasureOfAll, policy: PolicyResult) -> str:
    found = measure.of(policy)
    return "" if found is None else measure.scale.value(found.estimate.value)


def _print_lines(evaluation: Evaluation, console: Console, width: int) -> None:
    """Money and segments, a line each."""
    lines = [*_money(evaluation), *_segments(evaluation)]
    if lines:
        console.print()
    for line in lines:
        console.print(line, width=width)


def _money(evaluation: Evaluation) -> Iterator[Text]:
    best = chosen(evaluation)
    for volume in () if best is None else best.volume:
        assert best is not None
        gain, currency = volume.gain, volume.currency
        yield Text.assemble(
            (f"approved volume, {unit_of(currency)}  ", "dim"),
            f"{best.name} ",
            (money(gain.value, currency, "+"), style_of(gain)),
            f" ({money_interval(gain.interval, currency)}) on {money(volume.logged, currency)}",
        )


def _segments(evaluation: Evaluation) -> Iterator[Text]:
    heat = heat_of(evaluation)
    if heat is None:
        return
    found = heat.standing_out
    if not found:
        yield Text(f"segments  not one of {heat.looked_at} stands out", "dim")
    scale = Scale.of(evaluation)
    for column, row, cell in found[:MOST_SEGMENTS]:
        yield Text.assemble(
            (f"segment, of {heat.looked_at} at once  ", "dim"),
            f"{cell.policy} is ",
            (cell.said.value, style_of(cell.gain)),
            f" where {column} is {row.segment.name}: {scale.gain_with_unit(cell.gain.value)} "
            f"({scale.gain_interval(cell.gain.interval)})",
        )
    if len(found) > MOST_SEGMENTS:
        yield Text(f"segment  {len(found) - MOST_SEGMENTS} more stand out: see --report", "dim")


def _trust(evaluation: Evaluation, width: int) -> Table:
    table = plain_table(Text("what can go wrong", "bold"))
    name_column(table, "policy", width)
    figure_columns(
        table, "eff. rows", "of all", "max weight", "possible", "mean weight", "no support"
    )
    for policy in evaluation.policies:
        diagnostics, mean = policy.diagnostics, policy.diagnostics.mean_weight
        flag = {True: " ok", None: "  ?", False: " off"}[mean.covered]
        table.add_row(
            Text(policy.name),
            f"{diagnostics.effective_sample_size:,.0f}",
            f"{diagnostics.effective_share:.1%}",
            weight(diagnostics.largest_weight_seen),
            weight(diagnostics.largest_weight_possible),
            Text(f"{mean.value:.3f}{flag}", "bold red" if mean.covered is False else ""),
            share(diagnostics.unsupported_mass),
        )
    return table


def _print_doubts(found: tuple[Doubt, ...], console: Console, width: int, full: bool) -> None:
    shown = [doubt for doubt in found if full or doubt.level is not Level.NOTE]
    if found:
        console.print()
    for doubt in shown:
        label = (f"{doubt.level.value} ", _LEVELS[doubt.level])
        console.print(Text.assemble(label, (f"{doubt.whose}: ", "bold"), doubt.text), width=width)
    left = len(found) - len(shown)
    if left:
        notes = "note" if left == 1 else "notes"
        console.print(Text(f"{left} {notes}: see --full or --report", "dim"), width=width)


def _estimators(evaluation: Evaluation, width: int) -> Iterator[Table]:
    """Gains by every estimator, the policies side by side, as many as there is room for."""
    scale = Scale.of(evaluation)
    others = [each for each in evaluation.policies if not each.is_logging_policy]
    names = list(dict.fromkeys(gain.estimator for each in others for gain in each.gains))
    room = max(1, (width - 13) // _PER_POLICY)
    for start in range(0, len(others), room):
        some = others[start : start + room]
        title = Text.assemble(
            (f"gain{scale.short_unit} by estimator", "bold"),
            (", intervals with --full", "not bold dim"),
        )
        table = plain_table(title)
        table.add_column("estimator", style=ACCENT, no_wrap=True)
        for policy in some:
            table.add_column(
                Text(policy.name),
                justify="right",
                overflow="fold",
                min_width=_PER_POLICY - 2,
                max_width=max(_PER_POLICY - 2, (width - 13) // len(some) - 2),
            )
        for name in names:
            cells = []
            for policy in some:
                gain = next((each for each in policy.gains if each.estimator == name), None)
                quoted = "bold" if name == policy.headline else ""
                cells.append(Text("" if gain is None else scale.gain(gain.value), quoted))
            table.add_row(name, *cells)
        yield table
