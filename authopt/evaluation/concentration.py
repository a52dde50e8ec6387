"""Intervals that hold at every sample size, from the mean, the variance and the range of a score.

The range is that of all scores that a row could have, from the largest weight that is possible
(declared, or over all eligible actions of the decisions seen): the range of the weights that were
drawn would give no guarantee. What is guaranteed depends on the clusters. If every row is one of
its own, the limits hold at the stated confidence whatever the number of rows and the distribution,
as long as no weight can be larger. If rows share clusters, the bound is that for as many
independent units as the clusters amount to (:func:`units_of`), which is exact only where the sizes
of clusters do not depend on what came of them; so these intervals are then asymptotic ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from authopt.evaluation.buckets import BUCKETS, BucketTable
from authopt.evaluation.intervals import Limits
from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.scores import (
    Combination,
    Range,
    Score,
    combined,
    gain_score,
    moments_of,
    value_score,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Independent units of a score with known bounds.

    Attributes
    ----------
    units
        how many; at least 1.
    mean, variance
        of the units, the variance without bias.
    low, high
        smallest and largest score that a unit can have.
    two_valued
        whether every unit can only be at one of the bounds; taken to be so where all are.
    """

    units: float
    mean: float
    variance: float
    low: float
    high: float
    two_valued: bool = False


def hoeffding(sample: Sample, tail: float) -> Limits:
    """Limits that the mean leaves with a probability of at most ``tail`` on either side.

    Hoeffding, 'Probability Inequalities for Sums of Bounded Random Variables', JASA 58, 1963,
    theorem 2.
    """
    half = (sample.high - sample.low) * float(np.sqrt(-np.log(tail) / (2.0 * sample.units)))
    return sample.mean - half, sample.mean + half


def empirical_bernstein(sample: Sample, tail: float) -> Limits:
    """The same from the sample's variance, which few heavy scores leave small.

    Maurer & Pontil, 'Empirical Bernstein Bounds and Sample-Variance Penalization', COLT 2009,
    theorem 4 (which is one-sided).
    """
    if sample.units <= 1.0:
        return -np.inf, np.inf
    log = float(np.log(2.0 / tail))
    half = float(np.sqrt(2.0 * sample.variance * log / sample.units))
    half += 7.0 * (sample.high - sample.low) * log / (3.0 * (sample.units - 1.0))
    return sample.mean - half, sample.mean + half


def clopper_pearson(sample: Sample, tail: float) -> Limits:
    """The same from the tail of the binomial distribution with the same mean.

    Clopper & Pearson, Biometrika 26, 1934, for scores of two values. For scores between the bounds
    the tail of the sum is at most e times the binomial one (Bentkus, 'On Hoeffding's inequalities',
    Annals of Probability 32, 2004; in this form, with the sum rounded to whole successes, Bates et
    al., 'Distribution-Free, Risk-Controlling Prediction Sets', JACM 68, 2021, section 3.1), so
    that the limits are those of a confidence that is higher by this factor.
    """
    span = sample.high - sample.low
    units = int(sample.units)
    if not np.isfinite(span) or span <= 0.0 or units < 1:
        return -np.inf, np.inf
    share = min(max((sample.mean - sample.low) / span, 0.0), 1.0)
    level = tail if sample.two_valued else tail / np.e
    # A sum of two-valued scores is whole but for rounding.
    fewest, most = np.floor(units * share + 1e-6), np.ceil(units * share - 1e-6)
    lower = betaincinv(fewest, units - fewest + 1.0, level) if fewest > 0 else 0.0
    upper = betaincinv(most + 1.0, units - most, 1.0 - level) if most < units else 1.0
    return sample.low + span * float(lower), sample.low + span * float(upper)


Bound = Callable[[Sample, float], Limits]

METHODS: Mapping[str, Bound] = {
    "empirical-bernstein": empirical_bernstein,
    "hoeffding": hoeffding,
    "clopper-pearson": clopper_pearson,
}
"""By the name that intervals have."""


def value_intervals(
    table: BucketTable, score: str, known: Range, confidence: float, *, independent: bool
) -> tuple[Interval, ...]:
    """Intervals of the value, one per method.

    Parameters
    ----------
    table
        bucket sums.
    score
        column that the value's estimate rests on. The limits are those of ``r`` or ``wr``: a score
        with a model in it that was fitted to the same log has no range and no independence that
        could be known beforehand, so ``dr_supported`` is given the limits of ``wr``.
    known
        what is known beforehand of the rows.
    confidence
        nominal coverage.
    independent
        whether every row is a cluster of its own.
    """
    bounds = (known.reward_low, known.reward_high)
    found = value_score(table, _without_model(score), known)
    return _intervals(table, found, known.reward_low, bounds, known, confidence, independent)


