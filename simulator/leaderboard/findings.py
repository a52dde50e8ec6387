"""The answer of a board in one sentence."""

from __future__ import annotations

from simulator.leaderboard.roster import RECOMMENDED, Kind
from simulator.leaderboard.standings import Board, Interval, Standing


def best_rival(board: Board) -> Standing | None:
    """The best baseline: neither the policy in question, nor held against them, nor an oracle."""
    for each in board.standings:
        if each.label != board.reference and each.kind in (Kind.STATIC, Kind.LEARNER):
            return each
    return None


def said(label: str) -> str:
    """A policy's label at the start of a sentence."""
    return "The recommended policy" if label == RECOMMENDED else f"'{label}'"


def finding(board: Board) -> str:
    """Who wins, by how much, how sure."""
    own, rival = board.standing(board.reference), best_rival(board)
    sentence = f"{said(own.label)} gets {own.value.mean:.2%} of the payments paid"
    if rival is None or rival.difference is None:
        return sentence
    return f"{sentence}, " + _ahead(rival.difference, f"'{rival.label}', the best baseline")


def _ahead(difference: Interval, other: str) -> str:
    ahead = -10_000 * difference.mean
    more = f"{abs(ahead):.1f} of 10,000 {'more' if ahead >= 0 else 'fewer'} than {other}"
    if difference.lower is None or difference.upper is None:
        return more
    sign = -10_000 if ahead >= 0 else 10_000
    low, high = sorted((sign * difference.lower, sign * difference.upper))
    return f"{more} (95%: {low:.1f} to {high:.1f})"


def of_the_same_log(board: Board) -> list[str]:
    """The baselines that were given a log with exploration, beside ours that was given the same."""
    return [
        f"{said(each.equal)} gets "
        + _ahead(each.equal_difference, f"'{each.label}', which was given the same log")
        for each in board.standings
        if each.equal is not None and each.equal_difference is not None
    ]


def explanation(board: Board, what: str) -> str:
    """What is drawn, of which data."""
    seeds = len(board.seeds)
    counted = f"after the first {board.after:,}" if board.after else "all"
    return (
        f"{what} Place '{board.place}': {board.payments:,} payments, {counted} counted, "
        f"{seeds} seed{'s' if seeds != 1 else ''}; every policy meets the same payments and luck."
    )
