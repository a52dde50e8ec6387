"""The standings as a table for the terminal."""

from __future__ import annotations

from rich.table import Table

from authopt.terminal import ACCENT
from simulator.leaderboard.roster import Kind
from simulator.leaderboard.standings import Board, Interval, Standing

NOTE = (
    "paid: share of the payments that are paid in the end, in expectation over the policy's draws; "
    "±: 95% interval, Student's t over seeds. difference: in payments of 10,000, paired by seed "
    "with the policy marked >. of the gap: how much of the way to the oracle is gone, from the "
    "best order of routes that retries at once (A), and from the best static policy, timetables of "
    "retries included (B). lost: approvals lost to the best action, of 1,000 decisions. "
    "explored: payments lost by leaving its own favourite action, of 10,000."
)


def heading(board: Board) -> str:
    """What was played, in one line."""
    seeds = len(board.seeds)
    counted = f"those from number {board.after:,} on count" if board.after else "all of them count"
    return (
        f"{board.place}: {board.payments:,} payments, {counted}; "
        f"{seeds} seed{'s' if seeds != 1 else ''}"
    )


WIDE = 150
"""Characters that the whole table takes; where there are fewer, it has the columns that matter."""

_COLUMNS = ("paid", "±", "difference", "95%", "gap A", "gap B", "first attempts",
            "attempts", "lost", "explored", "seconds")  # fmt: skip
_NARROW = ("paid", "difference", "95%", "gap A", "gap B")


def table_of(board: Board, width: int = WIDE) -> Table:
    """One policy a row, the best first; oracles are set apart by colour."""
    shown = _COLUMNS if width >= WIDE else _NARROW
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("policy", overflow="fold")
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for each in board.standings:
        cells = dict(zip(_COLUMNS, _figures(each), strict=True))
        row = [cells[name] for name in shown]
        table.add_row(_mark(board, each), each.label, *row, style=_style(board, each))
    return table


def _mark(board: Board, each: Standing) -> str:
    mark = ">" if each.label == board.reference else ""
    mark += "A" if each.label == board.cascade else ""
    return mark + ("B" if each.label == board.static else "")


def _figures(each: Standing) -> list[str]:
    return [
        f"{each.value.mean:.2%}",
        _half(each.value, 100.0, ".2f"),
        "" if each.difference is None else f"{10_000 * each.difference.mean:+.1f}",
        _limits(each.difference),
        _share(each.captured_cascade),
        _share(each.captured_static),
        f"{each.first.mean:.2%}",
        f"{each.attempts.mean:.3f}",
        f"{each.regret.mean:.1f}",
        f"{10 * each.explored.mean:.1f}",
        f"{each.seconds:.1f}",
    ]


def _style(board: Board, each: Standing) -> str:
    if each.label == board.reference:
        return f"bold {ACCENT}"
    return "dim" if each.kind is Kind.ORACLE else ""


def _half(value: Interval, times: float, form: str) -> str:
    return "-" if value.half is None else format(times * value.half, form)


def _limits(value: Interval | None) -> str:
    if value is None:
        return ""
    if value.lower is None or value.upper is None:
        return "-"
    return f"{10_000 * value.lower:+.1f} to {10_000 * value.upper:+.1f}"


def _share(value: Interval | None) -> str:
    if value is None:
        return "-"
    half = "" if value.half is None else f" ±{value.half:.0%}"
    return f"{value.mean:.0%}{half}"
