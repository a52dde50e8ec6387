"""Intervals from bucket sums alone: Cressie-Read, normal, jackknife, bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from authopt.batch import FloatArray
from authopt.evaluation.buckets import BucketTable

Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """``sign`` * sum(numerator) / sum(denominator), by names of columns."""

    numerator: str
    denominator: str
    sign: float = 1.0


Quantity = Sequence[Ratio]
"""A sum of ratios: a value is one ratio, a gain is a ratio less another of the same rows."""


def estimate(table: BucketTable, quantity: Quantity) -> float | None:
    """The quantity from the whole table; None where a denominator is 0."""
    total = 0.0
    for ratio in quantity:
        denominator = table.total(ratio.denominator)
        if denominator == 0.0:
            return None
        total += ratio.sign * table.total(ratio.numerator) / denominator
    return total


def occupied(table: BucketTable) -> BucketTable:
    """The table with only the buckets that hold decisions: float64[columns, G]."""
    return BucketTable(table.columns, table.sums[:, table["one"] > 0.0])


def normal(table: BucketTable, quantity: Quantity, confidence: float) -> Limits | None:
    """Delta method over buckets: robust to any dependence within a cluster.

    The variance is that of the linearised ratio (Cochran, 'Sampling Techniques', 1977, section
    6.3; Liang & Zeger 1986 for clusters), the quantile Student's with G - 1 degrees of freedom for
    G occupied buckets. None where that says nothing: one bucket, or no variation at all.
    """
    table = occupied(table)
    groups, value = table.sums.shape[1], estimate(table, quantity)
    if value is None or groups < 2:
        return None
    influence = np.zeros(groups)
    for ratio in quantity:
        numerator, denominator = table[ratio.numerator], table[ratio.denominator]
        share = numerator.sum() / denominator.sum()
        influence += ratio.sign * (numerator - share * denominator) / denominator.sum()
    variance = groups / (groups - 1) * float(influence @ influence)
    return _around(value, variance, groups, confidence)


def jackknife(table: BucketTable, quantity: Quantity, confidence: float) -> Limits | None:
    """Leave one bucket out (Efron & Tibshirani, 'An Introduction to the Bootstrap', 1993, ch. 11).

    None where a bucket holds all of a denominator, or there is no variation.
    """
    table = occupied(table)
    groups, value = table.sums.shape[1], estimate(table, quantity)
    without = leaving_out(table, quantity)
    if value is None or without is None:
        return None
    spread = without - without.mean()
    variance = (groups - 1) / groups * float(spread @ spread)
    return _around(value, variance, groups, confidence)


def leaving_out(table: BucketTable, quantity: Quantity) -> FloatArray | None:
    """float64[G], the quantity without each of the G buckets; None where one holds too much."""
    groups = table.sums.shape[1]
    if groups < 2:
        return None
    without = np.zeros(groups)
    for ratio in quantity:
        numerator, denominator = table[ratio.numerator], table[ratio.denominator]
        left = denominator.sum() - denominator
        if not (left > 1e-12 * denominator.sum()).all():
            return None
        without += ratio.sign * (numerator.sum() - numerator) / left
    return without


def _around(value: float, variance: float, groups: int, confidence: float) -> Limits | None:
    # Below this the variance is rounding of a constant.
    if not variance > (1e-14 * max(1.0, abs(value))) ** 2:
        return None
    half = float(stdtrit(groups - 1, 0.5 + confidence / 2)) * variance**0.5
    return value - half, value + half


def resample(tables: Sequence[BucketTable], replicates: int, seed: int) -> list[FloatArray]:
    """Bootstrap replicates of all column sums: buckets are drawn with replacement.

    The tables are of the same decisions, and the same buckets are drawn for all of them.

    Returns
    -------
    list of float64[replicates, columns], one per table
    """
    sums = np.concatenate([occupied(table).sums for table in tables])
    groups = sums.shape[1]
    rng = np.random.default_rng(seed)
    totals = np.zeros((replicates, len(sums)))
    step = 64
    for start in range(0, replicates if groups else 0, step):
        rows = min(step, replicates - start)
        drawn = rng.integers(0, groups, (rows, groups), np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * groups
        counts = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
        totals[start : start + rows] = counts @ sums.T
    ends = np.cumsum([len(table.columns) for table in tables])
    return np.split(totals, ends[:-1], axis=1)


def bootstrap(
    columns: Sequence[str], replicates: FloatArray, quantity: Quantity, confidence: float
) -> Limits | None:
    """Percentiles of the replicates (Efron 1979): float64[replicates, columns].

    None where a replicate has a denominator of 0 or all replicates are the same.
    """
    values = replicate_values(columns, replicates, quantity)
    if values is None:
        return None
    lower, upper = np.quantile(values, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(lower), float(upper)


def replicate_values(
    columns: Sequence[str], replicates: FloatArray, quantity: Quantity
) -> FloatArray | None:
    """float64[replicates], the quantity in each; None where that says nothing of its spread."""
    values = np.zeros(len(replicates))
    for ratio in quantity:
        numerator = replicates[:, columns.index(ratio.numerator)]
        denominator = replicates[:, columns.index(ratio.denominator)]
        if not (denominator > 0.0).all():
            return None
        values += ratio.sign * numerator / denominator
    if not len(values) or np.ptp(values) <= 1e-14 * max(1.0, float(np.abs(values).max())):
        return None
    return values


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over n rows of a weight w with mean 1, of a score y, and of their products."""

    n: float
    w: float
    ww: float
    y: float
    wy: float
    yy: float

    def tilted(self, slope: float, shift: float) -> Moments:
        """The moments of w and y - slope * w - shift."""
        wy = self.wy - slope * self.ww - shift * self.w
        y = self.y - slope * self.w - shift * self.n
        yy = self.yy - slope * (self.wy + wy) - shift * (self.y + y)
        return Moments(self.n, self.w, self.ww, y, wy, max(yy, 0.0))

    def mirrored(self) -> Moments:
        """The moments of w and -y."""
        return Moments(self.n, self.w, self.ww, -self.y, -self.wy, self.yy)


