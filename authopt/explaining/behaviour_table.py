"""What a policy does by segment, for people at the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from authopt.explaining.behaviour import Behaviour, Movement, Segment, live_name
from authopt.terminal import ACCENT

NOTICED = 0.0005
"""Differences below this are not written."""


def print_behaviour(said: Behaviour, console: Console, most: int) -> None:
    """Print one table of routes, and where there is a choice one of delays, for each column."""
    console.print(
        f"{escape(said.policy)} beside {escape(live_name(said))}, {said.decisions:,} decisions",
        style="bold",
    )
    everything = said.overall
    console.print(
        f"Of them {everything.changed:.1%} get another action, and in "
        f"{everything.choice_changed:.1%} the likeliest action is another one.",
    )
    for what, movements in (
        ("routes", everything.movements),
        ("delays", everything.delay_movements),
    ):
        if movements:
            console.print(f"Largest movements of {what}: {_movements(movements, 3)}.")
    for column, segments in said.by.items():
        shown = [*segments[:most], everything]
        console.print(f"\nRoutes by {escape(column)}", style="bold")
        console.print(_table(shown, everything, "routes"))
        if len(everything.delays) > 1:
            console.print(f"\nDelays by {escape(column)}", style="bold")
            console.print(_table(shown, everything, "delays"))
        console.print(f"\nChanges by {escape(column)}", style="bold")
        console.print(_changes(shown, everything, said.meaning is not None))
        if len(segments) > most:
            console.print(f"Smaller segments, not shown: {len(segments) - most}.", style="dim")
    _print_notes(said, console)


def _table(shown: Sequence[Segment], everything: Segment, what: str) -> Table:
    """Mean probabilities of routes or delays, beside the live policy's."""
    names = list(getattr(everything, what))
    table = _by_segment(["decisions", *(escape(name) for name in names)])
    for each in shown:
        own, live = getattr(each, what), getattr(each, f"live_{what}")
        cells = [f"{each.decisions:,}", *(_cell(name, own, live) for name in names)]
        table.add_row(escape(each.name), *cells, style="bold" if each is everything else None)
    return table


def _changes(shown: Sequence[Segment], everything: Segment, valued: bool) -> Table:
    """How much is changed, what is expected of it, and what moves."""
    table = _by_segment(["changed", "likeliest", *(["expected"] if valued else [])])
    table.add_column("largest movements", overflow="fold")
    for each in shown:
        cells = [f"{each.changed:.1%}", f"{each.choice_changed:.1%}"]
        if valued:
            cells.append(_value(each))
        moves = "; ".join(
            text
            for text in (_movements(each.movements, 2), _movements(each.delay_movements, 1))
            if text
        )
        style = "bold" if each is everything else None
        table.add_row(escape(each.name), *cells, moves, style=style)
    return table


def _by_segment(headings: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("segment", style=ACCENT, overflow="fold", min_width=10)
    for heading in headings:
        # A share and its change stand on two lines where the terminal is narrow.
        table.add_column(heading, justify="right", overflow="fold", min_width=min(len(heading), 7))
    return table


def _cell(name: str, own: Mapping[str, float], live: Mapping[str, float]) -> str:
    """Mean probability, and in points by how much it is more or less than the live policy's."""
    value, gap = own.get(name, 0.0), own.get(name, 0.0) - live.get(name, 0.0)
    if abs(gap) < NOTICED:
        return f"{value:.1%}"
    colour = "green" if gap > 0 else "yellow"
    return f"{value:.1%} [{colour}]{100 * gap:+.1f}[/]"


def _value(segment: Segment) -> str:
    if segment.value is None or segment.live_value is None:
        return ""
    digits = 4 if abs(segment.value) < 10 else 1
    gap = segment.value - segment.live_value
    return f"{segment.value:,.{digits}f} [dim]{gap:+,.{digits}f}[/]"


def _movements(movements: Sequence[Movement], most: int) -> str:
    return ", ".join(
        f"{escape(each.source)} -> {escape(each.target)} {each.share:.1%} ({each.decisions:,.0f})"
        for each in movements[:most]
    )


def _print_notes(said: Behaviour, console: Console) -> None:
    console.print(
        f"\nRoutes and delays: mean probabilities, and how many points more or less than "
        f"{escape(live_name(said))}. changed: decisions that get another action if both draw as "
        "alike as they can; likeliest: whose likeliest action is another one.",
        style="dim",
    )
    if said.meaning is not None:
        console.print(
            f"expected: {said.meaning}, by the policy's own model, and its difference to what the "
            "model expects of the other policy; an honest estimate is made by authopt evaluate.",
            style="dim",
        )
    if said.live_is_observed:
        console.print(
            f"Of {said.live_is_observed:,} decisions the log has no probabilities of all actions: "
            "what was done stands for what was likely, so chance counts as change.",
            style="yellow",
        )
