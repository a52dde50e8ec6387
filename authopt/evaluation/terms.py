"""What every estimator is computed from: a few numbers per decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.evaluation.logged_arrays import LoggedArrays

SUM_TOLERANCE = 1e-6
"""How far from 1 the probabilities of a decision may sum (float32 of VW: 5e-8 was measured)."""

THIN = 0.01
"""Below this logging probability, support is thin: one row stands for more than a hundred."""


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
    w_embedded
        by name of an action feature: float64[n], evaluation probability of all actions that are
        like the logged one in it, divided by their logging probability (Saito & Joachims,
        'Off-Policy Evaluation for Large Action Spaces via Embeddings', ICML 2022).
        Empty where the log does not give the probabilities of all actions.
    stopping
        float64[n], the policy's probability of giving the payment up; None where it is not known.
    known
        what was computed from the terms already, for all who ask for it again.
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
    w_embedded: Mapping[str, FloatArray] = field(default_factory=dict)
    stopping: FloatArray | None = None
    known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)


def without_model(terms: Terms) -> Terms:
    """The terms as they would be had there been no reward model."""
    if terms.q is None and terms.v is None:
        return terms
    return replace(terms, v=None, v_unsupported=None, q=None, q_low=np.nan, q_high=np.nan)


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
        w_embedded=_embedded_weights(log, probabilities, total),
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


def _embedded_weights(
    log: LoggedArrays, probabilities: FloatArray, total: FloatArray
) -> dict[str, FloatArray]:
    if log.probability is None:
        return {}
    weights = {}
    for name, codes in log.embedding.items():
        alike = log.like_chosen(codes)
        logged = log.sum_by_decision(log.probability, alike)
        # The logged action was taken, whatever the log says of its probability.
        np.maximum(logged, log.propensity, out=logged)
        weights[name] = log.sum_by_decision(probabilities, alike) / (total * logged)
    return weights
