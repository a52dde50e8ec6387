"""The figures of a replay at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from authopt.terminal import ACCENT, console
from simulator.replay.answering import Source
from simulator.replay.figures import Figures, TrafficFigures, Worth

if TYPE_CHECKING:
    from rich.table import Table


def print_figures(figures: Figures, log: str) -> None:
    """Print a summary; it fits 80 columns."""
    out = console()
    out.print(
        f"[bold]{figures.payments:,} payments[/] of {escape(log)}, decided by "
        f"[bold]{escape(figures.policy)}[/]"
    )
    out.print()
    out.print(_worth_table(figures))
    out.print()
    out.print(_source_table(figures))
    if figures.traffic is not None:
        out.print()
        out.print(_traffic_table(figures.traffic))
        if figures.traffic.errors:
            out.print()
            out.print(_counted("failed for good", "requests", figures.traffic.errors))
    if figures.fallbacks:
        out.print()
        out.print(_counted("the policy had no say", "decisions", figures.fallbacks))
    for sentence in remarks(figures, log):
        out.print()
        out.print(sentence, markup=False)


def remarks(figures: Figures, log: str) -> Iterator[str]:
    """What a reader must know of the figures, in sentences."""
    others = {Source[name.upper()] for name in figures.sources}
    if Source.MODEL in others:
        yield (
            f"A what-if, not an estimate: the outcomes of {_share(figures, Source.MODEL)} of the "
            "decisions are drawn from a model of the log, and what follows them is copied from "
            f"like payments. For an estimate with an interval: authopt evaluate {log} --policy ..."
        )
    if Source.WORLD in others:
        yield (
            "The world answers with its true chances: without bias for what the policy is worth "
            "there, if the log is of that world. The luck is one draw; see --seed."
        )
    if Source.NOT_FOLLOWED in others:
        yield (
            f"{_share(figures, Source.NOT_FOLLOWED)} of the decisions took another action than the "
            "log, and their payments were followed no further. What is known is of those that "
            "agree with the log: a biased choice, no estimate. See authopt evaluate, or --outcomes "
            "model."
        )
    if Source.UNKNOWN in others:
        yield (
            f"The log does not know the outcomes of {_share(figures, Source.UNKNOWN)} of the "
            "decisions; they are left out."
        )
    if figures.traffic is not None and figures.traffic.stopped is not None:
        yield f"Ended before its time: {figures.traffic.stopped}."


def _share(figures: Figures, source: Source) -> str:
    return f"{figures.sources[source.name.lower()] / figures.replay.decisions:.1%}"


def _worth_table(figures: Figures) -> Table:
    table = _table("what it brought", "replay", "log", "difference")
    pairs: list[tuple[str, float | None, float | None, bool]] = [
        (name, getattr(figures.replay, key), getattr(figures.log, key), is_share)
        for name, key, is_share in (
            ("decisions", "decisions", False),
            ("attempts made", "attempts", False),
            ("attempts approved", "approved", False),
            ("value per decision (approved)", "per_decision", True),
            ("payments whose end is known", "payments_known", False),
            ("value per payment (paid)", "per_payment", True),
        )
    ]
    for name, replay, log, is_share in pairs:
        gain = None if replay is None or log is None else replay - log
        if is_share:
            points = "-" if gain is None else f"{100 * gain:+.2f} pp"
            table.add_row(name, _percent(replay), _percent(log), points)
        else:
            table.add_row(name, f"{replay:,}", f"{log:,}", f"{gain:+,}")
    table.add_row("attempts per payment", *_per_payment(figures))
    return table


def _per_payment(figures: Figures) -> tuple[str, str, str]:
    replay, log = (_attempts(each, figures.payments) for each in (figures.replay, figures.log))
    return f"{replay:.3f}", f"{log:.3f}", f"{replay - log:+.3f}"


def _attempts(worth: Worth, payments: int) -> float:
    return worth.attempts / payments


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def _source_table(figures: Figures) -> Table:
    table = _table("the outcome is from", "decisions", "share")
    for name, count in figures.sources.items():
        meaning = Source[name.upper()].meaning
        table.add_row(meaning, f"{count:,}", f"{count / figures.replay.decisions:.1%}")
    agreed = f"{figures.agreement:.1%}"
    table.add_row("[dim]decided as the log did[/]", "", f"[dim]{agreed}[/]")
    return table


def _traffic_table(traffic: TrafficFigures) -> Table:
    table = _table("the service", "")
    table.add_row("requests", f"{traffic.requests:,} in {traffic.seconds:,.1f} s")
    table.add_row("requests per second", f"{traffic.requests_per_second:,.0f}")
    table.add_row("outcomes told", f"{traffic.outcomes_told:,}")
    latency = traffic.latency_ms
    if latency is not None:
        told = f"{latency.p50:.1f} / {latency.p90:.1f} / {latency.p99:.1f} ms"
        table.add_row("latency of a decision, p50 / p90 / p99", told)
        table.add_row("largest", f"{latency.largest:,.1f} ms")
    if traffic.late_p50_s is not None and traffic.late_largest_s is not None:
        late = f"{1e3 * traffic.late_p50_s:,.1f} / {1e3 * traffic.late_largest_s:,.1f} ms"
        table.add_row("behind schedule, median / largest", late)
    table.add_row("sent again", f"{traffic.retried:,}")
    table.add_row("failed for good", f"{sum(traffic.errors.values()):,}")
    return table


def _counted(heading: str, unit: str, counts: dict[str, int]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column(heading, style=ACCENT, overflow="fold", max_width=60)
    table.add_column(unit, justify="right")
    for text, count in counts.items():
        table.add_row(escape(text), f"{count:,}")
    return table


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column(first, style=ACCENT)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
