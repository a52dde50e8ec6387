"""What every estimator is computed from: a few numbers per decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.errors import UserError

SUM_TOLERANCE = 1e-6
"""How far from 1 the probabilities of a decision may sum (float32 of VW: 5e-8 was measured)."""

THIN = 0.01
"""Below this logging probability, support is thin: one row stands for more than a hundred."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoggedArrays:
    """n logged decisions with m eligible actions, as arrays alone.

    Attributes
    ----------
    offsets
        int64[n + 1], the slice of the arrays of length m that is each decision's.
    chosen
        int64[n], position of the logged action among its decision's actions.
    reward
        float64[n], finite.
    propensity
        float64[n] in (0, 1], of the logged action.
    probability
        float64[m], of every eligible action under the logging policy, or None.
    q
        float64[m], predicted reward of every eligible action, or None.
    """

    offsets: IntArray
    chosen: IntArray
    reward: FloatArray
    propensity: FloatArray
    probability: FloatArray | None = None
    q: FloatArray | None = None

    @property
    def n(self) -> int:
        """Number of decisions."""
        return len(self.chosen)

    @property
    def chosen_action(self) -> IntArray:
        """int64[n], index of the logged action in the arrays of length m."""
        return self.offsets[:-1] + self.chosen

    def sum_by_decision(self, values: FloatArray, times: FloatArray | None = None) -> FloatArray:
        """float64[n], sums of ``values`` (float64[m]), each multiplied by ``times`` if given."""
        n, m = self.n, len(values)
        if not n:
            return np.zeros(0)
        width = int(self.offsets[1])
        if n * width == m and bool((np.diff(self.offsets) == width).all()):
            table = values.reshape(n, width)
            if times is None:
                return np.asarray(table @ np.ones(width))
            return np.asarray(np.einsum("nk,nk->n", table, times.reshape(n, width)))
        product = values if times is None else values * times
        return np.asarray(np.add.reduceat(product, self.offsets[:-1]))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Terms:
    """The terms of n decisions under one evaluation policy.

    Attributes
    ----------
    w
        float64[n], importance weight: evaluation probability of the logged action divided by its
        propensity; None for the logging policy, whose weights are all 1.
    r
        float64[n], reward.
    unsupported
        float64[n], evaluation probability of actions whose logging probability is 0; None where
        there is none, or the log does not say.
    thin
        float64[n], evaluation probability of actions whose logging probability is above 0 and
        below ``THIN``; None as above.
    v
        float64[n], the model's value of the evaluation policy: the sum of evaluation probability
        times predicted reward; None without a model.
    v_unsupported
        the part of ``v`` that stems from actions without support; None as above.
    q
        float64[n], predicted reward of the logged action; None without a model.
    largest_weight
        largest importance weight that any eligible action could have had; infinite where the log
        does not say.
    q_low, q_high
        smallest and largest predicted reward over all eligible actions; NaN without a model.
    """

    w: FloatArray | None
    r: FloatArray
    unsupported: FloatArray | None = None
    thin: FloatArray | None = None
    v: FloatArray | None = None
    v_unsupported: FloatArray | None = None
    q: FloatArray | None = None
    largest_weight: float
    q_low: float = np.nan
    q_high: float = np.nan


class BadProbabilities(Exception):
    """A policy broke its contract; says where and how, without the policy's name."""

    def __init__(self, decision: int | None, what: str) -> None:
        super().__init__(what)
        self.decision = decision

    def as_user_error(self, policy: str, decision_id: str | None) -> UserError:
        """The error for the user, who knows policies by name and decisions by id."""
        where = "" if decision_id is None else f" for decision {decision_id!r}"
        return UserError(
            f"policy {policy!r} gave impossible probabilities{where}: {self}. Expected one finite "
            "probability >= 0 per eligible action, summing to 1 within each decision"
        )


