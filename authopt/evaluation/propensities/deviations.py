"""How far sums of martingale differences are from the 0 that sound propensities give them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.propensities.scores import SCORES, UNBOUNDED

DECILES = 10

WORDS = {
    "weight": "mean weight",
    "surprise": "mean of log p less its expectation",
    "top": "share of the likeliest action less its probability",
}
"""Scores in words; what the groups stand for depends on the routes."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A sum that should be near 0.

    Attributes
    ----------
    where
        which decisions it is over.
    z, p
        its size in standard errors, and how likely one as large is at most (one-sided).
    rows
        decisions.
    observed, expected
        means, for people.
    """

    where: str
    z: float
    p: float
    rows: float
    observed: float
    expected: float


def tail(excess: float, variance: float, largest: float) -> tuple[float, float]:
    """How far a sum of martingale differences is from 0, and how likely that is at most.

    Parameters
    ----------
    excess
        the sum.
    variance, largest
        sum of the conditional variances, and the largest possible single term.

    Returns
    -------
    float, float
        excess / sqrt(V + M |excess| / 3), and exp of half its negative square (one-sided).
    """
    scale = variance + largest * abs(excess) / 3.0
    if scale <= 0.0 or abs(excess) <= 1e-9 * max(largest, 1.0):
        return 0.0, 1.0
    z = excess / float(np.sqrt(scale))
    return z, float(np.exp(-(z**2) / 2.0))


def score_deviation(
    cell: FloatArray, largest: FloatArray, score: str, where: str, what: str
) -> Deviation:
    """Of one of ``SCORES``, from a cell of :class:`PropensitySums` and its largest values."""
    at = SCORES.index(score)
    rows, excess = float(cell[0]), float(cell[1 + at])
    bound = float(largest[at]) if at < UNBOUNDED else 1.0
    z, p = tail(excess, float(cell[1 + len(SCORES) + at]), bound)
    # Weights are scored less the 1 that people expect to see.
    mean = 1.0 if score == "weight" else 0.0
    return Deviation(
        f"{where}, {what}" if where else what, z, p, rows, mean + excess / max(rows, 1.0), mean
    )


def event_deviation(cell: FloatArray, where: str) -> Deviation:
    """Of events from their probability (float64[4], as in ``event_sums``)."""
    rows, predicted, came, variance = cell.tolist()
    z, p = tail(came - predicted, variance, 1.0)
    return Deviation(where, z, p, rows, came / max(rows, 1.0), predicted / max(rows, 1.0))


def bin_deviations(cells: FloatArray, where: str) -> list[Deviation]:
    """Deviations in at most ten bins of the probability with about equally many decisions."""
    return [
        event_deviation(part, f"{where}probability {part[1] / part[0]:.3f}")
        for part in deciles(cells)
    ]


def deciles(cells: FloatArray) -> list[FloatArray]:
    """Neighbouring bins (float64[bins, columns], the first column counting) put together to ten.

    Returns
    -------
    list of float64[columns]
        sums of at most ten groups with about equally many decisions, none of them empty.
    """
    rows = cells[:, 0]
    total = float(rows.sum())
    if not total:
        return []
    group = ((np.cumsum(rows) - rows / 2.0) * DECILES / total).astype(np.int64)
    used = np.unique(group[rows > 0]).tolist()
    return [np.asarray(cells[(group == at) & (rows > 0)].sum(axis=0)) for at in used]
