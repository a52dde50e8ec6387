"""Multinomial choice among the actions that were eligible: the conditional logit.

P(a | x, E) = exp(s_a(x)) / sum over b in E of exp(s_b(x)), McFadden, "Conditional logit analysis of
qualitative choice behavior" (1974). A plain multinomial classifier whose probabilities are masked
afterwards estimates something else: an action that is eligible in a tenth of the decisions, and
taken half of the time when it is, would come out at a twentieth. Here the likelihood itself is
taken over the eligible set.

An action belongs to a class (its route and delay); the actions of a class share their weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceSets:
    """n decisions with m actions in CSR form, as the likelihood needs them.

    Attributes
    ----------
    offsets
        int64[n + 1], the slices of the actions.
    classes
        int64[m], the class of each action.
    possible
        bool[m]; actions that are not have probability 0. At least one per decision is.
    chosen
        int64[n], index of the taken action in the arrays of length m; it is possible.
    """

    offsets: IntArray
    classes: IntArray
    possible: BoolArray
    chosen: IntArray

    @property
    def decision(self) -> IntArray:
        """int64[m], the decision of each action."""
        return np.repeat(np.arange(len(self.chosen), dtype=np.int64), np.diff(self.offsets))

    def take(self, rows: BoolArray) -> ChoiceSets:
        """The decisions where ``rows`` (bool[n]) holds."""
        counts = np.diff(self.offsets)
        offsets = np.concatenate([[0], np.cumsum(counts[rows])]).astype(np.int64)
        actions = np.repeat(rows, counts)
        position = (self.chosen - self.offsets[:-1])[rows]
        return ChoiceSets(
            offsets, self.classes[actions], self.possible[actions], offsets[:-1] + position
        )


def log_softmax(scores: FloatArray, offsets: IntArray, possible: BoolArray) -> FloatArray:
    """float64[m]: log probabilities within each decision, -inf where not possible."""
    if len(offsets) == 1:
        return np.zeros(0)
    counts = np.diff(offsets)
    masked = np.where(possible, scores, -np.inf)
    shifted = masked - np.repeat(np.maximum.reduceat(masked, offsets[:-1]), counts)
    totals = np.add.reduceat(np.exp(shifted), offsets[:-1])
    return np.asarray(shifted - np.repeat(np.log(totals), counts))


def class_shares(sets: ChoiceSets, classes: int) -> FloatArray:
    """float64[classes]: how often a class was taken where it was eligible, kept off 0 and 1."""
    taken = np.bincount(sets.classes[sets.chosen], minlength=classes)
    offered = np.bincount(sets.classes, minlength=classes)
    return np.asarray((taken + 0.5) / (offered + 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceModel:
    """Scores per class, linear in the features.

    Attributes
    ----------
    intercept
        float64[classes].
    weights
        float64[features, classes].
    """

    intercept: FloatArray
    weights: FloatArray

    def log_probabilities(self, features: csr_matrix, sets: ChoiceSets) -> FloatArray:
        """float64[m]: log probability of every action."""
        by_class = features @ self.weights + self.intercept
        return log_softmax(by_class[sets.decision, sets.classes], sets.offsets, sets.possible)


def fit_choice_model(
    features: csr_matrix,
    sets: ChoiceSets,
    classes: int,
    ridge: float = 1.0,
    begin: ChoiceModel | None = None,
) -> ChoiceModel:
    """Most probable weights under a normal prior of variance 1 / ``ridge`` on every weight.

    Intercepts have a prior of variance 1 around the logarithm of the class's share, so that a class
    which the training rows never took keeps a small probability instead of none.

    Parameters
    ----------
    features
        sparse float64[n, features].
    sets
        n decisions with what was eligible and taken.
    classes
        number of classes.
    ridge
        strength of the prior, in pseudo-rows.
    begin
        where to begin the search, such as the model for a similar ``ridge``; the result is the same
        to the tolerance of the search.
    """
    width = features.shape[1]
    start = np.log(class_shares(sets, classes))
    decision = sets.decision
    cell = decision * classes + sets.classes
    transposed = features.T.tocsr()

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        weights = flat.reshape(width + 1, classes)
        by_class = features @ weights[1:] + (start + weights[0])
        value, residual = _likelihood(by_class.ravel()[cell], sets)
        cells = np.bincount(cell, residual, minlength=by_class.size).reshape(by_class.shape)
        gradient = np.vstack([cells.sum(axis=0), transposed @ cells])
        return value, gradient.ravel()

    penalty = np.full((width + 1, classes), ridge)
    penalty[0] = 1.0
    first = np.zeros((width + 1, classes))
    if begin is not None:
        first = np.vstack([begin.intercept - start, begin.weights])
    found = _minimise(loss, first.ravel(), penalty.ravel(), len(sets.chosen))
    weights = found.reshape(width + 1, classes)
    return ChoiceModel(start + weights[0], weights[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Vector scaling: new score = ``slope`` * log probability + ``shift`` of the class.

    Guo et al., "On calibration of modern neural networks" (2017), section 4.2, with one slope
    (temperature 1 / slope) for all classes.
    """

    slope: float
    shift: FloatArray

    def log_probabilities(self, log_probabilities: FloatArray, sets: ChoiceSets) -> FloatArray:
        """float64[m]: calibrated log probabilities."""
        finite = np.where(sets.possible, log_probabilities, 0.0)
        scores = self.slope * finite + self.shift[sets.classes]
        return log_softmax(scores, sets.offsets, sets.possible)


def fit_calibration(
    log_probabilities: FloatArray, sets: ChoiceSets, classes: int, ridge: float = 1.0
) -> Calibration:
    """Fit vector scaling on predictions for decisions that the model did not see.

    Parameters
    ----------
    log_probabilities
        float64[m], out-of-fold predictions.
    sets
        what was eligible and taken.
    ridge
        pull of log(slope) and of the shifts towards 0, which is no change.
    """
    finite = np.where(sets.possible, log_probabilities, 0.0)

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        slope = float(np.exp(flat[0]))
        value, residual = _likelihood(slope * finite + flat[1:][sets.classes], sets)
        by_class = np.bincount(sets.classes, residual, minlength=classes)
        return value, np.concatenate([[slope * float(residual @ finite)], by_class])

    penalty = np.full(classes + 1, ridge)
    found = _minimise(loss, np.zeros(classes + 1), penalty, len(sets.chosen))
    return Calibration(float(np.exp(found[0])), found[1:])


def _likelihood(scores: FloatArray, sets: ChoiceSets) -> tuple[float, FloatArray]:
    """Negative log likelihood and its derivative by the scores (float64[m])."""
    log_probability = log_softmax(scores, sets.offsets, sets.possible)
    residual = np.exp(log_probability)
    residual[sets.chosen] -= 1.0
    return -float(log_probability[sets.chosen].sum()), residual


def _minimise(
    loss: Callable[[FloatArray], tuple[float, FloatArray]],
    first: FloatArray,
    penalty: FloatArray,
    n: int,
) -> FloatArray:
    from scipy.optimize import minimize

    scale = max(n, 1)

    def penalised(flat: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = loss(flat)
        pull = penalty * flat
        return (value + float(pull @ flat) / 2) / scale, (gradient + pull) / scale

    # The tolerances are per decision; the noise of the log loss itself is of order 1 / n.
    found: Any = minimize(
        penalised,
        first,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-9, "gtol": 1e-6},
    )
    return np.asarray(found.x, np.float64)
