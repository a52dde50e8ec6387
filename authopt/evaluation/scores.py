"""What a row can be worth: scores whose mean is a value or a gain, and how far a row can take them.

Every interval that must cover rests on these: the mean of a score over the rows estimates the
quantity without bias, and its bounds are known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import product
from authopt.evaluation.intervals import Moments

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


Extremes = Callable[[float], float]
"""An extreme score that a row of a given weight can have."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """A column whose mean is the quantity in question, if the propensities are right.

    Attributes
    ----------
    weight
        name of the column whose mean is known to be 1.
    worst, best
        the score, with the smallest and with the largest reward on the mass without support.
        Rewards count from their lower bound on.
    smallest, largest
        least and greatest score that a row of a given weight can have.
    """

    weight: str
    worst: Combination
    best: Combination
    smallest: Extremes
    largest: Extremes


def value_score(table: BucketTable, score: str, known: Range) -> Score:
    """The score of the value less the reward's lower bound, from the column ``score``.

    The doubly robust score is w r - c, with the control variate c = w q - v, whose mean is 0
    whatever the model. Any share of c may be taken off: as much is taken as the variance asks for
    (:func:`model_share`), so that the model never makes the interval wider than doing without.
    """
    return _score(table, score, known, 0.0)


def gain_score(table: BucketTable, score: str, known: Range) -> Score:
    """The score of the value less the mean logged reward, row by row."""
    return _score(table, score, known, 1.0)


def _score(table: BucketTable, score: str, known: Range, logged: float) -> Score:
    low = known.reward_low
    less = {"r": -logged, "one": logged * low}
    share = model_share(table, known) if score == "dr_supported" else 0.0
    bounds = _Extremes(known, share, logged)
    if score == "r":
        counted = combined({"r": 1.0, "one": -low}, less)
        return Score("one", counted, counted, bounds.smallest, bounds.largest)
    worst = combined(_scaled(_weighted(low), 1.0 - share), _scaled(_modelled(low), share))
    worst = combined(worst, less)
    best = combined(worst, {"unsupported": known.span})
    return Score("coverage", worst, best, bounds.smallest, bounds.largest)


def _weighted(low: float) -> Combination:
    """w (r - low): the score of IPS."""
    return {"wr": 1.0, "coverage": -low, "unsupported": low}


def _modelled(low: float) -> Combination:
    """The doubly robust score of rewards that count from ``low`` on."""
    return {"dr_supported": 1.0, "one": -low, "unsupported": low}


def model_share(table: BucketTable, known: Range) -> float:
    """Share of the control variate c = w q - v to take off w r, between 0 and 1.

    The coefficient of c in the regression of w r on c and the weight over all rows and two more:
    the least and the greatest row that the doubly robust score could have. Where few rows carry
    the weight, those two decide, and the share goes to 0: what the model explains is then less
    than what a single row of the largest weight could add.
    """
    return _regression(table, known)[0]


def unexplained(table: BucketTable, known: Range) -> float:
    """Share of the variance of w r given the weight that is left by the control variate.

    In the same regression and with the share of :func:`model_share`; 1 where it is 0.
    """
    return _regression(table, known)[1]


def _regression(table: BucketTable, known: Range) -> tuple[float, float]:
    high = known.largest_coverage
    if not np.isfinite(high):
        return 0.0, 1.0
    low = known.reward_low
    q_low, q_high = known.q_low - low, known.q_high - low
    control = combined(_weighted(low), _scaled(_modelled(low), -1.0))
    columns: list[Combination] = [{"one": 1.0}, {"coverage": 1.0}, control, _weighted(low)]
    extreme = np.array(
        [
            [1.0, high, high * q_high - q_low, 0.0],
            [1.0, high, high * q_low - q_high, high * known.span],
        ]
    )
    squares = np.array([[_product(table, left, right) for right in columns] for left in columns])
    squares += extreme.T @ extreme
    mean = squares[0] / squares[0, 0]
    spread = squares[1:, 1:] - squares[0, 0] * np.outer(mean[1:], mean[1:])
    if spread[0, 0] > 1e-9 * squares[1, 1]:
        spread = spread - np.outer(spread[0], spread[0]) / spread[0, 0]
    if spread[1, 1] <= 1e-9 * squares[2, 2] or spread[2, 2] <= 0.0:
        return 0.0, 1.0
    share = float(np.clip(spread[1, 2] / spread[1, 1], 0.0, 1.0))
    left = spread[2, 2] - 2.0 * share * spread[1, 2] + share**2 * spread[1, 1]
    return share, float(left / spread[2, 2])


def _product(table: BucketTable, left: Combination, right: Combination) -> float:
    """Sum over all rows of the product of two combinations."""

    def total(one: str, other: str) -> float:
        if "one" in (one, other):
            return table.total(one if other == "one" else other)
        return table.total(product(one, other))

    return sum(
        factor * other * total(name, second)
        for name, factor in left.items()
        for second, other in right.items()
    )


def moments_of(table: BucketTable, weight: str, score: Combination) -> tuple[Moments, FloatArray]:
    """Moments over rows of a weight and a score, and the score's sums by bucket."""
    by_bucket = sum((factor * table[name] for name, factor in score.items()), start=np.zeros(1))
    data = Moments(
        n=table.total("one"),
        w=table.total(weight),
        ww=_product(table, {weight: 1.0}, {weight: 1.0}),
        y=float(by_bucket.sum()),
        wy=_product(table, {weight: 1.0}, score),
        yy=max(_product(table, score, score), 0.0),
    )
    return data, np.broadcast_to(by_bucket, table["one"].shape)


@dataclass(frozen=True, slots=True)
class _Extremes:
    """Smallest and largest score of a row by its coverage (weight plus mass without support).

    Of w (r - share q) + share v - logged r, with what lies between the bounds in every place. It
    is linear in the mass without support on both sides of where the weight is ``logged``, and the
    extremes lie where that mass is smallest or largest.
    """

    known: Range
    share: float
    logged: float

    def smallest(self, coverage: float) -> float:
        known, share, span = self.known, self.share, self.known.span
        scores = []
        for weight, missing in self._splits(coverage):
            score = min(0.0, (weight - self.logged) * span)
            if share:
                score -= share * weight * (known.q_high - known.reward_low)
                score += share * (1.0 - missing) * (known.q_low - known.reward_low)
            scores.append(score)
        return min(scores)

    def largest(self, coverage: float) -> float:
        known, share, span = self.known, self.share, self.known.span
        scores = []
        for weight, missing in self._splits(coverage):
            score = max(0.0, (weight - self.logged) * span) + missing * span
            if share:
                score -= share * weight * (known.q_low - known.reward_low)
                score += share * (1.0 - missing) * (known.q_high - known.reward_low)
            scores.append(score)
        return max(scores)

    def _splits(self, coverage: float) -> tuple[tuple[float, float], ...]:
        missing = min(coverage, self.known.most_unsupported)
        return (coverage, 0.0), (coverage - missing, missing)


def combined(left: Combination, right: Combination) -> dict[str, float]:
    """The sum of two combinations."""
    names = dict.fromkeys((*left, *right))
    total = {name: left.get(name, 0.0) + right.get(name, 0.0) for name in names}
    return {name: factor for name, factor in total.items() if factor}


def _scaled(combination: Combination, factor: float) -> Combination:
    return {name: factor * each for name, each in combination.items()}