def check_probabilities(log: LoggedArrays, probabilities: FloatArray) -> FloatArray:
    """Sums of the probabilities by decision, after checking them.

    Returns
    -------
    float64[n]
        within ``SUM_TOLERANCE`` of 1; divide by it to have probabilities that sum to 1.

    Raises
    ------
    BadProbabilities
        If the length is wrong, or a value is not finite or negative, or a sum is not 1.
    """
    m = int(log.offsets[-1])
    if probabilities.shape != (m,):
        raise BadProbabilities(None, f"shape {probabilities.shape}, expected ({m},)")
    total = log.sum_by_decision(probabilities)
    sound = np.abs(total - 1.0) <= SUM_TOLERANCE
    # A sum of 1 rules out infinite values and NaN, not negative ones.
    if m and bool(sound.all()) and float(probabilities.min()) >= 0.0:
        return total
    wrong = np.flatnonzero(~(np.isfinite(probabilities) & (probabilities >= 0.0)))
    if len(wrong):
        decision = int(np.searchsorted(log.offsets, wrong[0], side="right")) - 1
        position = int(wrong[0] - log.offsets[decision])
        raise BadProbabilities(decision, f"{probabilities[wrong[0]]} for action {position}")
    unequal = np.flatnonzero(~sound)
    if len(unequal):
        decision = int(unequal[0])
        raise BadProbabilities(decision, f"they sum to {total[decision]:.9g}")
    return total


def terms_of(log: LoggedArrays, probabilities: FloatArray) -> Terms:
    """The terms of an evaluation policy.

    Parameters
    ----------
    log
        n decisions with m eligible actions.
    probabilities
        float64[m], the evaluation policy's; renormalised here.

    Raises
    ------
    BadProbabilities
        See :func:`check_probabilities`.
    """
    probabilities = np.ascontiguousarray(probabilities, np.float64)
    total = check_probabilities(log, probabilities)
    taken = log.chosen_action
    w = probabilities[taken] / total
    w /= log.propensity
    largest, lacking, thin = _support(log, probabilities, w)
    v = v_unsupported = q = None
    q_low = q_high = np.nan
    if log.q is not None:
        v = log.sum_by_decision(probabilities, log.q) / total
        q = log.q[taken]
        q_low, q_high = float(log.q.min(initial=np.inf)), float(log.q.max(initial=-np.inf))
        if lacking is not None:
            v_unsupported = log.sum_by_decision(lacking, log.q) / total
    return Terms(
        w=w,
        r=log.reward,
        unsupported=None if lacking is None else log.sum_by_decision(lacking) / total,
        thin=None if thin is None else log.sum_by_decision(thin) / total,
        v=v,
        v_unsupported=v_unsupported,
        q=q,
        largest_weight=largest,
        q_low=q_low,
        q_high=q_high,
    )


def logging_terms(log: LoggedArrays) -> Terms:
    """The terms of the logging policy itself: every weight is 1, exactly.

    Its value by the model is the sum of logging probability times prediction; where the log gives
    the propensity of the taken action alone, the prediction for that action.
    """
    if log.q is None:
        return Terms(w=None, r=log.reward, largest_weight=1.0)
    q = log.q[log.chosen_action]
    v = q
    if log.probability is not None:
        v = log.sum_by_decision(log.probability, log.q) / log.sum_by_decision(log.probability)
    return Terms(
        w=None,
        r=log.reward,
        v=v,
        q=q,
        largest_weight=1.0,
        q_low=float(log.q.min(initial=np.inf)),
        q_high=float(log.q.max(initial=-np.inf)),
    )


def _support(
    log: LoggedArrays, probabilities: FloatArray, w: FloatArray
) -> tuple[float, FloatArray | None, FloatArray | None]:
    """Largest possible weight; evaluation mass (float64[m]) without support and on thin support."""
    logging = log.probability
    if logging is None:
        return np.inf, None, None
    seen = float(w.max(initial=0.0))
    smallest = float(logging.min(initial=1.0))
    if smallest >= THIN:
        return max(seen, float((probabilities / logging).max(initial=0.0))), None, None
    lacking = logging <= 0.0
    # The logged action was taken, whatever the log says of its probability.
    lacking[log.chosen_action] = False
    ratio = np.divide(probabilities, logging, out=np.zeros_like(logging), where=logging > 0.0)
    without = probabilities * lacking
    thin = probabilities * (~lacking & (logging < THIN))
    return (
        max(seen, float(ratio.max(initial=0.0))),
        without if without.any() else None,
        thin if thin.any() else None,
    )
