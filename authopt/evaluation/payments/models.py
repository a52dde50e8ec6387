"""Two models of a payment's course, fitted on the log itself: values to come, and states.

Both are sums over rows that merge, and are solved by recursion from the last step to the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.buckets import UIntArray
from authopt.evaluation.payments.paths import HEAVIEST, Paths
from authopt.hashing import salted

FOLDS = 5
STEPS = 16
"""Steps that are told apart; a payment's decisions beyond share the last."""

PRIOR_ROWS = 10.0
"""How many rows the prior of a step's coefficients weighs: the reward model as it stands."""


def step_of(paths: Paths) -> IntArray:
    """int64[n], the step of each row, those from ``STEPS`` on as one."""
    return np.minimum(paths.step, STEPS - 1)


def _fold(paths: Paths) -> IntArray:
    hashes = salted(paths.rows["payment"], "payment-fold")
    return ((hashes >> np.uint64(32)) % np.uint64(FOLDS)).astype(np.int64)


@dataclass(slots=True, eq=False)
class ToGoSums:
    """Normal equations of the values to come, by fold of payments and step.

    Attributes
    ----------
    squares
        float64[FOLDS, STEPS, 2, 2], of the features (attempt made, predicted reward).
    products
        float64[FOLDS, STEPS, 2, 3], of the features with the reward and with the two expected
        features of the decision that followed.
    """

    squares: FloatArray = field(default_factory=lambda: np.zeros((FOLDS, STEPS, 2, 2)))
    products: FloatArray = field(default_factory=lambda: np.zeros((FOLDS, STEPS, 2, 3)))

    def add(self, paths: Paths) -> None:
        """Add payments; predictions must be there."""
        features, expected = _features(paths)
        targets = np.zeros((3, len(paths.rows)))
        targets[0] = paths.rows["r"]
        goes_on = np.flatnonzero(paths.follows)
        targets[1:, goes_on] = expected[:, goes_on + 1]
        cell = _fold(paths) * STEPS + step_of(paths)
        for i, feature in enumerate(features):
            for j, other in enumerate(features):
                self.squares[:, :, i, j] += _by_cell(cell, feature * other)
            for j, target in enumerate(targets):
                self.products[:, :, i, j] += _by_cell(cell, feature * target)

    def solve(self) -> ToGo:
        """The coefficients, each fold's from the payments of the other folds."""
        squares = self.squares.sum(axis=0) - self.squares
        products = self.products.sum(axis=0) - self.products
        coefficients = np.tile([0.0, 1.0], (FOLDS, STEPS + 1, 1))
        for step in reversed(range(STEPS)):
            left = squares[:, step] + _prior(squares[:, step])
            right = products[:, step, :, 0] + _prior(squares[:, step]) @ [0.0, 1.0]
            following = coefficients[:, step + 1]
            right += np.einsum("kij,kj->ki", products[:, step, :, 1:], following)
            coefficients[:, step] = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        return ToGo(coefficients[:, :STEPS])


@dataclass(frozen=True, slots=True, eq=False)
class ToGo:
    """Value to come of the evaluation policy: a step's a * (attempt made) + b * (prediction).

    The reward model predicts what an attempt earns itself. What comes after it if it fails is
    fitted by least squares, step by step from the last to the first, on the next decision's value
    under the *evaluation* policy: fitted Q evaluation (Le, Voloshin & Yue, 'Batch Policy Learning
    under Constraints', ICML 2019, section 4) with two coefficients per step. Giving up is worth 0.
    A payment's coefficients come from other payments alone, so the doubly robust estimators are
    unbiased whatever these values are; the better they are, the less the estimates vary. (The
    predictions of those other payments may have learnt from it, where the reward model is
    cross-fitted: two coefficients fitted on thousands of rows carry next to nothing of that.)

    Attributes
    ----------
    coefficients
        float64[FOLDS, STEPS, 2].
    """

    coefficients: FloatArray

    def values(self, paths: Paths) -> tuple[FloatArray, FloatArray]:
        """Q of the logged action and V of the evaluation policy, at each row: float64[n] each."""
        features, expected = _features(paths)
        each = self.coefficients[_fold(paths), step_of(paths)]
        return (
            np.einsum("ni,in->n", each, features),
            np.einsum("ni,in->n", each, expected),
        )


def _features(paths: Paths) -> tuple[FloatArray, FloatArray]:
    """Features of the logged actions, and their expectation under the policy: float64[2, n]."""
    rows = paths.rows
    known = ~np.isnan(rows["stopping"])
    # Where it is not known how likely the policy gives up, giving up is an attempt like any other.
    made = np.where(known, rows["made"], 1.0)
    goes_on = np.where(known, 1.0 - rows["stopping"], 1.0)
    return np.stack([made, rows["q"]]), np.stack([goes_on, rows["v"]])


