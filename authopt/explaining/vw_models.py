"""The costs that Vowpal Wabbit's models predict, and how to ask them about other features.

The only place that knows where the policies keep their models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.explaining.vw_terms import Ask
from authopt.features.vw_features import VwFeatures
from authopt.policies.approval_by_vw import ONE_REGRESSION
from authopt.policies.online.later_value import choice_of_time
from authopt.policies.online.policy import OnlineVw
from authopt.policies.vw import VwPolicy


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear model, asked by text.

    Attributes
    ----------
    ask
        predicts a cost for every action.
    features
        its declaration.
    text
        an example of a batch of one decision.
    to_reward
        what a prediction is multiplied with, to be a reward.
    """

    ask: Ask
    features: VwFeatures
    text: Callable[[DecisionBatch], str]
    to_reward: float


def model_of_online(policy: OnlineVw) -> LinearModel | None:
    """The regression of the attempt's own reward; None as long as nothing was learned."""
    if policy.workspace is None or policy.text is None or policy.features is None:
        return None
    scale = policy.cost_scale or 1.0
    return LinearModel(policy.workspace.costs, policy.features, policy.text.one, -scale)


def later_of_online(policy: OnlineVw, one: DecisionBatch) -> LinearModel | None:
    """The regression of what follows an attempt; None where it does not count."""
    later = policy.later
    if later is None or not choice_of_time(one).any():
        return None
    scale = policy.cost_scale or 1.0
    return LinearModel(later.workspace.costs, later.features, later.text.one, -scale)


def costs_of_online(policy: OnlineVw, batch: DecisionBatch) -> FloatArray | None:
    """float64[m], in units of the reward; giving up costs nothing, however much it is shunned."""
    if policy.workspace is None:
        return None
    cost = policy.costs(batch) * (policy.cost_scale or 1.0)
    return np.where(batch.is_stop, 0.0, cost)


def model_of_trained(policy: VwPolicy) -> LinearModel | None:
    """The regression of a trained model; None where several vote."""
    ask = _costs(policy)
    if ask is None:
        return None
    return LinearModel(
        ask,
        policy.manifest.features,
        lambda one: policy.text.one(one, policy.nameless(one)),
        -(policy.manifest.cost_scale or 1.0),
    )


def costs_of_trained(policy: VwPolicy, batch: DecisionBatch) -> FloatArray | None:
    """float64[m], in units of the reward, NaN at routes of which nothing is known; None where
    several regressions vote."""
    ask = _costs(policy)
    if ask is None:
        return None
    plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
    nameless = policy.nameless(batch)
    texts: list[str] = []
    for block in policy.text.blocks(plain, nameless=nameless):
        texts += block.to_pylist()
    cost = np.array(ask(texts), np.float64) * (policy.manifest.cost_scale or 1.0)
    known = np.ones(batch.m, np.bool_) if nameless is None else ~nameless
    return np.where(known | policy.text.described(batch), cost, np.nan)


def _costs(policy: VwPolicy) -> Ask | None:
    one = policy.manifest.explorer in ONE_REGRESSION
    return policy.workspace.costs if one and policy.workspace.tells_costs else None
