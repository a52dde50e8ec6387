"""What a score rests on, where it rests on counted outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.bandits.hierarchical import HierarchicalThompson
from authopt.policies.bandits.segments import Key, keys_of
from authopt.policies.bandits.thompson import Thompson
from authopt.policies.bandits.ucb import Ucb
from authopt.policies.best_route import BestRoute
from authopt.policies.guard import Guarded
from authopt.policies.mixed import Mixed
from authopt.policies.schedule import Schedule
from authopt.policies.success_rate import SuccessRate
from authopt.policies.success_rate_elimination import SuccessRateElimination

ATTEMPTS, SUCCESSES, ALL_ATTEMPTS, ALL_RATE = "attempts", "successes", "of all", "rate of all"
BOUND, DEVIATION, DOWN = "bound", "deviation", "down"


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Counted outcomes behind the scores of one decision's actions.

    Attributes
    ----------
    segment
        the kind of payments that they are of; None where there are no kinds.
    figures
        float64[m] each, by name; NaN where there is none.
    """

    segment: str | None
    figures: Mapping[str, FloatArray]


@singledispatch
def evidence(policy: object, one: DecisionBatch) -> Evidence | None:
    """The counts behind a policy's scores.

    Parameters
    ----------
    policy
        any; None is returned for one that is not known here, or that counts nothing.
    one
        a batch of one decision.
    """
    return None


@evidence.register(Mixed)
@evidence.register(Guarded)
@evidence.register(Schedule)
def _(policy: Mixed | Guarded | Schedule, one: DecisionBatch) -> Evidence | None:
    return evidence(policy.policy, one)


@evidence.register
def _(policy: SuccessRate, one: DecisionBatch) -> Evidence | None:
    key = keys_of(one, policy.dimensions)[0][0]
    windows = {(each.route, each.values): each.rewards for each in policy.state().windows}
    narrow = [windows.get((route, key), ()) for route in _routes(one)]
    wide = [windows.get((route, None), ()) for route in _routes(one)]
    figures = {
        ATTEMPTS: [len(rewards) for rewards in narrow],
        SUCCESSES: [sum(rewards) for rewards in narrow],
        ALL_ATTEMPTS: [len(rewards) for rewards in wide],
        ALL_RATE: [sum(each) / len(each) if each else np.nan for each in wide],
    }
    return _evidence(one, key, policy.dimensions, figures)


@evidence.register
def _(policy: SuccessRateElimination, one: DecisionBatch) -> Evidence | None:
    found = evidence(policy.rates, one)
    assert found is not None
    is_down = policy.downtime.is_down(one).astype(np.float64)
    return Evidence(found.segment, {**found.figures, DOWN: is_down})


@evidence.register(Thompson)
@evidence.register(Ucb)
def _(policy: Thompson | Ucb, one: DecisionBatch) -> Evidence | None:
    key = keys_of(one, policy.dimensions)[0][0]
    attempts, successes, rounds = policy.memory.read([key], one.routes)
    route = one.action_route
    figures: dict[str, FloatArray] = {
        ATTEMPTS: attempts[0, route],
        SUCCESSES: successes[0, route],
    }
    if isinstance(policy, Ucb):
        figures[BOUND] = policy._bounds(attempts, successes, rounds)[0, route]
    return _evidence(one, key, policy.dimensions, figures)


@evidence.register
def _(policy: HierarchicalThompson, one: DecisionBatch) -> Evidence | None:
    key = keys_of(one, policy.segments)[0][0]
    alpha, beta = _believed(policy, one)
    total = alpha + beta
    deviation = np.sqrt(alpha * beta / (total**2 * (total + 1.0)))
    return _evidence(one, key, policy.segments, {DEVIATION: deviation})


@evidence.register
def _(policy: BestRoute, one: DecisionBatch) -> Evidence | None:
    found = [policy.records.get(route) for route in _routes(one)]
    figures = {
        ATTEMPTS: [0 if record is None else record.attempts for record in found],
        SUCCESSES: [0.0 if record is None else record.reward for record in found],
    }
    return _evidence(one, (), (), figures)


def mean_of(policy: Thompson | HierarchicalThompson | Ucb, batch: DecisionBatch) -> FloatArray:
    """float64[m], the mean success rate of each action's route as the policy holds it; NaN where
    nothing is known."""
    if isinstance(policy, HierarchicalThompson):
        alpha, beta = _believed(policy, batch)
        return np.asarray(alpha / (alpha + beta))
    keys, row = keys_of(batch, policy.dimensions)
    attempts, successes, _ = policy.memory.read(keys, batch.routes)
    at = np.repeat(row, batch.counts), batch.action_route
    more = 0.0 if isinstance(policy, Ucb) else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((successes[at] + more) / (attempts[at] + 2.0 * more))


def _believed(policy: HierarchicalThompson, batch: DecisionBatch) -> tuple[FloatArray, FloatArray]:
    """float64[m] each, the parameters of the Beta distribution of every action's route."""
    if not policy.memory.cells.segments:
        return np.ones(batch.m), np.ones(batch.m)
    routes = policy.memory.cells.routes
    place = np.array([routes.get(route, len(routes)) for route in batch.routes])
    keys, row = keys_of(batch, policy.segments)
    alpha, beta = policy.pooled().of(keys).betas()
    at = np.repeat(row, batch.counts), place[batch.action_route]
    return alpha[at], beta[at]


def _routes(one: DecisionBatch) -> list[str]:
    return [one.routes[code] for code in one.action_route]


def _evidence(
    one: DecisionBatch, key: Key, dimensions: tuple[str, ...], figures: Mapping[str, object]
) -> Evidence:
    said = [f"{name} {value or 'unknown'}" for name, value in zip(dimensions, key, strict=True)]
    return Evidence(
        ", ".join(said) or None,
        {
            name: np.where(one.is_stop, np.nan, np.asarray(values, np.float64))
            for name, values in figures.items()
        },
    )
