"""The costs that Vowpal Wabbit's models predict, and how to ask them about other features.

The only place that knows where the policies keep their models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, LoggedBatch
from authopt.explaining.vw_terms import Ask
from authopt.features.vw_features import VwFeatures
from authopt.policies.online.later_value import choice_of_time
from authopt.policies.online.policy import OnlineVw
from authopt.policies.vw import VwPolicy

ONE_REGRESSION = ("epsilon", "squarecb", "regcb", "softmax")
"""Explorers whose model predicts one cost for each action; the others let several vote."""


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
    if policy._workspace is None or policy._text is None or policy._features is None:
        return None
    scale = policy._cost_scale or 1.0
    return LinearModel(policy._workspace.costs, policy._features, policy._text.one, -scale)


def later_of_online(policy: OnlineVw, one: DecisionBatch) -> LinearModel | None:
    """The regression of what follows an attempt; None where it does not count."""
    later = policy._later
    if later is None or not choice_of_time(one).any():
        return None
    scale = policy._cost_scale or 1.0
    return LinearModel(later._workspace.costs, later.features, later._text.one, -scale)


def costs_of_online(policy: OnlineVw, batch: DecisionBatch) -> FloatArray | None:
    """float64[m], in units of the reward; giving up costs nothing, however much it is shunned."""
    if policy._workspace is None:
        return None
    cost = policy.costs(batch) * (policy._cost_scale or 1.0)
    return np.where(batch.is_stop, 0.0, cost)


def model_of_trained(policy: VwPolicy) -> LinearModel | None:
    """The regression of a trained model; None where several vote."""
    ask = _costs(policy)
    if ask is None:
        return None
    return LinearModel(
        ask,
        policy.manifest.features,
        lambda one: policy._text.one(one, _nameless(policy, one)),
        -(policy.manifest.cost_scale or 1.0),
    )


def costs_of_trained(policy: VwPolicy, batch: DecisionBatch) -> FloatArray | None:
    """float64[m], in units of the reward, NaN at routes of which nothing is known; None where
    several regressions vote."""
    ask = _costs(policy)
    if ask is None:
        return None
    plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
    nameless = _nameless(policy, batch)
    texts: list[str] = []
    for block in policy._text.blocks(plain, nameless=nameless):
        texts += block.to_pylist()
    cost = np.array(ask(texts), np.float64) * (policy.manifest.cost_scale or 1.0)
    known = np.ones(batch.m, np.bool_) if nameless is None else ~nameless
    return np.where(known | policy._text.described(batch), cost, np.nan)


def _nameless(policy: VwPolicy, batch: DecisionBatch) -> BoolArray | None:
    known = np.array([route in policy.manifest.routes for route in batch.routes], np.bool_)
    nameless = ~known[batch.action_route]
    return nameless if nameless.any() else None


def _costs(policy: VwPolicy) -> Ask | None:
    workspace = policy._workspace
    beneath = workspace._beneath
    if policy.manifest.explorer not in ONE_REGRESSION or beneath is None:
        return None
    parse, predict, finish = beneath

    def ask(texts: list[str]) -> list[float]:
        found: list[float] = []
        with workspace._lock:
            for text in texts:
                examples = parse(text)
                try:
                    predict(examples)
                    found += [each.get_partial_prediction() for each in examples[1:]]
                finally:
                    finish(examples)
        return found

    return ask