def gain_intervals(
    table: BucketTable, score: str, known: Range, confidence: float, *, independent: bool
) -> tuple[Interval, ...]:
    """Intervals of the value less the mean logged reward; arguments as above."""
    bounds = (-known.span, known.span)
    found = gain_score(table, _without_model(score), known)
    return _intervals(table, found, 0.0, bounds, known, confidence, independent)


def _without_model(score: str) -> str:
    return "wr" if score == "dr_supported" else score


def _intervals(
    table: BucketTable,
    score: Score,
    offset: float,
    bounds: Limits,
    known: Range,
    confidence: float,
    independent: bool,
) -> tuple[Interval, ...]:
    units = table.total("one") if independent else units_of(table, known.clusters)
    forms = (0.0, known.span) if score.weight == "coverage" else (0.0,)
    tail = (1.0 - confidence) / 2.0 / len(forms)
    worst = [_sample(table, score, score.worst, known, units, form) for form in forms]
    best = [_sample(table, score, score.best, known, units, form) for form in forms]
    guarantee = Guarantee.COVERS if independent else Guarantee.ASYMPTOTIC
    found = []
    for method, bound in METHODS.items():
        lower = offset + max(bound(sample, tail)[0] for sample in worst)
        upper = offset + min(bound(sample, tail)[1] for sample in best)
        lower, upper = max(lower, bounds[0]), min(upper, bounds[1])
        if not lower <= upper:
            # The two forms contradict each other: the mean weight is not 1. Nothing is known.
            lower, upper = bounds
        found.append(Interval(method, lower, upper, confidence, guarantee))
    return tuple(found)


def _sample(
    table: BucketTable,
    score: Score,
    combination: Combination,
    known: Range,
    units: float,
    form: float,
) -> Sample:
    """The score less ``form`` times what its weight exceeds 1 by, which has the same mean.

    With a form of 0 that is the reward where the weight is large, with the reward's span it is the
    shortfall from the largest reward: of approvals, which are frequent, the second varies less.
    Which of the two is shorter may be chosen after the fact, as each has half of the error.
    """
    combination = combined(combination, {score.weight: -form, "one": form})
    data, by_bucket = moments_of(table, score.weight, combination)
    low, high = _range(score, known, form)
    mean = data.y / data.n
    variance = max(data.yy / data.n - mean * mean, 0.0) * data.n / max(data.n - 1.0, 1.0)
    two_valued = False
    if units < data.n:
        used = table["one"] > 0.0
        between = by_bucket[used] - mean * table["one"][used]
        groups = len(between)
        clustered = groups / max(groups - 1, 1) * float(between @ between) / data.n**2
        variance = units * max(variance / data.n, clustered)
    elif np.isfinite(high - low):
        inside = (high + low) * data.y - data.yy - high * low * data.n
        two_valued = inside <= 1e-9 * data.n * (high - low) ** 2
    return Sample(units, mean, variance, low, high, two_valued)


def _range(score: Score, known: Range, form: float) -> Limits:
    """Extremes over all weights: piecewise linear, with corners at these."""
    high, missing = known.largest_coverage, known.most_unsupported
    if score.weight == "one":
        return score.smallest(1.0), score.largest(1.0)
    if not np.isfinite(high):
        return -np.inf, np.inf
    corners = [each for each in (0.0, missing, 1.0, 1.0 + missing, high) if each <= high]
    smallest = min(score.smallest(each) - form * (each - 1.0) for each in corners)
    largest = max(score.largest(each) - form * (each - 1.0) for each in corners)
    return smallest, largest


def units_of(table: BucketTable, clusters: int) -> float:
    """Number of independent units that clusters of unequal sizes amount to.

    n^2 / sum of squared sizes (Kish, 'Survey Sampling', 1965, section 5.4), as if all rows of a
    cluster were alike; it is never above the number of clusters. The sum of squares follows from
    the rows by bucket: clusters fall into buckets at random, so its expectation is
    (sum of n_b^2 - n^2 / B) / (1 - 1 / B) for B buckets.
    """
    sizes = table["one"]
    rows = float(sizes.sum())
    squares = (float(sizes @ sizes) - rows * rows / BUCKETS) / (1.0 - 1.0 / BUCKETS)
    least = rows * rows / max(min(clusters, rows), 1.0)
    return rows * rows / min(max(squares, least), rows * rows)
