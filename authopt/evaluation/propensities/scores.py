"""What has mean 0 if, and only if, actions were drawn with the probabilities that were logged.

Given all that went before, the action A of a decision has the distribution p. So whatever function
g of context and action is chosen beforehand, g(A) - sum over a of p(a) g(a) has mean 0 and a
variance that p alone tells: no outcome, no model and no independence of the decisions is needed.
With g(a) = f(x) / p(a) these are the control variates of importance sampling (Bottou et al.,
'Counterfactual Reasoning and Learning Systems', JMLR 14, 2013, section 4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import SUM_TOLERANCE

GROUPS = tuple(f"group {number}" for number in range(1, 7))

SCORES = ("weight", "surprise", "top", *GROUPS)
"""
``weight``: of a policy that takes every supported action equally often, less 1.
``surprise``: log p(A) less its mean; negative where actions come that the log calls unlikely.
``top``: whether the likeliest action came, less its probability.
``group``: whether an action of a group came, less its probability. The groups are random halves of
the routes (of the positions, where routes are not known): two routes are in the same half of all
six with a chance of 1/64 only, so that a shift between them shows.
"""

UNBOUNDED = 2
"""How many of the scores, the first ones, can be larger than 1."""

EDGES = np.concatenate(
    [
        [0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4],
        [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.997, 0.999],
    ]
)
"""Inner edges of the bins of a probability, finer towards 0 and 1."""

BINS = len(EDGES) + 1

POSITIONS = 16
"""Of the eligible actions in their order; the last one stands for all that follow too."""

CDF_BINS = 16

_MOST_CELLS = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Of n decisions.

    Attributes
    ----------
    values, variance
        float64[scores, n], by :data:`SCORES`: the scores, and their variance given the context.
    largest
        float64[UNBOUNDED, n], their largest possible size; that of all others is 1.
    exact
        whether the mean is 0; else (only the propensity of the taken action is known) ``weight``
        has a mean of at most 0, its variance is its square, and the other scores are 0.
    """

    values: FloatArray
    variance: FloatArray
    largest: FloatArray
    exact: bool


def scores_of(log: LoggedArrays, groups: IntArray) -> Scores:
    """The scores of n decisions.

    Parameters
    ----------
    log
        n decisions with m actions.
    groups
        int64[m]: bit j says whether an action is in group j.
    """
    values, variance = np.zeros((len(SCORES), log.n)), np.zeros((len(SCORES), log.n))
    largest = np.zeros((UNBOUNDED, log.n))
    counts = np.diff(log.offsets).astype(np.float64)
    p = log.probability
    if p is None:
        values[0] = 1.0 / (counts * log.propensity) - 1.0
        variance[0] = values[0] ** 2
        largest[0] = np.abs(values[0])
        return Scores(values, variance, largest, exact=False)
    starts = log.offsets[:-1]
    positive = p > 0.0
    inverse, information = np.zeros(len(p)), np.zeros(len(p))
    np.divide(1.0, p, out=inverse, where=positive)
    np.log(p, out=information, where=positive)
    supported = np.maximum(log.sum_by_decision(positive.astype(np.float64)), 1.0)
    mean = log.sum_by_decision(p, information)
    top = np.maximum.reduceat(p, starts) if log.n else np.zeros(0)
    rarest = np.maximum.reduceat(inverse, starts) if log.n else np.zeros(0)
    # Of several likeliest actions the first one: it must be known which before the draw.
    first = np.full(log.n, -1, np.int64)
    at_top = np.flatnonzero(p == np.repeat(top, np.diff(log.offsets)))
    decision = np.repeat(np.arange(log.n), np.diff(log.offsets))[at_top]
    first[decision[::-1]] = at_top[::-1]
    values[0] = 1.0 / (supported * log.propensity) - 1.0
    variance[0] = log.sum_by_decision(inverse) / supported**2 - 1.0
    largest[0] = np.maximum(1.0, rarest / supported)
    values[1] = np.log(log.propensity) - mean
    variance[1] = log.sum_by_decision(p * information, information) - mean**2
    largest[1] = np.maximum(np.log(rarest) + mean, np.log(top) - mean)
    values[2] = (first == log.chosen_action) - top
    variance[2] = top * (1.0 - top)
    for bit in range(len(GROUPS)):
        inside = ((groups >> bit) & 1).astype(np.float64)
        mass = np.minimum(log.sum_by_decision(p, inside), 1.0)
        values[3 + bit] = inside[log.chosen_action] - mass
        variance[3 + bit] = mass * (1.0 - mass)
    return Scores(values, np.maximum(variance, 0.0), largest, exact=True)


def event_sums(log: LoggedArrays, kind: IntArray, kinds: int) -> FloatArray:
    """How often actions of each kind came, and how often they should have, by their probability.

    Parameters
    ----------
    log
        n decisions with m actions, with the probability of every action.
    kind
        int64[m] in ``range(kinds)``: route, delay or position. Actions of one kind count as one
        event, whose probability is the sum of theirs.

    Returns
    -------
    float64[kinds, BINS, 4]
        decisions, sum of the probability, events that came, and their variance.
    """
    p = log.probability
    assert p is not None
    total = np.zeros((kinds * BINS, 4))
    for rows, actions, offsets in _pieces(log, kinds):
        n = len(offsets) - 1
        decision = np.repeat(np.arange(n), np.diff(offsets))
        cell = decision * kinds + kind[actions]
        probability = np.minimum(np.bincount(cell, p[actions], n * kinds), 1.0)
        came = np.zeros(n * kinds)
        came[cell[offsets[:-1] + log.chosen[rows]]] = 1.0
        used = np.flatnonzero((probability > 0.0) | (came > 0.0))
        probability, came = probability[used], came[used]
        where = (used % kinds) * BINS + np.searchsorted(EDGES, probability, side="right")
        for place, values in enumerate(
            (None, probability, came, probability * (1.0 - probability))
        ):
            total[:, place] += np.bincount(where, values, kinds * BINS)
    return total.reshape(kinds, BINS, 4)


