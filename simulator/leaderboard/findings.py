"""The answer of a board in one sentence."""

from __future__ import annotations

from simulator.leaderboard.roster import RECOMMENDED, Kind
from simulator.leaderboard.standings import Board, Standing


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
    ahead = -10_000 * rival.difference.mean
    more = f"{abs(ahead):.0f} of 10,000 {'more' if ahead >= 0 else 'fewer'}"
    sentence += f", {more} than '{rival.label}', the best baseline"
    if rival.difference.lower is not None and rival.difference.upper is not None:
        sign = -10_000 if ahead >= 0 else 10_000
        low, high = sorted((sign * rival.difference.lower, sign * rival.difference.upper))
        sentence += f" (95%: {low:.0f} to {high:.0f})"
    return sentence


def explanation(board: Board, what: str) -> str:
    """What is drawn, of which data."""
    seeds = len(board.seeds)
    counted = f"after the first {board.after:,}" if board.after else "all"
    return (
        f"{what} Place '{board.place}': {board.payments:,} payments, {counted} counted, "
        f"{seeds} seed{'s' if seeds != 1 else ''}; every policy meets the same payments and luck."
    )