def _by_cell(cell: IntArray, values: FloatArray) -> FloatArray:
    return np.asarray(np.bincount(cell, values, FOLDS * STEPS), np.float64).reshape(FOLDS, STEPS)


def _prior(squares: FloatArray) -> FloatArray:
    """float64[FOLDS, 2, 2]: as many rows as ``PRIOR_ROWS`` in which the features are unrelated."""
    prior = np.zeros((FOLDS, 2, 2))
    rows = np.maximum(squares[:, 0, 0], 1.0)
    prior[:, 0, 0] = PRIOR_ROWS
    prior[:, 1, 1] = PRIOR_ROWS * squares[:, 1, 1] / rows + 1e-9
    return prior


@dataclass(slots=True, eq=False)
class StateSums:
    """Visits of states at each step, and moves between them.

    Attributes
    ----------
    visits
        by step and state: rows, and sum of w r.
    moves
        by step, state and next state: sum of w.
    """

    visits: list[Grouped] = field(default_factory=list)
    moves: list[Grouped] = field(default_factory=list)

    def add(self, paths: Paths) -> None:
        """Add payments."""
        rows, state = paths.rows, _states(paths)
        step, w = paths.step.astype(np.uint64), rows["w"]
        self.visits.append(_grouped([step, state], [np.ones(len(rows)), w * rows["r"]]))
        on = np.flatnonzero(paths.follows)
        self.moves.append(_grouped([step[on], state[on], state[on + 1]], [w[on]]))

    def solve(self) -> StateValues:
        """Value of the evaluation policy in every state, and how much likelier it gets there."""
        (step, state), (rows, earned) = _together(self.visits)
        (moved, origin, target), (weight,) = _together(self.moves)
        order = np.argsort(state)
        here, there = (order[np.searchsorted(state[order], each)] for each in (origin, target))
        size, longest = len(state), int(step.max(initial=0)) + 1
        value = earned / rows
        chance = weight / rows[here]
        share = np.where(step == 0, rows, 0.0)
        ends = np.searchsorted(moved, np.arange(longest + 1))
        spans = [slice(*pair) for pair in pairwise(ends.tolist())]
        for some in reversed(spans):
            value += np.bincount(here[some], chance[some] * value[there[some]], size)
            np.clip(value, -HEAVIEST, HEAVIEST, out=value)
        for some in spans:
            share += np.bincount(there[some], chance[some] * share[here[some]], size)
            np.minimum(share, HEAVIEST, out=share)
        return StateValues(state[order], value[order], (share / rows)[order])


@dataclass(frozen=True, slots=True, eq=False)
class StateValues:
    """What the marginalised estimator rests on.

    Attributes
    ----------
    state
        uint64[S], hash of step and state, in order.
    value
        float64[S], value to come of the evaluation policy.
    ratio
        float64[S], share of the evaluation policy's payments that get there, divided by the share
        of the log's.
    """

    state: UIntArray
    value: FloatArray
    ratio: FloatArray

    def scores(self, paths: Paths) -> FloatArray:
        """float64[P], a score per payment whose mean is the estimate.

        The estimate (Xie, Ma & Wang, NeurIPS 2019, section 3) is the sum over steps and states of
        the ratio times the mean of w r. This score is the estimate's influence function: the value
        of the first state, and for every step ratio * (w (r + value of the next state) - value).
        Its mean is the same number, and its spread tells the estimate's, errors of the ratios
        included.
        """
        rows = paths.rows
        place = np.searchsorted(self.state, _states(paths))
        value, ratio = self.value[place], self.ratio[place]
        following = np.zeros(len(rows))
        on = np.flatnonzero(paths.follows)
        following[on] = value[on + 1]
        error = ratio * (rows["w"] * (rows["r"] + following) - value)
        return paths.total(error) + value[paths.start]


Grouped = tuple[list[UIntArray], list[FloatArray]]
"""Distinct keys, in order, and sums of values by key."""


def _states(paths: Paths) -> UIntArray:
    return salted(paths.rows["state"] ^ salted(paths.step.astype(np.uint64), "step"), "state")


def _together(parts: list[Grouped]) -> Grouped:
    keys = [np.concatenate(each) for each in zip(*(keys for keys, _ in parts), strict=True)]
    sums = [np.concatenate(each) for each in zip(*(sums for _, sums in parts), strict=True)]
    return _grouped(keys, sums)


def _grouped(keys: list[UIntArray], values: list[FloatArray]) -> Grouped:
    order = np.lexsort(keys[::-1])
    keys = [each[order] for each in keys]
    new = np.zeros(len(order), np.bool_)
    new[:1] = True
    for each in keys:
        new[1:] |= each[1:] != each[:-1]
    start = np.flatnonzero(new)
    if not len(start):
        return keys, [each[order] for each in values]
    return [each[start] for each in keys], [np.add.reduceat(v[order], start) for v in values]
