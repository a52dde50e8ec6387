"""Confidence sequence of a mean per row or per payment, from sums of scores over clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.betting.betting import Group, Scores, Variate, lower_limit
from authopt.evaluation.betting.score_tally import NODES, Tally
from authopt.evaluation.block import State, inner, nested

Limits = tuple[float, float]

TALLIES = ("lower", "upper", "half")


@dataclass(slots=True, eq=False)
class MeanBets:
    """Counts of clusters by their sums of scores and their numbers of rows.

    Two kinds of scores, none ever negative: per row, those of ``lower`` have at most the mean in
    question as their own, those of ``upper`` at most ``whole`` less it. With rewards scaled to
    [0, 1] and added up over the rows of a payment, say: w r and w (1 - r) for a value (``whole`` is
    1); 1 + (w - 1) r and 1 + (w - 1) (1 - r) for 1 + a gain (2). For a value per payment, each sum
    counts as one row; its scores may have the weights of paths.

    Attributes
    ----------
    lower, upper
        counts of sums of scores, by number of rows.
    half
        counts of half their difference.
    """

    lower: Tally = field(default_factory=Tally)
    upper: Tally = field(default_factory=Tally)
    half: Tally = field(default_factory=Tally)

    def add(self, lower: FloatArray, upper: FloatArray, rows: IntArray | None = None) -> None:
        """Count clusters.

        Parameters
        ----------
        lower, upper
            float64[n], sums of the scores of a cluster, at least 0.
        rows
            int64[n], rows of each cluster, at least 1; None for 1 each.
        """
        key = np.ones(len(lower), np.int64) if rows is None else rows
        self.lower.add(key, lower)
        self.upper.add(key, upper)
        self.half.add(key, (lower - upper) / 2.0)

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, name) + getattr(other, name) for name in TALLIES))

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        return nested({name: getattr(self, name).state() for name in TALLIES})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        return cls(*(Tally.from_state(inner(state, name)) for name in TALLIES))


def mean_limits(
    bets: MeanBets,
    confidence: float,
    *,
    whole: float = 1.0,
    longest: int = 1,
    largest_weight: float = np.inf,
) -> Limits:
    """Limits of a mean in [0, ``whole``], for all times together.

    Parameters
    ----------
    bets
        what was counted.
    confidence
        probability that the mean is never outside the limits, however often they are looked at.
    whole
        what the means of both kinds of scores add up to.
    longest
        most rows that a cluster can have, fixed beforehand. If one has more, nothing is known.
    largest_weight
        that any row could have. If it is finite, the scores must be those named above of weights
        with a mean of exactly 1 (no mass without support); then (1 - w) and (1 - w) / 2 serve as
        control variates (:mod:`authopt.evaluation.betting.row_bets`).

    Returns
    -------
    (float, float)
        (0, ``whole``) too if the two limits exclude each other: no mean fits what was counted.
    """
    if max(bets.lower.counts, default=1) > longest:
        return 0.0, whole
    variates: list[Variate] = []
    if np.isfinite(largest_weight):
        variates = [Variate(c, 1.0 - c - whole) for c in (0.5, 1.0)]

    def limit(plain: Tally, opposite: Tally, sign: float) -> float:
        scores = _scores(plain, lambda s, m: s)
        controlled = (
            _scores(bets.half, lambda s, m: 0.5 * whole * m + sign * s),
            _scores(opposite, lambda s, m: whole * m - s),
        )
        return lower_limit(
            [Group(largest_weight, scores, controlled)],
            variates,
            (1.0 - confidence) / 2.0,
            0.0,
            whole,
            largest_weight=largest_weight,
            longest=longest,
        )

    lower = limit(bets.lower, bets.upper, 1.0)
    upper = whole - limit(bets.upper, bets.lower, -1.0)
    return (lower, upper) if lower <= upper else (0.0, whole)


def _scores(tally: Tally, score: Callable[[FloatArray, float], FloatArray]) -> Scores:
    parts = []
    for rows, counts in tally.counts.items():
        node = np.flatnonzero(counts)
        parts.append(Scores.of(score(NODES[node], rows), counts[node], rows))
    return Scores.together(parts)
