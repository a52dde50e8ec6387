"""What of a probability is the choice of what seems best, and what is exploration, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import TypeAlias

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.policies.bandits.hierarchical import HierarchicalThompson
from authopt.policies.bandits.thompson import Thompson
from authopt.policies.best_route import best_of_each
from authopt.policies.expected_money import ExpectedMoney
from authopt.policies.guard import Guarded
from authopt.policies.mixed import Mixed
from authopt.policies.online.choosing import alternatives, by_gap, greedy, spread
from authopt.policies.online.policy import OnlineVw
from authopt.policies.random_split import RandomSplit
from authopt.policies.schedule import Schedule
from authopt.policies.spibb import Spibb
from authopt.policies.success_rate import SuccessRate
from authopt.policies.success_rate_elimination import SuccessRateElimination
from authopt.policies.timetable import on_time
from authopt.policies.uniform import Uniform, uniform
from authopt.policies.vw import VwPolicy

CHOICE, FLOOR, TRIED, EXPLORED = "best", "floor", "tried", "explored"
HEDGED, DOUBT, REROUTED, EVEN = "hedged", "doubt", "rerouted", "even"
CANDIDATE, LIVE, SPLIT, SCHEDULED = "candidate", "live", "split", "scheduled"

MEANINGS: Mapping[str, str] = {
    CHOICE: "the policy's own choice",
    FLOOR: "a share for every action, so that what is logged can judge other policies",
    TRIED: "routes that are tried while little is known of them",
    EXPLORED: "actions that seem worse, the rarer the worse they seem",
    HEDGED: "hedging: a share for the routes behind the best",
    DOUBT: "the route may be the best one for all that is known",
    REROUTED: "the guard: away from routes that are down, but for probes",
    EVEN: "alike over what may be taken, as nothing is known",
    CANDIDATE: "the candidate, where the log supports it",
    LIVE: "the live policy, where the log does not support the candidate",
    SPLIT: "the split of the traffic by weights",
    SCHEDULED: "the schedule of retries, as too little is known of waiting yet",
}
"""What the names of shares stand for."""

Shares: TypeAlias = dict[str, FloatArray]
"""float64[m] each, by name; they sum to the policy's probabilities."""


@singledispatch
def shares(policy: object, batch: DecisionBatch) -> Shares:
    """Split a policy's probabilities into shares that sum to them.

    Parameters
    ----------
    policy
        any; of one that is not known here all is its own choice.
    batch
        n decisions with m actions.
    """
    ask: Callable[[DecisionBatch], FloatArray] = policy.probabilities  # type: ignore[attr-defined]
    return {CHOICE: ask(batch)}


@shares.register
def _(policy: Mixed, batch: DecisionBatch) -> Shares:
    inner = {name: (1.0 - policy.epsilon) * each for name, each in _of(policy.policy, batch)}
    return _added(inner, FLOOR, policy.epsilon * uniform(batch))


@shares.register
def _(policy: Guarded, batch: DecisionBatch) -> Shares:
    inner = dict(_of(policy.policy, batch))
    moved = policy.probabilities(batch) - np.sum(list(inner.values()), axis=0)
    return _added(inner, REROUTED, moved) if np.abs(moved).max(initial=0.0) > 1e-12 else inner


@shares.register
def _(policy: Schedule, batch: DecisionBatch) -> Shares:
    plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
    keep = on_time(plain, policy.timetable)
    if (plain.attempt <= 1).all() or keep.all():
        return dict(_of(policy.policy, batch))
    found: Shares = {}
    for name, each in _of(policy.policy, plain.keep_actions(keep)):
        found[name] = np.zeros(batch.m)
        found[name][keep] = each
    return found


@shares.register
def _(policy: OnlineVw, batch: DecisionBatch) -> Shares:
    probability = policy.probabilities(batch)
    if not policy.rows:
        floor = np.minimum(probability, policy.epsilon * uniform(batch))
        return {EVEN: probability - floor, FLOOR: floor}
    told = policy.costs(batch)
    cost = policy.in_time(batch, told)
    best = greedy(batch, cost) > 0.0
    tried = policy.share_tried * spread(batch, alternatives(batch, cost))
    # Lifting to the floor mixes with uniform; its share is what the least action shows.
    chosen = by_gap(batch, cost, policy.gamma) if policy.gamma else greedy(batch, cost)
    before = (1.0 - policy.share_tried) * chosen + tried
    kept = np.repeat(_kept(batch, before, policy.epsilon), batch.counts)
    found = {CHOICE: np.where(best, kept * (before - tried), 0.0)}
    seemed_best = greedy(batch, told) > 0.0
    off = np.repeat(batch.sum_by_decision((best != seemed_best) * 1.0) > 0.0, batch.counts)
    if off.any():
        found[SCHEDULED] = np.where(off, found[CHOICE], 0.0)
        found[CHOICE] = np.where(off, 0.0, found[CHOICE])
    if policy.gamma:
        found[EXPLORED] = np.where(best, 0.0, kept * (before - tried))
    if policy.share_tried:
        found[TRIED] = kept * tried
    return _added(found, FLOOR, (1.0 - kept) * uniform(batch))


