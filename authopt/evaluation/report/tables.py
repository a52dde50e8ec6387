"""An evaluation at the terminal: the answer first, then what it rests on."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from authopt.evaluation.report.wording import (
    Direction,
    Scale,
    direction,
    log_facts,
    share,
    verdict,
    weight,
)
from authopt.evaluation.result import (
    Estimate,
    Evaluation,
    Guarantee,
    Interval,
    Level,
    PolicyResult,
    Remark,
)
from authopt.terminal import ACCENT

WIDEST = 100

_STYLES = {Direction.BETTER: "bold green", Direction.WORSE: "bold red", Direction.OPEN: "dim"}
_LEVELS = {Level.NOTE: "cyan", Level.WARNING: "bold yellow", Level.ALARM: "bold red"}


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print verdict, comparison, all estimators and remarks, at most ``WIDEST`` columns wide."""
    width = min(console.width, WIDEST)
    facts = "   ".join(f"{label} {figure}" for label, figure in log_facts(evaluation))
    if evaluation.log.path:
        console.print(Text(evaluation.log.path, style="bold"), width=width)
    console.print(Text(facts, style="dim"), width=width)
    if evaluation.log.propensity_source == "estimated":
        loud = "Propensities are ESTIMATED: every figure rests on that model."
        console.print(Panel(Text(loud, style="bold"), border_style="yellow", width=width))
    console.print()
    console.print(_comparison(evaluation, width), width=width)
    console.print()
    console.print(Text(" ".join(verdict(evaluation)), style="bold"), width=width)
    for policy in evaluation.policies:
        console.print()
        console.print(_estimators(policy, evaluation), width=width)
        _remarks(policy.remarks, console, width)
    if evaluation.remarks:
        console.print()
    _remarks(evaluation.remarks, console, width)
    if any(_vetoed(each) for policy in evaluation.policies for each in policy.estimates):
        console.print(Text("(…) not to be relied on here: see the remarks", "dim"), width=width)


def _table(title: str | None = None) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
        collapse_padding=True,
    )


def _comparison(evaluation: Evaluation, width: int) -> Table:
    scale = Scale.of(evaluation)
    level = f"{evaluation.confidence:.0%}"
    unit = " pp" if scale.percent else ""
    table = _table()
    table.add_column("policy", style=ACCENT, overflow="fold", max_width=18 if width > 90 else 13)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column(level, justify="right", no_wrap=width > 90)
    table.add_column(f"gain{unit}", justify="right", no_wrap=True)
    table.add_column(level, justify="right", no_wrap=width > 90)
    table.add_column("eff. rows", justify="right", no_wrap=True)
    table.add_column("max w", justify="right", no_wrap=True)
    table.add_column("no supp.", justify="right", no_wrap=True)
    for policy in evaluation.policies:
        diagnostics = policy.diagnostics
        gain = policy.gain
        style = "dim" if gain is None else _STYLES[direction(gain)]
        table.add_row(
            Text(policy.name),
            scale.value(policy.value.value),
            scale.interval(policy.value.interval),
            "" if gain is None else Text(scale.gain(gain.value), style),
            "" if gain is None else Text(scale.gain_interval(gain.interval), style),
            f"{diagnostics.effective_sample_size:,.0f}",
            weight(diagnostics.largest_weight_possible),
            share(diagnostics.unsupported_mass),
        )
    return table


def _estimators(policy: PolicyResult, evaluation: Evaluation) -> Table:
    scale = Scale.of(evaluation)
    mean = policy.diagnostics.mean_weight
    flag = {True: "", None: "", False: " [bold red]not as expected[/]"}[mean.covered]
    learns = ", learning from the log as it goes" if policy.learns else ""
    table = _table(
        f"{escape(policy.name)}[not bold dim]{learns}  mean weight {mean.value:.3f} "
        f"(expected {mean.expected:.3f}, {mean.lower:.3f} to {mean.upper:.3f})[/]{flag}"
    )
    table.add_column("estimator", style=ACCENT, no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    methods = list(dict.fromkeys(i.method for each in policy.estimates for i in each.intervals))
    for method in methods:
        covers = any(
            interval.guarantee is Guarantee.COVERS
            for each in policy.estimates
            for interval in each.intervals
            if interval.method == method
        )
        kind = "covers" if covers else "asymptotic"
        table.add_column(f"{method}\n[dim]{kind}[/]", justify="right")
    for each in policy.estimates:
        by_method = {interval.method: interval for interval in each.intervals}
        cells = [_limits(by_method.get(method), scale) for method in methods]
        table.add_row(Text(each.estimator), scale.value(each.value), *cells)
    return table


def _limits(interval: Interval | None, scale: Scale) -> Text:
    if interval is None:
        return Text("")
    limits = scale.interval(interval)
    return Text(f"({limits})", "dim") if interval.vetoed else Text(limits)


def _vetoed(estimate: Estimate) -> bool:
    return any(interval.vetoed for interval in estimate.intervals)


def _remarks(remarks: tuple[Remark, ...], console: Console, width: int) -> None:
    for remark in remarks:
        label = (f"{remark.level.value} ", _LEVELS[remark.level])
        console.print(Text.assemble(label, remark.text), width=width)
