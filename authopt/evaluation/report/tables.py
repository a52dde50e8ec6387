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
    sign,
    verdict,
    weight,
)
from authopt.evaluation.result import (
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
    if evaluation.log.path:
        console.print(Text(evaluation.log.path, style="bold"), width=width)
    console.print(Text(_facts(evaluation, width), style="dim"), width=width)
    if evaluation.log.propensity_source == "estimated":
        loud = "Propensities are ESTIMATED: every figure rests on that model."
        console.print(Panel(Text(loud, style="bold"), border_style="yellow", width=width))
    console.print()
    console.print(_comparison(evaluation, width), width=width)
    console.print()
    console.print(Text(" ".join(verdict(evaluation)), style="bold"), width=width)
    console.print()
    console.print(_trust(evaluation, width), width=width)
    for policy in evaluation.policies:
        console.print()
        console.print(_estimators(policy, evaluation, width), width=width)
        for reason in _vetoes(policy):
            console.print(Text(f"(…) not to be relied on here: {reason}", "dim"), width=width)
        _remarks(policy.remarks, console, width)
    if evaluation.remarks:
        console.print()
    _remarks(evaluation.remarks, console, width)


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


def _table(title: str | None = None, gap: int = 2) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, gap, 0, 0),
        header_style="dim",
        collapse_padding=True,
    )


def _comparison(evaluation: Evaluation, width: int) -> Table:
    scale = Scale.of(evaluation)
    level = f"{evaluation.confidence:.0%}"
    unit = " pp" if scale.percent else ""
    table = _table()
    _policy_column(table, width)
    table.add_column("value", justify="right", overflow="fold")
    table.add_column(level, justify="right", overflow="fold")
    table.add_column(f"gain{unit}", justify="right", overflow="fold")
    table.add_column(level, justify="right", overflow="fold")
    table.add_column("so it is", no_wrap=True)
    for policy in evaluation.policies:
        gain = policy.gain
        style = "dim" if gain is None else _STYLES[direction(gain)]
        table.add_row(
            Text(policy.name),
            scale.value(policy.value.value),
            scale.interval(policy.value.interval),
            "" if gain is None else Text(scale.gain(gain.value), style),
            "" if gain is None else Text(scale.gain_interval(gain.interval), style),
            "" if gain is None else Text(sign(gain), style),
        )
    return table


def _trust(evaluation: Evaluation, width: int) -> Table:
    table = _table()
    _policy_column(table, width)
    for heading in ("eff. rows", "of all", "max weight", "possible", "mean weight", "no support"):
        table.add_column(heading, justify="right", overflow="fold")
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


def _policy_column(table: Table, width: int) -> None:
    widest = 18 if width > 90 else 13
    table.add_column("policy", style=ACCENT, overflow="fold", min_width=8, max_width=widest)


def _estimators(policy: PolicyResult, evaluation: Evaluation, width: int) -> Table:
    scale = Scale.of(evaluation)
    mean = policy.diagnostics.mean_weight
    flag = {True: "", None: "", False: " [bold red]not as expected[/]"}[mean.covered]
    learns = ", learning from the log as it goes" if policy.learns else ""
    table = _table(
        f"{escape(policy.name)}[not bold dim]{learns}  mean weight {mean.value:.3f} "
        f"(expected {mean.expected:.3f}, {mean.lower:.3f} to {mean.upper:.3f})[/]{flag}",
        gap=2 if width > 90 else 1,
    )
    table.add_column("estimator", style=ACCENT, no_wrap=True)
    table.add_column("value", justify="right", overflow="fold")
    methods = list(dict.fromkeys(i.method for each in policy.estimates for i in each.intervals))
    for method in methods:
        covers = any(
            interval.guarantee is Guarantee.COVERS
            for each in policy.estimates
            for interval in each.intervals
            if interval.method == method
        )
        kind = "covers" if covers else "asymptotic"
        table.add_column(f"{method}\n[dim]{kind}[/]", justify="right", overflow="fold")
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


def _vetoes(policy: PolicyResult) -> list[str]:
    reasons = [i.vetoed for each in policy.estimates for i in each.intervals if i.vetoed]
    return list(dict.fromkeys(reasons))


def _remarks(remarks: tuple[Remark, ...], console: Console, width: int) -> None:
    for remark in remarks:
        label = (f"{remark.level.value} ", _LEVELS[remark.level])
        console.print(Text.assemble(label, remark.text), width=width)
