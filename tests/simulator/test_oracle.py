"""The best plans: planning sees the trap, and nobody gets more paid than the bound says."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.priority import first_of_each
from authopt.policies.protocol import Policy
from authopt.policies.uniform import Uniform
from authopt.rules import load_rules
from authopt.rules.merchant import MerchantRules
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.oracle import PlanningOracle, foresight, oracle_value
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic
from simulator.truth import OraclePolicy, true_value
from tests.simulator.trap_world import BEST, GREEDY, ROUTES, TrapWorld

TRAP = TrapWorld()
SMALL = small_world()
TWO_ATTEMPTS = load_rules(merchant=MerchantRules(max_attempts=2))


@dataclass(frozen=True)
class Plan:
    """By attempt, the place of the action to take among those offered; the last where too high."""

    places: tuple[int, ...]
    name: str = "plan"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        wanted = np.array(self.places)[np.minimum(batch.attempt, len(self.places)) - 1]
        place = np.arange(batch.m) - np.repeat(batch.offsets[:-1], batch.counts)
        off = np.abs(place - np.repeat(np.minimum(wanted, batch.counts - 1), batch.counts))
        return first_of_each(batch, off)


def paid(policy: Policy, traffic: Traffic, rules: object = None) -> set[str]:
    options = {} if rules is None else {"rules": rules}
    log = simulate(SMALL, traffic, policy, **options)
    return {
        name
        for batch in log
        for name, reward in zip(batch.payment_id.to_pylist(), batch.reward, strict=True)
        if reward == 1.0
    }


def test_planning_values_an_action_by_what_may_follow() -> None:
    batch = TRAP.arrivals(Traffic(40), 0, 40)
    values = PlanningOracle(TRAP, samples=8).values(batch).reshape(40, 3)
    assert np.allclose(values, [GREEDY, BEST, 0.0])


def test_planning_avoids_the_trap_that_the_best_single_decision_falls_into() -> None:
    traffic = Traffic(6_000, days=5)
    greedy = true_value(TRAP, OraclePolicy(TRAP), traffic)
    planning = true_value(TRAP, PlanningOracle(TRAP, samples=8), traffic)
    for value, expected in ((greedy, GREEDY), (planning, BEST)):
        assert value.per_payment == pytest.approx(expected, abs=4 * value.per_payment_se)
    assert planning.per_payment > greedy.per_payment + 0.3


def test_planning_one_step_is_the_oracle_of_a_decision() -> None:
    batch = SMALL.arrivals(Traffic(500), 0, 500)
    one = PlanningOracle(SMALL, depth=1)
    assert np.array_equal(one.probabilities(batch), OraclePolicy(SMALL).probabilities(batch))


def test_what_planning_knows_is_not_the_luck_of_the_traffic() -> None:
    """With foresight more payments are paid than with planning: luck can be used, not known."""
    traffic = Traffic(3_000, days=3, seed=2)
    value = oracle_value(TRAP, traffic)
    assert value.planning.per_payment < value.foresight.paid
    # Both first routes, and what may follow them, are open to one who knows what comes.
    luckier = 0.5 + 0.5 * 0.9
    assert value.foresight.paid == pytest.approx(luckier, abs=0.02)


@pytest.mark.parametrize("seed", [1, 2])
def test_foresight_finds_every_payment_that_any_plan_gets_paid(seed: int) -> None:
    """Against all plans of two attempts, each carried out by the whole path of a simulation."""
    traffic = Traffic(120, days=2, seed=seed)
    most = [
        max(batch.counts.max() for batch in simulate(SMALL, traffic, Uniform(), rules=TWO_ATTEMPTS))
    ]
    plans = product(range(len(DEFAULT_ORDER)), range(int(max(most))))
    everyone = set().union(*(paid(Plan(plan), traffic, TWO_ATTEMPTS) for plan in plans))
    found = foresight(SMALL, traffic, rules=TWO_ATTEMPTS, width=10_000)
    assert found.paid == found.bound == len(everyone) / 120


@pytest.mark.parametrize(
    "policy",
    [Uniform(), MerchantRouter(DEFAULT_ORDER), OraclePolicy(SMALL), PlanningOracle(SMALL)],
    ids=lambda each: each.name,
)
def test_no_policy_gets_more_paid_than_the_bound(policy: Policy) -> None:
    traffic = Traffic(400, days=5, seed=3)
    assert len(paid(policy, traffic)) / 400 <= foresight(SMALL, traffic, width=4).bound


def test_a_wider_search_finds_no_less_and_bounds_no_worse() -> None:
    traffic = Traffic(300, days=5, seed=4)
    narrow, wide = (foresight(SMALL, traffic, width=width) for width in (1, 12))
    assert narrow.paid <= wide.paid <= wide.bound <= narrow.bound
    assert narrow.attempts < wide.attempts


def test_the_search_does_not_depend_on_the_chunks() -> None:
    traffic = Traffic(200, days=5, seed=5)
    whole, parts = (foresight(SMALL, traffic, width=3, chunk_payments=n) for n in (200, 60))
    assert whole == parts


def test_the_trap_world_offers_what_its_figures_say() -> None:
    batch = TRAP.arrivals(Traffic(1), 0, 1)
    assert tuple(action.route for action in batch.actions(0)) == ROUTES
