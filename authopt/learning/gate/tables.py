"""A verdict at the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from authopt.learning.gate.verdict import GateVerdict, Outcome
from authopt.prices.currencies import decimals_of
from authopt.terminal import ACCENT

STYLES = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.UNKNOWN: "yellow"}
WORDS = {"PASS": "bold green", "FAIL": "bold red", "OVERRIDDEN": "bold yellow"}


def print_verdict(verdict: GateVerdict, out: Console) -> None:
    """Print the verdict: its word, what it rests on, the gain, and a row for every check."""
    scale = _factor(verdict)
    out.print(Text.assemble((verdict.word, WORDS[verdict.word]), "  ", _sentence(verdict)))
    out.print(_facts(verdict))
    out.print()
    out.print(_gains(verdict, scale))
    out.print()
    out.print(_checks(verdict))
    for remark in verdict.remarks:
        out.print(Text.assemble(("note ", "yellow"), remark))
    if verdict.override is not None:
        given = verdict.override
        out.print(
            Text.assemble(
                ("overridden ", "bold yellow"),
                f"by {given.who} on {given.at:%Y-%m-%d %H:%M} UTC: {given.why}",
            )
        )


def _sentence(verdict: GateVerdict) -> str:
    candidate, live = verdict.candidate.spec, verdict.live.spec
    if verdict.passed:
        return f"{candidate} may replace {live}"
    number = len(verdict.failed)
    failed = f"{number} check{'s' if number > 1 else ''} failed"
    if verdict.override is not None:
        return f"{candidate} replaces {live}, though {failed}"
    return f"{candidate} does not replace {live}: {failed}"


def _facts(verdict: GateVerdict) -> str:
    log = verdict.log
    between = ""
    if log.first is not None and log.last is not None:
        between = f", {log.first:%Y-%m-%d %H:%M} to {log.last:%Y-%m-%d %H:%M} UTC"
    look = len(verdict.looks)
    spent = sum(each.spent for each in verdict.looks)
    return (
        f"{log.decisions:,} decisions of {log.payments:,} payments{between}; look {look}, error "
        f"spent {spent:.3g} of {1.0 - verdict.settings.confidence:.3g}"
    )


def _gains(verdict: GateVerdict, scale: tuple[float, str]) -> Table:
    factor, unit = scale
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style=ACCENT, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for word, policy in (("live", verdict.live), ("candidate", verdict.candidate)):
        value = "—" if policy.value is None else f"{policy.value * factor:,.4f}{unit}"
        table.add_row(word, value, f"{verdict.reward} per {verdict.unit}, {policy.spec}")
    gain = "—" if verdict.gain is None else f"{verdict.gain * factor:+,.4f}{unit}"
    for place, bound in enumerate(verdict.bounds):
        upper = " or more" if bound.upper is None else f" to {bound.upper * factor:+,.4f}"
        holds = "at all times" if bound.anytime else "for one look"
        decides = "; it decides" if bound.decides else ""
        table.add_row(
            *(("gain", gain) if not place else ("", "")),
            f"{bound.lower * factor:+,.4f}{upper} ({bound.method}: {bound.confidence:.1%} on each "
            f"side, {holds}{decides})",
        )
    return table


def _checks(verdict: GateVerdict) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("why", overflow="fold")
    for check in verdict.checks:
        table.add_row(check.title, Text(check.outcome, STYLES[check.outcome]), Text(check.reason))
    return table


def _factor(verdict: GateVerdict) -> tuple[float, str]:
    """What rewards are multiplied by to be shown, and their unit."""
    if verdict.currency is None:
        return 1.0, ""
    return 10.0 ** -(decimals_of(verdict.currency) or 0), f" {verdict.currency}"