def _pieces(log: LoggedArrays, kinds: int) -> Iterator[tuple[slice, slice, IntArray]]:
    """Decisions, their actions, and offsets from 0: few enough for a table of all kinds."""
    step = max(1, _MOST_CELLS // max(kinds, 1))
    for start in range(0, log.n, step):
        stop = min(start + step, log.n)
        offsets = log.offsets[start : stop + 1]
        yield slice(start, stop), slice(int(offsets[0]), int(offsets[-1])), offsets - offsets[0]


def positions(log: LoggedArrays) -> IntArray:
    """int64[m], the place of each action among its decision's, up to ``POSITIONS`` - 1."""
    within = np.arange(int(log.offsets[-1])) - np.repeat(log.offsets[:-1], np.diff(log.offsets))
    return np.minimum(within, POSITIONS - 1)


def places_in_cdf(log: LoggedArrays) -> tuple[FloatArray, FloatArray]:
    """Where the drawn action lies between 0 and 1 when the probabilities are laid end to end.

    Returns
    -------
    float64[n], float64[n]
        where its stretch begins, and how long it is. A sound draw hits every point of [0, 1]
        equally often.
    """
    p = log.probability
    assert p is not None
    ends = np.cumsum(p)
    taken = log.chosen_action
    before = np.concatenate([np.zeros(1), ends])[log.offsets[:-1]]
    total = log.sum_by_decision(p)
    length = p[taken] / total
    return np.clip((ends[taken] - before) / total - length, 0.0, 1.0), length


def cdf_sums(log: LoggedArrays) -> FloatArray:
    """How evenly draws fall over [0, 1].

    A draw whose stretch of length p overlaps a bin by o counts there with o / p, the expectation
    over where in its stretch it fell; sound draws give every bin 1 / ``CDF_BINS`` on average.

    Returns
    -------
    float64[2, CDF_BINS]
        sums of the deviations from that and of their squares.
    """
    start, length = places_in_cdf(log)
    start, length = start[length > 0.0], length[length > 0.0]
    edges = np.arange(CDF_BINS + 1)[:, None] / CDF_BINS
    below = np.clip((edges - start) / length, 0.0, 1.0)
    deviation = np.diff(below, axis=0) - 1.0 / CDF_BINS
    return np.stack([deviation.sum(axis=1), (deviation**2).sum(axis=1)])


def draw_deviations(log: LoggedArrays) -> tuple[FloatArray, FloatArray]:
    """float64[n] each: the middle of the draw's stretch of [0, 1] less 1/2, and its variance."""
    p = log.probability
    assert p is not None
    start, length = places_in_cdf(log)
    ends = np.cumsum(p)
    before = np.concatenate([np.zeros(1), ends])[log.offsets[:-1]]
    total = log.sum_by_decision(p)
    counts = np.diff(log.offsets)
    middle = (ends - np.repeat(before, counts) - p / 2.0) / np.repeat(total, counts) - 0.5
    return start + length / 2.0 - 0.5, log.sum_by_decision(p * middle, middle) / total


@dataclass(frozen=True, slots=True)
class Listed:
    """Counts of rows whose probabilities contradict each other.

    Attributes
    ----------
    rows
        that were looked at.
    below, above
        in which the probabilities of the eligible actions sum to less, or more, than 1.
    total
        sum over the rows of those sums.
    differs
        in which the propensity is not the probability that the log gives the taken action.
    of_another
        of these, in which it is that of another eligible action.
    impossible
        in which the taken action has probability 0.
    """

    rows: int = 0
    below: int = 0
    above: int = 0
    total: float = 0.0
    differs: int = 0
    of_another: int = 0
    impossible: int = 0

    def __add__(self, other: Listed) -> Listed:
        return Listed(
            self.rows + other.rows,
            self.below + other.below,
            self.above + other.above,
            self.total + other.total,
            self.differs + other.differs,
            self.of_another + other.of_another,
            self.impossible + other.impossible,
        )


def listed_of(log: LoggedArrays) -> Listed:
    """What the listed probabilities of n decisions say without any statistics."""
    p = log.probability
    if p is None:
        return Listed()
    total = log.sum_by_decision(p)
    own = p[log.chosen_action]
    differs = np.abs(own - log.propensity) > SUM_TOLERANCE
    another = 0
    if differs.any():
        same = np.abs(p - np.repeat(log.propensity, np.diff(log.offsets))) <= SUM_TOLERANCE
        another = int((differs & (log.sum_by_decision(same.astype(np.float64)) > 0.0)).sum())
    return Listed(
        log.n,
        int((total < 1.0 - SUM_TOLERANCE).sum()),
        int((total > 1.0 + SUM_TOLERANCE).sum()),
        float(total.sum()),
        int(differs.sum()),
        another,
        int((own <= 0.0).sum()),
    )