Extremes = Callable[[float], float]
"""Smallest score that a row of a given weight can have."""


def cressie_read_lower(
    data: Moments, w_low: float, w_high: float, smallest: Extremes, critical: float
) -> float | None:
    """Lower limit of E[y] under E[w] = 1, by Euclidean likelihood.

    Karampatziakis, Langford & Mineiro, 'Empirical Likelihood for Contextual Bandits' (NeurIPS
    2020), section 4, with the Cressie-Read divergence of order -2, for which the limit has a closed
    form. The rows get new weights that sum to 1, make the mean of w exactly 1 and stay close to
    uniform; the limit is the least mean of y among them. One further row, as adverse as a row can
    be, stands for what the sample has not shown: its w is the smallest or the largest possible.

    The closed form is that of a regression estimate: with bars for means over the n + 1 rows,
    y_bar + (1 - w_bar) S_wy / S_ww, less sqrt(S_{y|w} * (critical + g_min - g) / (n + 1)), where
    g = (n + 1) (1 - w_bar)^2 / S_ww is what it costs to bring the mean weight to 1.

    Parameters
    ----------
    data
        sums over the rows.
    w_low, w_high
        smallest and largest possible weight, ``w_low`` <= 1 <= ``w_high``; ``w_high`` may be
        infinite.
    smallest
        the least y for a weight; in the limit of an infinite weight its slope is taken.
    critical
        quantile of F(1, n), times the design effect where rows depend on each other.

    Returns
    -------
    float or None
        None where no adverse row is compatible with the data (then nothing is known).
    """
    n = data.n
    unconstrained = w_high if data.w < n else w_low
    least = _cost(data, unconstrained)
    candidates = []
    for w in dict.fromkeys((w_low, w_high)):
        limit = _limit(data, w, smallest, critical + least)
        if limit is not None:
            candidates.append(limit)
    return min(candidates) if candidates else None


