"""A replay at the terminal: the answer, how it came about, and the learning curve."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from authopt.evaluation.quantities import Estimate, Guarantee, Interval, Level
from authopt.evaluation.replay.result import Method, ReplayResult
from authopt.evaluation.report.tables import WIDEST
from authopt.evaluation.report.tables_layout import limits, plain_table
from authopt.evaluation.report.wording import Scale, share, sign
from authopt.terminal import ACCENT

_LEVELS = {Level.NOTE: "cyan", Level.WARNING: "bold yellow", Level.ALARM: "bold red"}
_BAR = 24


def print_replay(result: ReplayResult, console: Console) -> None:
    """Print estimates, acceptance, learning curve and remarks, at most ``WIDEST`` columns wide."""
    width = min(console.width, WIDEST)
    scale = _scale(result)
    if result.path:
        console.print(Text(result.path, style="bold"), width=width)
    console.print(Text(_facts(result), style="dim"), width=width)
    console.print()
    console.print(_estimates(result, scale), width=width)
    for reason in _vetoes(result):
        console.print(Text(f"(…) not to be relied on here: {reason}", "dim"), width=width)
    console.print()
    console.print(Text(_sentence(result, scale), style="bold"), width=width)
    console.print()
    console.print(_acceptance(result), width=width)
    if len(result.curve) > 1:
        console.print()
        console.print(_curve(result, scale), width=width)
    if result.remarks:
        console.print()
    for remark in result.remarks:
        label = (f"{remark.level.value} ", _LEVELS[remark.level])
        console.print(Text.assemble(label, remark.text), width=width)


def _scale(result: ReplayResult) -> Scale:
    percent = result.reward_currency is None and (result.reward_low, result.reward_high) == (
        0.0,
        1.0,
    )
    few = percent or result.reward_currency is not None
    return Scale(percent, 2 if few else 4, result.reward_currency)


def _facts(result: ReplayResult) -> str:
    times = ""
    if result.first is not None and result.last is not None:
        times = f"   {result.first:%Y-%m-%d} to {result.last:%Y-%m-%d}"
    left_out = sum(each.rows for each in result.left_out)
    model = result.reward_model or "none"
    return (
        f"{result.rows:,} decisions{times}   reward {result.reward}   left out {left_out:,}   "
        f"reward model {model}"
    )


def _estimates(result: ReplayResult, scale: Scale) -> Table:
    learns = "learning as it goes" if result.learns else "as it stands"
    table = plain_table(f"{escape(result.policy)}[not bold dim], replayed, {learns}[/]")
    table.add_column("estimator", style=ACCENT, no_wrap=True)
    for heading in (
        "value",
        f"{result.confidence:.0%}",
        f"gain{scale.short_unit}",
        f"{result.confidence:.0%}",
    ):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("interval", no_wrap=True)
    for estimate, gain in zip(result.estimates, result.gains, strict=True):
        for interval in estimate.intervals:
            paired = gain.by(interval.method)
            first = interval is estimate.interval
            table.add_row(
                estimate.estimator if first else "",
                scale.value(estimate.value) if first else "",
                limits(interval, scale.interval(interval)),
                scale.gain(gain.value) if first else "",
                "" if paired is None else limits(paired, scale.gain_interval(paired)),
                Text(f"{interval.method}, {_guarantee(interval)}", "dim"),
            )
    table.add_row("logged", scale.value(result.mean_reward), "", "", "", "")
    return table


def _guarantee(interval: Interval) -> str:
    return "asymptotic" if interval.guarantee is Guarantee.ASYMPTOTIC else "covers"


def _vetoes(result: ReplayResult) -> list[str]:
    every: tuple[Estimate, ...] = (*result.estimates, *result.gains)
    reasons = [each.vetoed for one in every for each in one.intervals if each.vetoed]
    return list(dict.fromkeys(reasons))


def _sentence(result: ReplayResult, scale: Scale) -> str:
    value, gain = result.value, result.gain
    if value.value is None:
        return "No row was accepted: this log says nothing on how the policy learns."
    said = f"Against the policy that made the log, {result.policy} is {sign(gain)}"
    if sign(gain) == "unclear":
        said += " on this log"
    return (
        f"{said}: {scale.gain(gain.value)} {scale.gain_unit} "
        f"[{scale.gain_interval(gain.interval)}], over its first "
        f"{result.accepted:,.0f} decisions."
    )


def _acceptance(result: ReplayResult) -> Table:
    how = result.acceptance
    table = plain_table("acceptance")
    for heading in ("accepted", "of all", "c", "updates", "live", "distortion", "no support"):
        table.add_column(heading, justify="right", overflow="fold")
    c = f"{how.last:.3g}" + (" exact" if how.exact else " adaptive")
    table.add_row(
        f"{result.accepted:,.0f}",
        f"{how.rate:.1%}",
        c,
        f"{result.updates:,.0f}",
        f"{result.live_updates:,}",
        share(how.distortion),
        share(how.unsupported_mass),
    )
    if len(result.runs) > 1:
        values = [_quoted(result, place) for place in range(len(result.runs))]
        known = [value for value in values if value is not None]
        if known:
            scale = _scale(result)
            spread = f"{scale.value(min(known))} to {scale.value(max(known))}"
            table.caption = f"{len(result.runs)} repetitions, from {spread}"
            table.caption_justify = "left"
    return table


def _quoted(result: ReplayResult, place: int) -> float | None:
    run = result.runs[place]
    return run.rejection if result.method is Method.REJECTION else run.dr


def _curve(result: ReplayResult, scale: Scale) -> Table:
    table = plain_table("learning curve[not bold dim], by accepted rows[/]")
    table.add_column("accepted", justify="right", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column(f"{result.confidence:.0%} normal", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    low = min(point.value for point in result.curve)
    high = max(point.value for point in result.curve)
    for point in result.curve:
        shown = ""
        if point.lower is not None and point.upper is not None:
            interval = Interval("normal", point.lower, point.upper, 0.0, Guarantee.ASYMPTOTIC)
            shown = scale.interval(interval)
        filled = (point.value - low) / (high - low) if high > low else 0.0
        bar = Text("▇" * (1 + round((_BAR - 1) * filled)), ACCENT)
        table.add_row(f"{point.accepted_from:,}", scale.value(point.value), shown, bar)
    return table