def _kept(batch: DecisionBatch, before: FloatArray, epsilon: float) -> FloatArray:
    """float64[n], the weight that lifting leaves, see ``authopt.policies.vw_floor``."""
    even = 1.0 / batch.counts
    lacking = np.maximum(epsilon * even - np.minimum.reduceat(before, batch.offsets[:-1]), 0.0)
    least = np.minimum.reduceat(before, batch.offsets[:-1])
    share = np.divide(lacking, even - least, out=np.zeros(batch.n), where=lacking > 0.0)
    return np.asarray(1.0 - share)


@shares.register
def _(policy: VwPolicy, batch: DecisionBatch) -> Shares:
    probability = policy.probabilities(batch)
    floor = np.minimum(probability, policy.manifest.floor * uniform(batch))
    above = probability - floor
    best = greedy(batch, -probability) > 0.0
    found = {CHOICE: np.where(best, above, 0.0), EXPLORED: np.where(best, 0.0, above), FLOOR: floor}
    if found[EXPLORED].max(initial=0.0) < 1e-6:
        # VW computes in float32: what is left beside the best action is rounding.
        found[FLOOR] = found[FLOOR] + found.pop(EXPLORED)
    return found


@shares.register
def _(policy: ExpectedMoney, batch: DecisionBatch) -> Shares:
    floor = policy.epsilon * uniform(batch)
    return {CHOICE: policy.probabilities(batch) - floor, FLOOR: floor}


@shares.register
def _(policy: SuccessRate, batch: DecisionBatch) -> Shares:
    probability = policy.probabilities(batch)
    if policy.hedge == "all":
        floor = policy.hedging * uniform(batch)
        return {CHOICE: probability - floor, FLOOR: floor}
    return _chosen(probability, best_of_each(batch, policy.rates(batch)), HEDGED)


@shares.register
def _(policy: SuccessRateElimination, batch: DecisionBatch) -> Shares:
    probability = policy.probabilities(batch)
    return _chosen(probability, greedy(batch, -probability), HEDGED)


@shares.register(Thompson)
@shares.register(HierarchicalThompson)
def _(policy: Thompson | HierarchicalThompson, batch: DecisionBatch) -> Shares:
    probability = policy.probabilities(batch)
    return _chosen(probability, greedy(batch, -probability), DOUBT)


@shares.register
def _(policy: Spibb, batch: DecisionBatch) -> Shares:
    probability = policy.probabilities(batch)
    wanted = np.where(policy.is_certain(batch), policy.candidate.probabilities(batch), 0.0)
    some = np.repeat(batch.sum_by_decision(wanted) > 0.0, batch.counts)
    by_candidate = policy.is_certain(batch) & some
    return {
        CANDIDATE: np.where(by_candidate, probability, 0.0),
        LIVE: np.where(by_candidate, 0.0, probability),
    }


@shares.register
def _(policy: Uniform, batch: DecisionBatch) -> Shares:
    return {EVEN: policy.probabilities(batch)}


@shares.register
def _(policy: RandomSplit, batch: DecisionBatch) -> Shares:
    return {SPLIT: policy.probabilities(batch)}


def _of(policy: object, batch: DecisionBatch) -> list[tuple[str, FloatArray]]:
    return list(shares(policy, batch).items())


def _chosen(probability: FloatArray, best: FloatArray, otherwise: str) -> Shares:
    """All of the best action's probability is the choice; that of the others is exploration."""
    is_best = best > 0.0
    return {
        CHOICE: np.where(is_best, probability, 0.0),
        otherwise: np.where(is_best, 0.0, probability),
    }


def _added(inner: Shares, name: str, more: FloatArray) -> Shares:
    return {**inner, name: inner[name] + more if name in inner else more}
