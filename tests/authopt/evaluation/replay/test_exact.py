"""What a replay promises, checked to rounding: every log and every acceptance is listed."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction as F
from functools import cache
from math import comb

import pytest

from authopt.evaluation.replay.replay import replay
from authopt.evaluation.replay.result import Method, ReplayResult
from simulator.tiny import TINY
from tests.authopt.evaluation.replay.cases import (
    ALIKE,
    SINGLE,
    SMALL,
    Case,
    History,
    TablePolicy,
    TablePrediction,
    TinyLearner,
    bound,
    cases,
    in_steps_of,
    learner_chances,
    live_runs,
    live_value,
)

FIXED = {
    "two contexts": (SMALL, ((F(1, 10), F(9, 10)), (F(3, 4), F(1, 4)))),
    "uniform logging": (ALIKE, ((F(1, 10), F(9, 10)), (F(3, 4), F(1, 4)))),
    "an action less": (TINY, ((F(1, 10), F(2, 10), F(7, 10)), (F(3, 4), F(1, 4)))),
    "deterministic": (SMALL, ((F(0), F(1)), (F(1), F(0)))),
}


WORLDS = {"three rows of one context": (SINGLE, 3), "two rows of two contexts": (SMALL, 2)}
EVERY_WORLD = pytest.mark.parametrize("name", WORLDS)


@cache
def every_replay(name: str) -> list[tuple[Case, ReplayResult, tuple[History, ...]]]:
    """Every log and acceptance, its replay, and what the learner had seen after each update."""
    world, n = WORLDS[name]
    found = []
    for case in cases(world, n, learner_chances, 1.0 / bound(world)):
        TinyLearner.log.clear()
        result = replay([case.batch], TinyLearner(), max_weight=bound(world))
        found.append((case, result, tuple(TinyLearner.log)))
    return found


def value(result: ReplayResult, method: Method) -> float:
    estimates = {each.estimator: each.value for each in result.estimates}
    return estimates[method.value] or 0.0


@pytest.mark.parametrize("name", FIXED)
def test_both_estimates_of_a_fixed_policy_are_unbiased(name: str) -> None:
    world, table = FIXED[name]

    def chances(history: History, context: int, actions: int) -> list[float]:
        return [float(p) for p in table[context]]

    seen = rejection = dr = total = 0.0
    for case in cases(world, 2, chances, 1.0 / bound(world)):
        result = replay([case.batch], TablePolicy(table), max_weight=bound(world))
        assert result.accepted == sum(case.accepted)
        total += case.probability
        dr += case.probability * value(result, Method.DR)
        if any(case.accepted):
            seen += case.probability
            rejection += case.probability * value(result, Method.REJECTION)
    truth = float(world.value(table))
    assert total == pytest.approx(1.0, abs=1e-12)
    assert rejection / seen == pytest.approx(truth, abs=1e-9)
    assert dr == pytest.approx(truth, abs=1e-9)


@EVERY_WORLD
def test_the_kth_accepted_reward_is_in_expectation_the_kth_live_one(name: str) -> None:
    world, n = WORLDS[name]
    reached: dict[int, float] = defaultdict(float)
    earned: dict[int, float] = defaultdict(float)
    for case, result, _ in every_replay(name):
        assert len(result.curve) == sum(case.accepted)
        for point in result.curve:
            reached[point.accepted_from] += case.probability
            earned[point.accepted_from] += case.probability * point.value
    live = [live_value(world, step) for step in range(n)]
    assert [earned[k] / reached[k] for k in range(n)] == pytest.approx(live, abs=1e-9)
    # The learner learns, or there would be nothing to check.
    assert live[1] > live[0] + 0.01


@EVERY_WORLD
def test_what_the_learner_sees_has_the_law_of_a_live_run(name: str) -> None:
    world, n = WORLDS[name]
    steps = n - 1

    def rounded(history: History) -> History:
        return tuple((x, a, r, round(p, 9)) for x, a, r, p in history)

    law: dict[History, float] = defaultdict(float)
    for case, _, updates in every_replay(name):
        if len(updates) >= steps:
            law[rounded(updates[steps - 1])] += case.probability
    total = sum(law.values())
    live: dict[History, float] = defaultdict(float)
    for history, probability in live_runs(world, steps, learner_chances).items():
        live[rounded(history)] += probability
    assert {key: each / total for key, each in law.items()} == pytest.approx(dict(live), abs=1e-9)


@EVERY_WORLD
def test_doubly_robust_replay_is_the_mean_value_of_the_policies_gone_through(name: str) -> None:
    world, n = WORLDS[name]
    c = 1.0 / bound(world)
    found = sum(
        case.probability * value(result, Method.DR) for case, result, _ in every_replay(name)
    )
    live = [live_value(world, step) for step in range(n)]
    # Before its row k the learner has had Binomial(k, c) decisions.
    expected = sum(
        comb(k, j) * c**j * (1 - c) ** (k - j) * live[j] for k in range(n) for j in range(k + 1)
    )
    assert found == pytest.approx(expected / n, abs=1e-9)


def test_a_learner_that_learns_from_two_rows_at_a_time_is_followed_as_such() -> None:
    c, chances = 1.0 / bound(SINGLE), in_steps_of(2)
    found = sum(
        case.probability
        * value(
            replay([case.batch], TinyLearner(), max_weight=bound(SINGLE), update_every=2),
            Method.DR,
        )
        for case in cases(SINGLE, 3, chances, c)
    )
    first, later = live_value(SINGLE, 0, chances), live_value(SINGLE, 2, chances)
    # It changes once, after two accepted rows, which at the third row has chance c squared.
    assert later > first + 0.01
    assert found == pytest.approx((2 * first + (1 - c**2) * first + c**2 * later) / 3, abs=1e-9)


def test_doubly_robust_replay_is_unbiased_with_a_wrong_reward_model() -> None:
    world, table = FIXED["two contexts"]

    def chances(history: History, context: int, actions: int) -> list[float]:
        return [float(p) for p in table[context]]

    found = sum(
        case.probability
        * value(
            replay(
                [case.batch],
                TablePolicy(table),
                max_weight=bound(world),
                reward_model=TablePrediction(((0.9, 0.0), (0.2, 0.6))),
            ),
            Method.DR,
        )
        for case in cases(world, 2, chances, 1.0 / bound(world))
    )
    assert found == pytest.approx(float(world.value(table)), abs=1e-9)
