"""One decision explained, for people at the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from authopt.actions import STOP_ROUTE
from authopt.batch import DecisionBatch
from authopt.explaining.explanation import (
    ActionExplained,
    Comparison,
    DecisionExplained,
    OtherAction,
    Part,
)
from authopt.explaining.shares import MEANINGS
from authopt.rules.durations import duration
from authopt.rules.explain_table import known_context
from authopt.terminal import ACCENT

MOST_PARTS = 8
"""Parts of a difference that are shown; the others are added up in one row."""


def print_decision(explained: DecisionExplained, one: DecisionBatch, console: Console) -> None:
    """Print what is known, the actions, why the best is the best, and what was not eligible."""
    at = explained.decided_at
    console.print(
        f"Attempt {explained.attempt} of payment {escape(explained.payment_id)}, decided "
        f"{f'{at:%Y-%m-%d %H:%M:%S} UTC' if at else 'at an unknown time'} "
        f"(decision {escape(explained.decision_id)})",
        style="bold",
    )
    console.print(escape(", ".join(known_context(one))), style="dim")
    console.print(f"\nPolicy {escape(explained.policy)}", style="bold")
    console.print(_actions(explained))
    _print_shares(explained, console)
    _print_draw(explained, console)
    for each in explained.comparisons:
        console.print()
        console.print(_heading(explained, each), style="bold")
        console.print(_parts(each, explained.adds_up))
    if explained.method:
        console.print(f"[dim]Parts: {explained.method}.[/]")
    _print_others(explained.others, console)


def _actions(explained: DecisionExplained) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("route", style=ACCENT, overflow="fold", min_width=10)
    table.add_column("after", justify="right", no_wrap=True)
    figures = list(dict.fromkeys(name for each in explained.actions for name in each.evidence))
    shares = [
        name
        for name in dict.fromkeys(name for each in explained.actions for name in each.shares)
        if any(each.shares.get(name, 0.0) for each in explained.actions)
    ]
    has_scores = any(each.score is not None for each in explained.actions)
    has_logged = any(each.logged_probability is not None for each in explained.actions)
    headings = [
        *figures,
        *(["score"] if has_scores else []),
        "probability",
        *(f"= {name}" if place == 0 else f"+ {name}" for place, name in enumerate(shares)),
        "u below",
        *(["logged"] if has_logged else []),
    ]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for each in explained.actions:
        row = [escape(each.route), _after(each.route, each.delay_s)]
        row += [_figure(each.evidence.get(name)) for name in figures]
        if has_scores:
            row.append(_score(each.score))
        row.append(f"{each.probability:.4f}")
        row += [_share(each.shares.get(name, 0.0)) for name in shares]
        row.append(f"{each.drawn_below:.4f}")
        if has_logged:
            own = each.logged_probability
            row.append("" if own is None else f"{own:.4f}")
        row.append(_marks(each))
        table.add_row(*row)
    return table


def _print_shares(explained: DecisionExplained, console: Console) -> None:
    used = {name for each in explained.actions for name, value in each.shares.items() if value}
    if explained.score:
        of = f", of payments with {explained.segment}" if explained.segment else ""
        console.print(f"[dim]score: {escape(explained.score + of)}[/]")
    for name, meaning in MEANINGS.items():
        if name in used:
            console.print(f"[dim]{name}: {meaning}[/]")


def _print_draw(explained: DecisionExplained, console: Console) -> None:
    drawn = next(each for each in explained.actions if each.is_drawn)
    console.print(
        f"\nDrawn: {_name(drawn)}, as u = {explained.uniform:.6f} (a hash of the decision id and "
        f"the salt {escape(explained.salt)!r}) lies between {drawn.drawn_from:.4f} and "
        f"{drawn.drawn_below:.4f}."
    )
    logged = explained.logged
    taken = explained.actions[logged.action]
    with_what = (
        "with an unknown propensity"
        if logged.propensity is None
        else f"with propensity {logged.propensity:.4f}"
    )
    came = ", ".join(f"{name} {_told(value)}" for name, value in logged.outcome.items())
    console.print(f"Logged: {_name(taken)} {with_what}; {escape(came) or 'no outcome yet'}.")
    if logged.is_redrawn is False:
        console.print(
            "With this salt the log's own probabilities draw another action: what was logged was "
            "drawn with another salt (--salt), or otherwise.",
            style="dim",
        )


def _heading(explained: DecisionExplained, each: Comparison) -> str:
    better, than = explained.actions[each.better], explained.actions[each.than]
    mark = " (logged)" if than.is_logged else ""
    return f"Why {_name(better)} rather than {_name(than)}{mark}: {_signed(each.difference)}"


def _parts(comparison: Comparison, adds_up: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    digits = _digits(max(abs(part.value) for part in comparison.parts)) if comparison.parts else 4
    together = _together(comparison.parts, digits)
    shown, rest = together[:MOST_PARTS], together[MOST_PARTS:]
    for part in shown:
        table.add_row(_signed(part.value, digits), escape(part.feature))
    if rest:
        total = sum(part.value for part in rest)
        table.add_row(_signed(total, digits), f"[dim]{len(rest)} smaller parts together[/]")
    if adds_up:
        table.add_row(f"[bold]{_signed(comparison.difference, digits)}[/]", "[dim]in all[/]")
    return table


def _together(parts: Sequence[Part], digits: int) -> list[Part]:
    """Features that cannot be told apart (a bank and its country, say) in one row."""
    rows = []
    for value, same in groupby(parts, key=lambda part: round(part.value, 7)):
        names = [part.feature for part in same]
        shown = "; ".join(names[:3]) + (f"; {len(names) - 3} more" if len(names) > 3 else "")
        each = f" (each {_signed(value, digits)})" if len(names) > 1 else ""
        rows.append(Part(shown + each, value * len(names)))
    return sorted(rows, key=lambda part: -abs(part.value))


def _print_others(others: Sequence[OtherAction], console: Console) -> None:
    if not others:
        return
    console.print("\nNot among the log's eligible actions", style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("route", style=ACCENT, overflow="fold", min_width=10)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("removed by", overflow="fold")
    table.add_column("allowed from", no_wrap=True)
    ruled = [each for each in others if each.rule]
    for each in ruled:
        when = f"{each.allowed_at:%Y-%m-%d %H:%M}" if each.allowed_at else "never"
        table.add_row(
            escape(each.route), _after(each.route, each.delay_s), escape(each.rule or ""), when
        )
    if ruled:
        console.print(table)
    unruled = [
        f"{escape(route)} {' or '.join(_after(route, each.delay_s) for each in of_route)}"
        for route, of_route in groupby(
            (each for each in others if not each.rule), key=lambda each: each.route
        )
    ]
    if unruled:
        console.print(
            f"Removed by no rule that is known here: {', '.join(unruled)}. The log holds eligible "
            "actions alone; a merchant's rule (--rules) or a route's state may have removed these, "
            "or nobody offered them.",
            style="dim",
        )


def _marks(action: ActionExplained) -> str:
    marks = [("drawn", action.is_drawn), ("logged", action.is_logged)]
    return ", ".join(f"[bold]{text}[/]" for text, holds in marks if holds)


def _name(action: ActionExplained) -> str:
    if action.route == STOP_ROUTE:
        return STOP_ROUTE
    return f"{escape(action.route)} {_after(action.route, action.delay_s)}"


def _after(route: str, seconds: int) -> str:
    if route == STOP_ROUTE:
        return ""
    return f"in {duration(seconds)}" if seconds else "now"


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:,.{_digits(value)}f}"


def _signed(value: float, digits: int | None = None) -> str:
    return f"{value:+,.{_digits(value) if digits is None else digits}f}"


def _digits(value: float) -> int:
    """Chances are told to four digits, money to one."""
    return 4 if abs(value) < 10.0 else 1


def _share(value: float) -> str:
    return f"{value:.4f}" if abs(value) >= 0.00005 else "[dim]0[/]"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value == round(value) else f"{value:,.4f}"


def _told(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.6g}"