def _cost(data: Moments, w: float) -> float:
    if not np.isfinite(w):
        return 1.0 + 1.0 / data.n
    size = data.n + 1.0
    mean = (data.w + w) / size
    spread = (data.ww + w * w) / size - mean * mean
    return size * (1.0 - mean) ** 2 / spread if spread > _tiny(data, w) else 0.0


def _tiny(data: Moments, w: float) -> float:
    return 1e-12 * (data.ww + w * w) / (data.n + 1.0)


def _limit(data: Moments, w: float, smallest: Extremes, budget: float) -> float | None:
    # Since the mean of w is 1, taking slope * w + shift off y moves the answer by slope + shift.
    # Chosen so that the adverse row has y = 0, it keeps a heavy weight from swamping the sums.
    if not np.isfinite(w):
        slope = smallest(1e6) - smallest(1e6 - 1.0)
        rest = data.tilted(slope, 0.0)
        spread = rest.yy / (rest.n + 1.0) - rest.y**2 / (rest.n * (rest.n + 1.0))
        slack = budget - (1.0 + 1.0 / rest.n)
        return slope + rest.y / rest.n - _root(spread, slack, rest.n)
    slope, shift = (smallest(w) / w, 0.0) if w >= 1.0 else (0.0, smallest(w))
    rest, size = data.tilted(slope, shift), data.n + 1.0
    w_mean, y_mean = (rest.w + w) / size, rest.y / size
    s_ww = (rest.ww + w * w) / size - w_mean**2
    s_wy = rest.wy / size - w_mean * y_mean
    s_yy = rest.yy / size - y_mean**2
    if s_ww <= _tiny(data, w):
        return slope + shift + y_mean - _root(s_yy, budget, rest.n)
    slack = budget - size * (1.0 - w_mean) ** 2 / s_ww
    if slack < 0.0:
        return None
    centre = slope + shift + y_mean + (1.0 - w_mean) * s_wy / s_ww
    return centre - _root(s_yy - s_wy**2 / s_ww, slack, rest.n)


def _root(spread: float, slack: float, n: float) -> float:
    return float(np.sqrt(max(spread, 0.0) * max(slack, 0.0) / (n + 1.0)))


def critical_value(confidence: float, freedom: float) -> float:
    """Upper quantile of F(1, ``freedom``), as the square of Student's."""
    return float(stdtrit(freedom, 0.5 + confidence / 2)) ** 2


def design_effect(
    data: Moments, w_by_bucket: FloatArray, y_by_bucket: FloatArray, n_by_bucket: FloatArray
) -> float:
    """How much larger the variance is than if rows were independent; at least 1.

    Ratio of the variance between buckets to that between rows, of the residual of y regressed on
    w: likelihood intervals of clustered rows are widened by it (Rao & Scott, 'The Analysis of
    Categorical Data from Complex Sample Surveys', JASA 76, 1981).
    """
    used = n_by_bucket > 0.0
    groups = int(used.sum())
    n = data.n
    if groups < 2:
        return 1.0
    w_mean, y_mean = data.w / n, data.y / n
    s_ww, s_wy = data.ww / n - w_mean**2, data.wy / n - w_mean * y_mean
    slope = s_wy / s_ww if s_ww > 1e-12 * data.ww / n else 0.0
    between = y_by_bucket[used] - y_mean * n_by_bucket[used]
    between = between - slope * (w_by_bucket[used] - w_mean * n_by_bucket[used])
    within = n * (data.yy / n - y_mean**2 - slope * s_wy)
    if within <= 1e-12 * data.yy:
        return 1.0
    return max(1.0, groups / (groups - 1) * float(between @ between) / within)
