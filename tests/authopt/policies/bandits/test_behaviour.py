"""Bandits in a world: what they find out, and whether they notice that it is over."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.policies.bandits.memory import Discounted
from authopt.policies.bandits.thompson import Thompson
from authopt.policies.bandits.ucb import Ucb
from authopt.policies.protocol import Policy
from authopt.policies.schedule import wrap
from authopt.policies.spec import load_policy
from authopt.policies.uniform import Uniform
from simulator.live import simulate_live
from simulator.scenarios.places import MAIN_ROUTE, START, others_worse, world
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.world.events import RouteDown
from simulator.world.world import CardWorld
from simulator.worlds import named_world
from tests.authopt.policies.bandits.checks import FRESH, Bandit, after, log, rewarded

MINUTE = np.timedelta64(1, "m")
DOWN_FROM, DOWN_UNTIL = START + 300 * MINUTE, START + 420 * MINUTE
END = START + 720 * MINUTE
PAYMENTS = 1_500


@cache
def place() -> CardWorld:
    """One route is much better than the others, and it is down for two hours."""
    down = RouteDown(MAIN_ROUTE, DOWN_FROM, DOWN_UNTIL)
    return world(
        *others_worse(MAIN_ROUTE, -5.0), down, issuers=14, cards=4_000, merchants=6, bill_attempts=1
    )


@cache
def share_of_main_route(spec: str) -> tuple[float, float, float]:
    """A policy's share of the first attempts that may take it.

    Before the outage, late in it, and a while after it.
    """
    policy = load_policy(spec)
    first, last = [], []
    traffic = Traffic(PAYMENTS, START, 0.5, 1)
    for batch in simulate_live(place(), traffic, policy, slot_s=1_200):
        if batch.decided_at[0] >= END:
            break
        main = batch.action_route == batch.routes.index(MAIN_ROUTE)
        may = batch.sum_by_decision(main.astype(np.float64)) > 0
        assert batch.probability is not None
        taken = batch.sum_by_decision(np.where(main, batch.probability, 0.0))
        rows = np.flatnonzero((batch.attempt == 1) & may)
        first.append(batch.decided_at[rows])
        last.append(taken[rows])
    time, taken = np.concatenate(first), np.concatenate(last)

    def mean(start: np.datetime64, end: np.datetime64) -> float:
        return float(taken[(time >= start) & (time < end)].mean())

    return (
        mean(START + 180 * MINUTE, DOWN_FROM),
        mean(DOWN_UNTIL - 60 * MINUTE, DOWN_UNTIL),
        mean(DOWN_UNTIL + 150 * MINUTE, END),
    )


def slow(*specs: str) -> list[object]:
    """Specs that only the long run tries."""
    return [pytest.param(spec, marks=pytest.mark.slow) for spec in specs]


@pytest.mark.parametrize(
    "spec",
    [
        "thompson:discount=0.98,dimensions=previous_response_code",
        *slow(
            "ucb:discount=0.99,exploration=0.005,dimensions=previous_response_code",
            "ucb:window=200,exploration=0.01,dimensions=previous_response_code",
            "thompson:window=100,dimensions=previous_response_code",
            "hierarchical-thompson:half_life_days=0.05,segments=previous_response_code",
            "success-rate-elimination:window=15,dimensions=previous_response_code",
        ),
    ],
)
def test_what_forgets_leaves_a_route_that_is_down_and_comes_back(spec: str) -> None:
    before, down, afterwards = share_of_main_route(spec)
    assert before > 0.25
    assert down < before / 3
    assert afterwards > before / 2


@pytest.mark.parametrize(
    ("keeps", "forgets"),
    [
        (
            "thompson:discount=1,dimensions=previous_response_code",
            "thompson:discount=0.98,dimensions=previous_response_code",
        ),
        pytest.param(
            "hierarchical-thompson:half_life_days=1000,segments=previous_response_code",
            "hierarchical-thompson:half_life_days=0.05,segments=previous_response_code",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_forgets_nothing_stays_longer_on_a_route_that_is_down(
    keeps: str, forgets: str
) -> None:
    before, down, _ = share_of_main_route(keeps)
    assert before > 0.8
    assert down > 2 * share_of_main_route(forgets)[1]


FORGETFUL = (
    "ucb discounted",
    "ucb windowed",
    "thompson discounted",
    "thompson windowed",
    "hierarchical",
    "elimination",
    "success-rate of the engine",
)


def favourite(policy: Bandit, batch: LoggedBatch) -> str:
    """The route that gets most of a log's decisions."""
    probability = policy.probabilities(batch)
    shares = np.bincount(batch.action_route, probability, len(batch.routes))
    return batch.routes[int(shares.argmax())]


@pytest.mark.parametrize("name", FORGETFUL)
def test_what_forgets_follows_a_change(name: str) -> None:
    policy, batch = FRESH[name](), log(1_600)
    policy.update(rewarded(batch, "adyen"))
    assert favourite(policy, batch) == "adyen"
    policy.update(after(rewarded(batch, "checkout"), 3.0))
    assert favourite(policy, batch) == "checkout"


@pytest.mark.parametrize(
    "fresh", [lambda: Ucb(Discounted(1.0)), lambda: Thompson(Discounted(1.0))], ids=["ucb", "ts"]
)
def test_what_forgets_nothing_is_late(fresh: Callable[[], Bandit]) -> None:
    policy, batch = fresh(), log(1_600)
    for _ in range(3):
        policy.update(rewarded(batch, "adyen"))
    policy.update(after(rewarded(batch, "checkout"), 3.0))
    assert favourite(policy, batch) == "adyen"


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["thompson:dimensions=previous_response_code+issuer,discount=1"])
def test_in_a_world_without_change_it_does_better_than_chance(spec: str) -> None:
    small = named_world("small").world
    traffic = Traffic(3_000, days=14)

    def value(policy: Policy, learning: bool) -> float:
        logs = (
            simulate_live(small, traffic, policy, slot_s=21_600)
            if learning
            else simulate(small, traffic, policy)
        )
        approved = payments = 0.0
        for batch in logs:
            approved += float(np.nansum(batch.reward))
            payments += float((batch.attempt == 1).sum())
        return approved / payments

    assert value(wrap(load_policy(spec)), True) > value(wrap(Uniform()), False)
