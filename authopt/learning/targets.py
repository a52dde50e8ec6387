"""Doubly robust scores of every eligible action, to be learned by regression.

    score(x, a) = q(x, a) + [a was taken] (r - q(x, a)) / p

q is a reward model that never saw the payment, p the propensity (Dudik, Erhan, Langford and Li,
"Doubly Robust Policy Evaluation and Optimization", Statistical Science 2014, section 3.1; with
cross-fitting: Athey and Wager, "Policy Learning With Observational Data", Econometrica 2021,
section 2). Its mean given the context is the expected reward, if q or p is right.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

from authopt.batch import DecisionBatch, FloatArray, IntArray, LoggedBatch, take_column

Targets: TypeAlias = Literal["observed", "dr", "pessimistic"]

LEAST_PROPENSITY = 0.05
"""A smaller propensity counts as this: a residual weighs at most 20 times."""


def action_targets(
    batch: LoggedBatch,
    reward: FloatArray,
    expected: FloatArray,
    least_propensity: float = LEAST_PROPENSITY,
) -> FloatArray:
    """Doubly robust scores of all eligible actions.

    Parameters
    ----------
    batch
        n decisions with m actions.
    reward
        float64[n], what the logged actions brought.
    expected
        float64[m], the reward model's predictions.
    least_propensity
        smaller propensities count as this, which biases scores towards the model.

    Returns
    -------
    float64[m]
        NaN at a logged action whose reward or propensity is not known.
    """
    score = expected.copy()
    at = batch.chosen_action
    score[at] += (reward - expected[at]) / np.maximum(batch.propensity, least_propensity)
    return score


def one_by_one(batch: DecisionBatch, actions: IntArray) -> LoggedBatch:
    """Chosen (decision, action) pairs as decisions of that one action, which was taken for sure.

    Parameters
    ----------
    batch
        n decisions with m actions.
    actions
        int64[k], indices of actions, 0 to m - 1.
    """
    decision = batch.decision_of_action[actions]
    k = len(actions)
    return LoggedBatch(
        decision_id=batch.decision_id.take(pa.array(decision)),
        payment_id=batch.payment_id.take(pa.array(decision)),
        attempt=batch.attempt[decision],
        decided_at=batch.decided_at[decision],
        context={name: take_column(column, decision) for name, column in batch.context.items()},
        routes=batch.routes,
        action_route=batch.action_route[actions],
        action_delay_s=batch.action_delay_s[actions],
        offsets=np.arange(k + 1, dtype=np.int64),
        action_features={
            name: take_column(column, actions) for name, column in batch.action_features.items()
        },
        chosen=np.zeros(k, np.int64),
        propensity=np.ones(k),
        reward=np.full(k, np.nan),
    )
