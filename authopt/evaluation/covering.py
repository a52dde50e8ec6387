"""The default interval: Cressie-Read on bucket sums, with what the log cannot know as worst case.

Where the logging policy never takes an action, the log holds nothing on it, and no weighting of
rows brings it back. A decision whose evaluation policy puts mass u there counts with weight w + u
(so that the mean is 1 again) and, for the lower limit, with the smallest reward on the mass u, for
the upper limit with the largest (Manski, 'Nonparametric Bounds on Treatment Effects', 1990). With
no overlap at all this is the whole range of rewards; with full support it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.estimators import product
from authopt.evaluation.intervals import (
    Extremes,
    Limits,
    Moments,
    cressie_read_lower,
    critical_value,
    design_effect,
)

Combination = Mapping[str, float]
"""A score as a sum of columns: coefficient by name."""


@dataclass(frozen=True, slots=True)
class Range:
    """What is known beforehand of the rows.

    Attributes
    ----------
    reward_low, reward_high
        declared bounds of the reward.
    largest_weight
        that any row could have; may be infinite.
    most_unsupported
        largest mass without support of any row, 0 to 1.
    q_low, q_high
        extremes of the reward model's predictions; only needed for doubly robust scores.
    clusters
        number of clusters.
    """

    reward_low: float
    reward_high: float
    largest_weight: float
    most_unsupported: float
    q_low: float
    q_high: float
    clusters: int

    @property
    def span(self) -> float:
        """Largest possible difference between two rewards."""
        return self.reward_high - self.reward_low

    @property
    def largest_coverage(self) -> float:
        """Largest weight plus mass without support that a row could have; at least 1."""
        return max(1.0, self.largest_weight + self.most_unsupported)


def value_limits(table: BucketTable, score: str, known: Range, confidence: float) -> Limits:
    """Limits of the value from the column ``score``, within the bounds of the reward."""
    low, span = known.reward_low, known.span
    weight = "one" if score == "r" else "coverage"
    # Rewards are counted from their lower bound on: then the answer moves with the rewards.
    worst = _plus({score: 1.0}, {"coverage" if score == "wr" else "one": -low, "unsupported": low})
    best = _plus(worst, {"unsupported": span})
    scores = _Extremes(score, known, gain=False)
    limits = _both(table, weight, (worst, best), scores, known, confidence)
    return _within((low + limits[0], low + limits[1]), low, known.reward_high, known, confidence)


def gain_limits(table: BucketTable, score: str, known: Range, confidence: float) -> Limits:
    """Limits of the value less the mean logged reward, row by row."""
    low, span = known.reward_low, known.span
    worst = _plus(
        {score: 1.0, "r": -1.0, "one": low},
        {"coverage" if score == "wr" else "one": -low, "unsupported": low},
    )
    best = _plus(worst, {"unsupported": span})
    scores = _Extremes(score, known, gain=True)
    rows = table.total("one")
    if known.largest_coverage <= 1.0 + 1e-9 and abs(table.total("w") - rows) <= 1e-9 * rows:
        # Weights with mean 1 and none above it: this is the logging policy, and its gain is 0.
        return 0.0, 0.0
    limits = _both(table, "coverage", (worst, best), scores, known, confidence)
    return _within(limits, -span, span, known, confidence)


def mean_limits(
    table: BucketTable, column: str, low: float, high: float, clusters: int, confidence: float
) -> Limits:
    """Limits of the mean of a column whose values lie in [low, high]."""
    plain = Range(low, high, 1.0, 0.0, np.nan, np.nan, clusters)
    scores = ({column: 1.0}, {column: 1.0})
    limits = _both(table, "one", scores, _Bounds(low, high), plain, confidence)
    return _within(limits, low, high, plain, confidence)


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: float
    high: float

    def smallest(self, weight: float) -> float:
        return self.low

    def largest(self, weight: float) -> float:
        return self.high


@dataclass(frozen=True, slots=True)
class _Extremes:
    """Smallest and largest score of a row by its coverage (weight plus mass without support).

    Rewards and predictions count from the reward's lower bound on: r in [0, span].
    """

    score: str
    known: Range
    gain: bool

    def smallest(self, coverage: float) -> float:
        known, span = self.known, self.known.span
        least_weight = max(0.0, coverage - known.most_unsupported)
        minus_reward = min(0.0, (least_weight - 1.0) * span) if self.gain else 0.0
        if self.score != "dr_supported":
            return minus_reward
        q_low, q_high = known.q_low - known.reward_low, known.q_high - known.reward_low
        model = min(q_low, (1.0 - known.most_unsupported) * q_low)
        return model - coverage * max(q_high, 0.0) + minus_reward

    def largest(self, coverage: float) -> float:
        known, span = self.known, self.known.span
        if self.score == "r":
            return span
        if self.score != "dr_supported":
            if not self.gain:
                return coverage * span
            return max((coverage - 1.0) * span, min(coverage, known.most_unsupported) * span)
        q_low, q_high = known.q_low - known.reward_low, known.q_high - known.reward_low
        model = max(q_high, span) if known.most_unsupported else max(q_high, 0.0)
        if not self.gain:
            return model + coverage * max(span - q_low, 0.0)
        approved = coverage * max(span - q_low, 0.0) - span
        return model + max(approved, coverage * max(-q_low, 0.0))


def _plus(left: Combination, right: Combination) -> dict[str, float]:
    names = dict.fromkeys((*left, *right))
    total = {name: left.get(name, 0.0) + right.get(name, 0.0) for name in names}
    return {name: factor for name, factor in total.items() if factor}


def _both(
    table: BucketTable,
    weight: str,
    scores: tuple[Combination, Combination],
    extremes: _Extremes | _Bounds,
    known: Range,
    confidence: float,
) -> Limits:
    if known.clusters < 2:
        return -np.inf, np.inf
    high = known.largest_coverage if weight == "coverage" else 1.0
    low = 0.0 if weight == "coverage" else 1.0
    # Two parameters are fitted to the rows and the adverse one: with few clusters that counts.
    few = (known.clusters + 1) / (known.clusters - 1)
    critical = few * critical_value(confidence, known.clusters - 1)

    def limit(score: Combination, sign: float, smallest: Extremes) -> float:
        data, by_bucket = _moments(table, weight, score)
        effect = design_effect(data, table[weight], by_bucket, table["one"])
        if sign < 0:
            data = data.mirrored()
        found = cressie_read_lower(data, low, high, smallest, critical * effect)
        return -np.inf if found is None else found

    lower = limit(scores[0], 1.0, extremes.smallest)
    upper = -limit(scores[1], -1.0, lambda coverage: -extremes.largest(coverage))
    return lower, upper


def _moments(table: BucketTable, weight: str, score: Combination) -> tuple[Moments, FloatArray]:
    def total(left: str, right: str) -> float:
        if "one" in (left, right):
            return table.total(left if right == "one" else right)
        return table.total(product(left, right))

    by_bucket = sum((factor * table[name] for name, factor in score.items()), start=np.zeros(1))
    wy = sum(factor * total(weight, name) for name, factor in score.items())
    yy = sum(
        factor * other * total(name, second)
        for name, factor in score.items()
        for second, other in score.items()
    )
    data = Moments(
        n=table.total("one"),
        w=table.total(weight),
        ww=total(weight, weight),
        y=float(by_bucket.sum()),
        wy=wy,
        yy=max(yy, 0.0),
    )
    return data, np.broadcast_to(by_bucket, table["one"].shape)


def _within(limits: Limits, low: float, high: float, known: Range, confidence: float) -> Limits:
    """Clipped to what is possible, and never narrower than unseen rows allow.

    If all of n clusters look alike, a share of up to 1 - (1 - confidence)^(1 / n) of clusters may
    still look different (the 'rule of three', Hanley & Lippman-Hand, JAMA 249, 1983).
    """
    lower, upper = max(low, min(limits[0], high)), min(high, max(limits[1], low))
    least = (high - low) * -np.expm1(np.log1p(-confidence) / max(known.clusters, 1))
    if upper - lower < 1e-12 * (high - low):
        lower, upper = max(low, lower - least), min(high, upper + least)
    return float(lower), float(upper)
