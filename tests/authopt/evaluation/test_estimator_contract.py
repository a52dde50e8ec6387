"""What every estimator and every kind of interval owes, whichever they are.

The first half is the behavioural contract of the tests of VowpalWabbit/estimators
(``tests/test_bandits.py``); the second are traps that those tests leave out. Estimators and methods
are those that an evaluation gives, so that a new one is held to all of this at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.candidates import candidates_of
from authopt.evaluation.engine import add_batches, wanted_of
from authopt.evaluation.judged import Named
from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.result import Evaluation, PolicyResult
from authopt.evaluation.settings import Settings
from authopt.evaluation.summary import summarise
from authopt.policies.priority import Priority
from authopt.policies.uniform import Uniform
from authopt.rewards import DEFAULT_REWARD
from tests.factories import logged_batch

Array = npt.NDArray[Any]

NEW = "new"

PARAMETERS = (".parameter", ".chosen", ".slope", ".mse")
"""Infinite where an estimator that could cut weights cuts none."""


@dataclass(frozen=True)
class Log:
    """n decisions between two actions; a share is how often a policy takes action 0."""

    chosen: Array
    reward: Array
    logging_share: float
    evaluation_share: float
    q: Array
    bounds: tuple[float, float] = (0.0, 1.0)
    cluster: Array | None = None

    def judged(self, **options: Any) -> Evaluation:
        n = len(self.chosen)
        logging = [self.logging_share, 1.0 - self.logging_share]
        new = [self.evaluation_share, 1.0 - self.evaluation_share]
        return evaluate_arrays(
            chosen=self.chosen,
            reward=self.reward,
            logging=np.tile(logging, (n, 1)),
            evaluation={NEW: np.tile(new, (n, 1))},
            q=np.tile(self.q, (n, 1)),
            reward_bounds=self.bounds,
            cluster=self.cluster,
            **({"bootstrap": 200} | options),
        )


def constant(n: int, reward: float, bounds: tuple[float, float], share: float = 0.5) -> Log:
    """Every reward and every prediction the same; with a share of 0.5 both policies are alike."""
    return Log(np.arange(n) % 2, np.full(n, reward), 0.5, share, np.full(2, reward), bounds)


def cyclic(n: int) -> Log:
    """Action 0 earns 1 in four of five times, action 1 in one of five: whatever n is."""
    at = np.arange(n)
    chosen = (at % 10 >= 5).astype(np.int64)
    reward = np.where(chosen == 0, at % 5 < 4, at % 5 < 1).astype(np.float64)
    return Log(chosen, reward, 0.5, 0.7, np.array([0.75, 0.25]))


def drawn(n: int, evaluation_share: float, seed: int = 1) -> Log:
    """Action 0 earns 1 with probability 0.8, action 1 with 0.2."""
    rng = np.random.default_rng(seed)
    chosen = (rng.random(n) >= 0.6).astype(np.int64)
    reward = (rng.random(n) < np.where(chosen == 0, 0.8, 0.2)).astype(np.float64)
    return Log(chosen, reward, 0.6, evaluation_share, np.array([0.78, 0.22]))


def new(evaluation: Evaluation) -> PolicyResult:
    return evaluation.policy(NEW)


def values(policy: PolicyResult) -> Iterator[Estimate]:
    yield from policy.estimates


def everything(evaluation: Evaluation) -> Iterator[tuple[str, str, Estimate, Interval]]:
    """Policy, estimator, estimate and interval of all values and gains."""
    for policy in evaluation.policies:
        for kind, estimates in (("value", policy.estimates), ("gain", policy.gains)):
            for estimate in estimates:
                for interval in estimate.intervals:
                    yield f"{policy.name}'s {kind}", estimate.estimator, estimate, interval


def intervals(evaluation: Evaluation) -> dict[tuple[str, str, str], Interval]:
    return {
        (where, name, interval.method): interval
        for where, name, _, interval in everything(evaluation)
    }


def numbers(plain: object, where: str = "") -> Iterator[tuple[str, float]]:
    """All numbers in an evaluation, with where they stand."""
    if isinstance(plain, dict):
        for key, value in plain.items():
            yield from numbers(value, f"{where}.{key}")
    elif isinstance(plain, list | tuple):
        for place, value in enumerate(plain):
            yield from numbers(value, f"{where}[{place}]")
    elif isinstance(plain, float | int):
        yield where, float(plain)


# The contract of vw-estimators.


@pytest.mark.parametrize(
    ("reward", "bounds"), [(1.0, (0.0, 1.0)), (10.0, (0.0, 20.0)), (-1.0, (-2.0, 2.0))]
)
def test_a_constant_reward_is_every_estimate(reward: float, bounds: tuple[float, float]) -> None:
    evaluation = constant(500, reward, bounds).judged()
    for estimate in values(new(evaluation)):
        assert estimate.value == pytest.approx(reward, abs=1e-9), estimate.estimator
    for where, name, _, interval in everything(evaluation):
        truth = reward if where.endswith("value") else 0.0
        assert interval.lower - 1e-9 <= truth <= interval.upper + 1e-9, (where, name, interval)


def test_more_data_makes_every_interval_tighter() -> None:
    few, many = intervals(cyclic(200).judged()), intervals(cyclic(20_000).judged())
    assert few.keys() == many.keys()
    for key, interval in many.items():
        assert interval.width <= few[key].width, key
        if key[1] not in ("dm", "on-policy"):
            assert interval.width < 0.5 * few[key].width, key


def test_more_confidence_makes_every_interval_wider() -> None:
    log = drawn(2_000, 0.8)
    by_level = [intervals(log.judged(confidence=level)) for level in (0.8, 0.95, 0.99)]
    for inner, outer in pairwise(by_level):
        assert inner.keys() == outer.keys()
        for key, interval in inner.items():
            assert outer[key].lower <= interval.lower + 1e-12, key
            assert outer[key].upper >= interval.upper - 1e-12, key


def test_an_empty_log_is_refused_with_a_clear_error() -> None:
    empty = Log(np.zeros(0, np.int64), np.zeros(0), 0.5, 0.5, np.full(2, 0.5))
    with pytest.raises(UserError, match=r"no row can be used.*it is empty"):
        empty.judged()


@pytest.mark.parametrize(("share", "truth"), [(1.0, 0.8), (0.0, 0.2), (0.5, 0.5)])
def test_every_estimate_and_interval_comes_to_the_truth(share: float, truth: float) -> None:
    evaluation = drawn(20_000, share).judged(confidence=0.999, bootstrap=4000)
    for estimate in values(new(evaluation)):
        assert estimate.value == pytest.approx(truth, abs=0.05), estimate.estimator
        for interval in estimate.intervals:
            if interval.vetoed:
                continue
            # A note says of which bias the intervals know nothing.
            if estimate.note is None:
                assert interval.lower <= truth <= interval.upper, (estimate.estimator, interval)
            assert abs(interval.lower - truth) < 0.1, (estimate.estimator, interval)
            assert abs(interval.upper - truth) < 0.1, (estimate.estimator, interval)


def test_sums_of_parts_are_those_of_the_whole_for_every_estimator() -> None:
    batch = logged_batch(3_000)
    policies = [Uniform(), Priority(("checkout", "adyen"))]
    judged = candidates_of(policies, None, None)
    wanted = wanted_of(
        DEFAULT_REWARD, Flat(), segments=(), embeddings=("route", "delay"), volume=True
    )
    given: dict[str, Any] = {"reward_model": Flat(), "reward": DEFAULT_REWARD, "path": None}
    whole, first, second = (
        add_batches([part], judged, wanted, cluster="payment_id", **given)
        for part in (batch, batch.take(slice(0, 1_000)), batch.take(slice(1_000, 3_000)))
    )
    named = [Named(each.name, each.spec) for each in judged]
    options = Settings(cluster="payment_id", reward_model="flat")
    together, at_once = (
        dict(numbers(summarise(sums, named, options).as_json())) for sums in (first + second, whole)
    )
    assert together.keys() == at_once.keys()
    assert together == pytest.approx(at_once, rel=1e-9, abs=1e-9)


class Flat:
    """The same prediction for every action."""

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return np.full(batch.m, 0.5)


def test_one_decision_has_the_values_of_its_weight() -> None:
    one = Log(np.zeros(1, np.int64), np.ones(1), 0.3, 0.6, np.zeros(2))
    found = {each.estimator: each.value for each in values(new(one.judged()))}
    assert (found["ips"], found["snips"]) == pytest.approx((2.0, 1.0), abs=1e-12)
    assert found["dr"] == pytest.approx(2.0, abs=1e-12)


def test_a_million_decisions_do_not_overflow() -> None:
    log = drawn(1_000_000, 0.8)
    truth = 0.8 * 0.8 + 0.2 * 0.2
    for estimate in values(new(log.judged())):
        if estimate.estimator != "dm":
            assert estimate.value == pytest.approx(truth, abs=0.01), estimate.estimator
        for interval in estimate.intervals:
            assert interval.vetoed or interval.width < 0.05, (estimate.estimator, interval)


# The traps that it leaves out.


def without_overlap(n: int) -> Log:
    """The logging policy never takes what the new policy always takes."""
    return Log(np.zeros(n, np.int64), np.ones(n), 1.0, 0.0, np.array([0.9, 0.4]))


@pytest.mark.parametrize("n", [1, 2, 500])
def test_without_overlap_the_log_knows_nothing(n: int) -> None:
    policy = new(without_overlap(n).judged())
    assert policy.estimate("snips").value is None
    for estimate in policy.estimates:
        covering = [
            each for each in estimate.intervals if each.guarantee is not Guarantee.ASYMPTOTIC
        ]
        for interval in covering:
            assert (interval.lower, interval.upper) == (0.0, 1.0), (estimate.estimator, interval)
        for interval in set(estimate.intervals) - set(covering):
            assert interval.vetoed, (estimate.estimator, interval)


def test_one_decision_does_not_give_a_narrow_interval() -> None:
    one = Log(np.zeros(1, np.int64), np.ones(1), 0.5, 0.6, np.full(2, 0.5))
    for where, name, _, interval in everything(one.judged()):
        assert interval.vetoed or interval.width > 0.9, (where, name, interval)


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_that_are_all_alike_do_not_give_certainty(reward: float) -> None:
    evaluation = constant(50, reward, (0.0, 1.0), share=0.7).judged()
    for where, name, _, interval in everything(evaluation):
        assert interval.vetoed or interval.width > 0.01, (where, name, interval)


@pytest.mark.parametrize("clusters", [1, 2])
def test_rows_of_one_cluster_are_one_observation(clusters: int) -> None:
    log = drawn(600, 0.8)
    joined = Log(**(vars(log) | {"cluster": np.arange(600) % clusters}))
    for where, name, _, interval in everything(joined.judged()):
        assert interval.vetoed or interval.width > 0.4, (where, name, interval)


@given(
    n=st.integers(1, 40),
    seed=st.integers(0, 1_000),
    logging_share=st.sampled_from([0.0, 1e-6, 0.01, 0.5, 1.0]),
    evaluation_share=st.sampled_from([0.0, 1e-6, 0.3, 1.0]),
    reward=st.sampled_from(["zeros", "ones", "drawn"]),
    bounds=st.sampled_from([(0.0, 1.0), (-5.0, 100.0)]),
)
@settings(max_examples=25)
def test_nothing_is_ever_nan_or_infinite_and_limits_are_in_order(
    n: int,
    seed: int,
    logging_share: float,
    evaluation_share: float,
    reward: str,
    bounds: tuple[float, float],
) -> None:
    rng = np.random.default_rng(seed)
    chosen = (rng.random(n) >= logging_share).astype(np.int64)
    rewards = {"zeros": np.zeros(n), "ones": np.ones(n), "drawn": rng.random(n)}[reward]
    log = Log(chosen, rewards, logging_share, evaluation_share, rng.random(2), bounds)
    evaluation = log.judged(bootstrap=20)
    wrong = {
        where
        for where, number in numbers(evaluation.as_json())
        if math.isnan(number) or (math.isinf(number) and not where.endswith(PARAMETERS))
    }
    assert not wrong
    low, high = bounds
    for where, name, _, interval in everything(evaluation):
        assert interval.lower <= interval.upper, (where, name, interval)
        if where.endswith("value") and interval.guarantee is not Guarantee.ASYMPTOTIC:
            assert low <= interval.lower <= interval.upper <= high, (where, name, interval)


def test_a_log_that_is_refused_says_the_row_and_a_mended_one_has_them_all() -> None:
    log = drawn(100, 0.8)
    broken = Log(**(vars(log) | {"reward": np.where(np.arange(100) == 7, np.nan, log.reward)}))
    with pytest.raises(UserError, match="row 7: reward is nan"):
        broken.judged()
    assert log.judged().log.rows == 100
