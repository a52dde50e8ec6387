"""Replay against the simulator: what the learner is worth there, and how often intervals say so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch, concat
from authopt.evaluation.replay.replay import largest_weight, replay
from authopt.evaluation.replay.result import Method
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform
from authopt.sampling import sample, uniforms
from simulator.logging_policy import DEFAULT_ORDER
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic
from simulator.truth import value_on

WORLD = small_world()
LOGS = 40
EVERY = 20


def learner() -> SuccessRate:
    return SuccessRate(window=100, dimensions=("issuer",))


@dataclass(frozen=True, slots=True)
class Usual:
    """A reward model that knows the mean of first attempts and no more."""

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return np.full(batch.m, 0.83)


class Values(dict[str, float]):
    """Exact values by decision; survives copying, so that a test can look into a replay."""

    def __deepcopy__(self, memo: object) -> Values:
        return self


@dataclass(slots=True)
class Watched:
    """A learner that notes what it is truly worth at every decision that it is asked for.

    A row that is put back and asked again is noted again: the last note is the one that counts.
    """

    values: Values
    policy: SuccessRate = field(default_factory=learner)
    name: str = "watched"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        values = value_on(WORLD, batch, self.policy)
        self.values.update(zip(batch.decision_id.to_pylist(), values.tolist(), strict=True))
        return self.policy.probabilities(batch)

    def update(self, batch: LoggedBatch) -> None:
        self.policy.update(batch)


def logged(seed: int) -> LoggedBatch:
    """All attempts under a merchant's order, half of the time mixed with uniform."""
    logging = mixed(Priority(DEFAULT_ORDER), 0.5)
    return concat(list(simulate(WORLD, Traffic(2_000, seed=seed), logging)))


@pytest.mark.slow
@pytest.mark.parametrize("method", list(Method))
def test_intervals_hold_the_mean_value_of_the_policies_that_the_learner_went_through(
    method: Method,
) -> None:
    covered = {"betting": 0, "normal": 0}
    errors = []
    for seed in range(LOGS):
        log = logged(1_000 + seed)
        values = Values()
        result = replay(
            [log],
            Watched(values),
            method=Method.DR,
            max_weight=largest_weight([log]),
            update_every=EVERY,
        )
        truth = float(np.mean([values[name] for name in log.decision_id.to_pylist()]))
        estimate = next(each for each in result.estimates if each.estimator == method.value)
        assert estimate.value is not None
        errors.append(estimate.value - truth)
        for each in estimate.intervals:
            covered[each.method] += each.lower <= truth <= each.upper
    # Binomial(40, 0.95) is below 34 with probability 0.003.
    assert min(covered.values()) >= 34, covered
    assert abs(np.mean(errors)) < 4 * np.std(errors, ddof=1) / LOGS**0.5


def first_attempts(seed: int) -> LoggedBatch:
    """First attempts alone, under uniform logging: what a policy does changes no later row."""
    log = concat(list(simulate(WORLD, Traffic(8_000, seed=seed), Uniform())))
    return log.take(np.flatnonzero(log.attempt == 1))


def live(log: LoggedBatch, decisions: int) -> float:
    """Mean exact value of a learner that decides, and learns from what comes of it."""
    policy, earned = learner(), 0.0
    for start in range(0, decisions, EVERY):
        part = log.take(slice(start, min(start + EVERY, decisions)))
        own = policy.probabilities(part.decisions())
        earned += float(value_on(WORLD, part.decisions(), policy).sum())
        chosen = sample(part, own, uniforms(part.decision_id, "live"))
        chance = WORLD.approval_probability(part)[part.offsets[:-1] + chosen]
        approved = uniforms(part.decision_id, "outcome") < chance
        policy.update(replace(part, chosen=chosen, reward=approved.astype(np.float64)))
    return earned / decisions


@pytest.mark.slow
def test_a_replayed_learner_earns_what_a_live_one_earns() -> None:
    found: dict[str, list[float]] = {"dr": [], "rejection": [], "live": [], "uniform": []}
    for seed in range(LOGS):
        log = first_attempts(2_000 + seed)
        result = replay([log], learner(), reward_model=Usual(), max_weight=4.0, update_every=EVERY)
        for estimate in result.estimates:
            assert estimate.value is not None
            found[estimate.estimator].append(estimate.value)
        found["uniform"].append(float(value_on(WORLD, log.decisions(), Uniform()).mean()))
        found["live"].append(live(first_attempts(3_000 + seed), log.n // 4))
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    error = {name: float(np.std(values, ddof=1)) / LOGS**0.5 for name, values in found.items()}
    for name in ("dr", "rejection"):
        assert abs(mean[name] - mean["live"]) < 4 * np.hypot(error[name], error["live"])
    # It has learnt: the uniform policy is told apart from it, live and replayed.
    assert mean["live"] > mean["uniform"] + 0.004
    assert mean["dr"] > mean["uniform"] + 0.002
