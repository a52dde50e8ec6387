"""The default interval: Cressie-Read on bucket sums, with what the log cannot know as worst case.

Where the logging policy never takes an action, the log holds nothing on it, and no weighting of
rows brings it back. A decision whose evaluation policy puts mass u there counts with weight w + u
(so that the mean is 1 again) and, for the lower limit, with the smallest reward on the mass u, for
the upper limit with the largest (Manski, 'Nonparametric Bounds on Treatment Effects', 1990). With
no overlap at all this is the whole range of rewards; with full support it changes nothing.
"""

from __future__ import annotations

import numpy as np

from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.intervals import (
    Limits,
    cressie_read_lower,
    critical_value,
    design_effect,
)
from authopt.evaluation.scores import (
    Combination,
    Extremes,
    Range,
    Score,
    gain_score,
    moments_of,
    value_score,
)


def value_limits(table: BucketTable, score: str, known: Range, confidence: float) -> Limits:
    """Limits of the value from the column ``score``, within the bounds of the reward."""
    low = known.reward_low
    limits = _both(table, value_score(table, score, known), known, confidence)
    found = (low + limits[0], low + limits[1])
    return within(found, low, known.reward_high, known, confidence, alike=1.0)


def gain_limits(table: BucketTable, score: str, known: Range, confidence: float) -> Limits:
    """Limits of the value less the mean logged reward, row by row."""
    span, rows = known.span, table.total("one")
    if known.largest_coverage <= 1.0 + 1e-9 and abs(table.total("w") - rows) <= 1e-9 * rows:
        # Weights with mean 1 and none above it: this is the logging policy, and its gain is 0.
        return 0.0, 0.0
    limits = _both(table, gain_score(table, score, known), known, confidence)
    return within(limits, -span, span, known, confidence)


def mean_limits(
    table: BucketTable, column: str, low: float, high: float, clusters: int, confidence: float
) -> Limits:
    """Limits of the mean of a column whose values lie in [low, high]."""
    plain = Range(low, high, 1.0, 0.0, np.nan, np.nan, clusters)
    score = Score("one", {column: 1.0}, {column: 1.0}, lambda one: low, lambda one: high)
    limits = _both(table, score, plain, confidence)
    return within(limits, low, high, plain, confidence)


def _both(table: BucketTable, score: Score, known: Range, confidence: float) -> Limits:
    if known.clusters < 2:
        return -np.inf, np.inf
    weighted = score.weight == "coverage"
    low, high = (0.0, known.largest_coverage) if weighted else (1.0, 1.0)
    # Two parameters are fitted to the rows and the adverse one: with few clusters that counts.
    few = (known.clusters + 1) / (known.clusters - 1)
    critical = few * critical_value(confidence, known.clusters - 1)

    def limit(combination: Combination, sign: float, smallest: Extremes) -> float:
        data, by_bucket = moments_of(table, score.weight, combination)
        effect = design_effect(data, table[score.weight], by_bucket, table["one"])
        if sign < 0:
            data = data.mirrored()
        found = cressie_read_lower(data, low, high, smallest, critical * effect)
        return -np.inf if found is None else found

    lower = limit(score.worst, 1.0, score.smallest)
    upper = -limit(score.best, -1.0, lambda coverage: -score.largest(coverage))
    return lower, upper


def within(
    limits: Limits,
    low: float,
    high: float,
    known: Range,
    confidence: float,
    *,
    alike: float = 1e-12,
) -> Limits:
    """Clipped to what is possible, and never narrower than unseen rows allow.

    If all of n clusters look alike, a share of up to 1 - (1 - confidence)^(1 / n) of clusters may
    still look different (the 'rule of three', Hanley & Lippman-Hand, JAMA 249, 1983). Limits count
    as those of clusters that look alike where they are closer than the share ``alike`` of that.
    """
    lower, upper = max(low, min(limits[0], high)), min(high, max(limits[1], low))
    least = (high - low) * -np.expm1(np.log1p(-confidence) / max(known.clusters, 1))
    if upper - lower < alike * least:
        # Both sides are moved by what is missing, then what one side has no room for.
        missing = least - (upper - lower)
        lower, upper = max(low, lower - missing), min(high, upper + missing)
    return float(lower), float(upper)
