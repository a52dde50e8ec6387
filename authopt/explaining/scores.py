"""What a policy thinks that every action is worth, where it thinks in such terms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, LoggedBatch
from authopt.explaining.evidence import mean_of
from authopt.explaining.vw_models import costs_of_online, costs_of_trained
from authopt.policies.bandits.hierarchical import HierarchicalThompson
from authopt.policies.bandits.thompson import Thompson
from authopt.policies.bandits.ucb import Ucb
from authopt.policies.best_route import BestRoute
from authopt.policies.best_time import BestTime
from authopt.policies.expected_money import ExpectedMoney
from authopt.policies.guard import Guarded
from authopt.policies.lowest_cost import LowestCost
from authopt.policies.mixed import Mixed
from authopt.policies.online.policy import OnlineVw
from authopt.policies.schedule import Schedule
from authopt.policies.spibb import Spibb
from authopt.policies.success_rate import SuccessRate
from authopt.policies.success_rate_elimination import SuccessRateElimination
from authopt.policies.timetable import on_time
from authopt.policies.vw import VwPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of actions; the higher, the better.

    Attributes
    ----------
    meaning
        what they are, in words.
    values
        float64[m]; NaN where the policy says nothing of an action.
    is_reward
        whether they are rewards that the policy expects, so that their mean over what it does
        means something.
    """

    meaning: str
    values: FloatArray
    is_reward: bool = True


@singledispatch
def scores(policy: object, batch: DecisionBatch) -> Scores | None:
    """The scores behind a policy's choice.

    Parameters
    ----------
    policy
        any; None is returned for one that is not known here, or that has no scores.
    batch
        n decisions with m actions.
    """
    return None


@scores.register(Mixed)
@scores.register(Guarded)
def _(policy: Mixed | Guarded, batch: DecisionBatch) -> Scores | None:
    return scores(policy.policy, batch)


@scores.register
def _(policy: Spibb, batch: DecisionBatch) -> Scores | None:
    return scores(policy.candidate, batch)


@scores.register
def _(policy: Schedule, batch: DecisionBatch) -> Scores | None:
    keep = scheduled(policy, batch)
    plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
    found = scores(policy.policy, plain.keep_actions(keep))
    if found is None:
        return None
    values = np.full(batch.m, np.nan)
    values[keep] = found.values
    return Scores(found.meaning, values, found.is_reward)


def scheduled(policy: Schedule, batch: DecisionBatch) -> BoolArray:
    """bool[m], the actions that a schedule leaves to its policy."""
    plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
    first = np.repeat(batch.attempt <= 1, batch.counts)
    return np.asarray(first | on_time(plain, policy.timetable))


@scores.register
def _(policy: OnlineVw, batch: DecisionBatch) -> Scores | None:
    cost = costs_of_online(policy, batch)
    if cost is None:
        return None
    later = " and what follows" if policy.plan and policy.later is not None else ""
    return Scores(f"expected reward{later}", 0.0 - cost)


@scores.register
def _(policy: VwPolicy, batch: DecisionBatch) -> Scores | None:
    cost = costs_of_trained(policy, batch)
    if cost is None:
        return None
    later = " and of later attempts" if policy.manifest.reward_to_go else ""
    return Scores(f"expected reward of the attempt{later}", 0.0 - cost)


@scores.register
def _(policy: BestTime, batch: DecisionBatch) -> Scores | None:
    return Scores("expected chance of approval", policy.approval(batch))


@scores.register
def _(policy: ExpectedMoney, batch: DecisionBatch) -> Scores | None:
    return Scores("expected money, minor units of its currency", policy.expected(batch))


@scores.register
def _(policy: SuccessRate, batch: DecisionBatch) -> Scores | None:
    return Scores("success rate", np.where(batch.is_stop, 0.0, policy.rates(batch)))


@scores.register
def _(policy: SuccessRateElimination, batch: DecisionBatch) -> Scores | None:
    return scores(policy.rates, batch)


@scores.register
def _(policy: BestRoute, batch: DecisionBatch) -> Scores | None:
    rates = policy.rates()
    by_route = np.array([rates.get(route, policy.mean) for route in batch.routes])
    return Scores("success rate", np.where(batch.is_stop, 0.0, by_route[batch.action_route]))


@scores.register
def _(policy: LowestCost, batch: DecisionBatch) -> Scores | None:
    fee = policy.expected_fee_minor(batch)
    return Scores("fee, minor units, negative", np.where(batch.is_stop, 0.0, -fee), False)


@scores.register(Thompson)
@scores.register(HierarchicalThompson)
@scores.register(Ucb)
def _(policy: Thompson | HierarchicalThompson | Ucb, batch: DecisionBatch) -> Scores | None:
    return Scores("mean success rate", np.where(batch.is_stop, 0.0, mean_of(policy, batch)))
