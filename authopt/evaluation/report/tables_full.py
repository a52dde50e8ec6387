"""All estimators and all intervals at the terminal, for those who ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from authopt.evaluation.quantities import Estimate, Interval
from authopt.evaluation.report.payment_measures import measures
from authopt.evaluation.report.tables_layout import (
    figure_columns,
    gap_of,
    limits,
    plain_table,
)
from authopt.evaluation.report.wording import Scale, holds
from authopt.evaluation.result import Evaluation
from authopt.terminal import ACCENT


def print_in_full(evaluation: Evaluation, console: Console, width: int) -> None:
    """Print every estimate with every interval: of policies, per payment, and of differences."""
    scale = Scale.in_full(evaluation)
    per_payment = measures(evaluation)
    for policy in evaluation.policies:
        learns = ", learning from the log as it goes" if policy.learns else ""
        title = Text.assemble((policy.name, "bold"), (f"{learns}, per decision", "not bold dim"))
        _print(title, policy.estimates, policy.gains, scale, console, width)
        for place, measure in enumerate(per_payment):
            found = measure.of(policy)
            if found is not None:
                shown = scale if place == 0 else measure.scale
                title = Text.assemble((policy.name, "bold"), (f", {measure.title}", "not bold dim"))
                _print(title, found.estimates, found.gains, shown, console, width)
    for comparison in evaluation.comparisons:
        title = Text(f"{comparison.first} less {comparison.second}", "bold")
        _print(title, (), comparison.estimates, scale, console, width)
    console.print()
    console.print(Text(_guarantees(evaluation), "dim"), width=width)


def _print(
    title: Text,
    estimates: Sequence[Estimate],
    gains: Sequence[Estimate],
    scale: Scale,
    console: Console,
    width: int,
) -> None:
    table = plain_table(title, gap_of(width))
    table.add_column("estimator", style=ACCENT, no_wrap=True)
    unit = scale.short_unit
    if estimates:
        figure_columns(table, "value", "interval")
    if gains:
        figure_columns(table, f"{'gain' if estimates else 'difference'}{unit}", "interval")
    table.add_column("method", no_wrap=True)
    by_name = {gain.estimator: gain for gain in gains}
    for estimate in estimates or gains:
        gain = by_name.get(estimate.estimator)
        for place, interval in enumerate(estimate.intervals):
            other = None if gain is None else gain.by(interval.method)
            row: list[str | Text] = [estimate.estimator if place == 0 else ""]
            if estimates:
                row.append(scale.value(estimate.value) if place == 0 else "")
                row.append(limits(interval, scale.interval(interval)))
            if gains:
                row.append(scale.gain(gain.value) if gain is not None and place == 0 else "")
                row.append("" if other is None else limits(other, scale.gain_interval(other)))
            row.append(_method(interval))
            table.add_row(*row)
    console.print()
    console.print(table, width=width)
    for reason in _vetoes((*estimates, *gains)):
        console.print(Text(f"(…) not to be relied on here: {reason}", "dim"), width=width)


def _method(interval: Interval) -> str:
    return interval.method.replace("empirical-", "emp. ")


def _guarantees(evaluation: Evaluation) -> str:
    """How far the intervals hold, method by method."""
    methods: dict[str, dict[str, None]] = {}
    for policy in evaluation.policies:
        for interval in (each for one in policy.estimates for each in one.intervals):
            methods.setdefault(holds(interval), {})[_method(interval)] = None
    return ". ".join(f"{how}: {', '.join(names)}" for how, names in methods.items()) + "."


def _vetoes(estimates: Iterable[Estimate]) -> list[str]:
    reasons = [i.vetoed for each in estimates for i in each.intervals if i.vetoed]
    return list(dict.fromkeys(reasons))
