"""What features add to the scores of one decision's actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, LoggedBatch
from authopt.explaining.scores import scheduled
from authopt.explaining.shapley import shapley, told
from authopt.explaining.vw_models import (
    LinearModel,
    costs_of_online,
    later_of_online,
    model_of_online,
    model_of_trained,
)
from authopt.explaining.vw_terms import linear_terms
from authopt.policies.best_time import BestTime
from authopt.policies.expected_money import ExpectedMoney, reward_if
from authopt.policies.guard import Guarded
from authopt.policies.mixed import Mixed
from authopt.policies.online.policy import OnlineVw
from authopt.policies.schedule import Schedule
from authopt.policies.spibb import Spibb
from authopt.policies.vw import VwPolicy

LINEAR = "the model's own weights: its scores are sums of them"
SHAPLEY = (
    "columns told to the model one after the other, on average over orders (Shapley values); they "
    "sum to the score"
)
NOTHING_TOLD = "route and delay, where nothing of the payment is told"
LATER = "what follows: "
IF_NEEDED = "what follows: only if the attempt does not end it"


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Parts of scores.

    Attributes
    ----------
    method
        how they were found, in words.
    adds_up
        whether the parts of an action sum to its score.
    parts
        float64[m] each, by feature.
    """

    method: str
    adds_up: bool
    parts: dict[str, FloatArray]


@singledispatch
def contributions(policy: object, one: DecisionBatch) -> Contributions | None:
    """The parts of the scores of :func:`authopt.explaining.scores.scores`.

    Parameters
    ----------
    policy
        any; None is returned for one that is not known here, or whose scores have no parts.
    one
        a batch of one decision.
    """
    return None


@contributions.register(Mixed)
@contributions.register(Guarded)
def _(policy: Mixed | Guarded, one: DecisionBatch) -> Contributions | None:
    return contributions(policy.policy, one)


@contributions.register
def _(policy: Spibb, one: DecisionBatch) -> Contributions | None:
    return contributions(policy.candidate, one)


@contributions.register
def _(policy: Schedule, one: DecisionBatch) -> Contributions | None:
    keep = scheduled(policy, one)
    found = contributions(policy.policy, _plain(one).keep_actions(keep))
    if found is None:
        return None
    parts = {name: np.full(one.m, np.nan) for name in found.parts}
    for name, values in found.parts.items():
        parts[name][keep] = values
    return replace(found, parts=parts)


@contributions.register
def _(policy: OnlineVw, one: DecisionBatch) -> Contributions | None:
    model = model_of_online(policy)
    if model is None:
        return None
    parts = _linear(model, one)
    later = later_of_online(policy, one)
    cost = costs_of_online(policy, one)
    if later is not None and cost is not None:
        following = _linear(later, one)
        counted = -cost - _total(parts)
        share = _share(counted, _total(following), ~one.is_stop)
        parts |= {LATER + name: share * values for name, values in following.items()}
        parts[IF_NEEDED] = counted - share * _total(following)
    return Contributions(
        LINEAR, True, {name: np.where(one.is_stop, 0.0, each) for name, each in parts.items()}
    )


def _total(parts: Mapping[str, FloatArray]) -> FloatArray:
    return np.asarray(np.sum(list(parts.values()), axis=0))


def _share(counted: FloatArray, following: FloatArray, where: BoolArray) -> float:
    """How much of what follows counts on average: the likelier an attempt is to end the payment,
    the less. With the same share for all actions, what is the payment's alone cancels out."""
    total = float(following[where].sum())
    return float(counted[where].sum()) / total if total > 0.0 else 1.0


@contributions.register
def _(policy: VwPolicy, one: DecisionBatch) -> Contributions | None:
    model = model_of_trained(policy)
    return None if model is None else Contributions(LINEAR, True, _linear(model, one))


@contributions.register
def _(policy: BestTime, one: DecisionBatch) -> Contributions | None:
    return _told(one, *shapley(_plain(one), policy.approval))


@contributions.register
def _(policy: ExpectedMoney, one: DecisionBatch) -> Contributions | None:
    # What an approval is worth needs the amount, so columns are left untold of its chance alone.
    declined = reward_if(policy.reward, one, False)
    gained = reward_if(policy.reward, one, True) - declined
    base, parts = shapley(_plain(one), policy.approval)
    found = {name: values * gained for name, values in parts.items()}
    return _told(one, base * gained + declined, found)


def _linear(model: LinearModel, one: DecisionBatch) -> dict[str, FloatArray]:
    terms = linear_terms(model.ask, model.text(_plain(one)), model.features)
    names = dict.fromkeys(name for each in terms for name in each)
    return {
        name: np.array([each.get(name, 0.0) for each in terms]) * model.to_reward for name in names
    }


def _told(one: DecisionBatch, base: FloatArray, parts: Mapping[str, FloatArray]) -> Contributions:
    said = {f"{name} {told(one, name)}": values for name, values in parts.items()}
    return Contributions(SHAPLEY, True, {NOTHING_TOLD: base, **said})


def _plain(batch: DecisionBatch) -> DecisionBatch:
    return batch.decisions() if isinstance(batch, LoggedBatch) else batch
