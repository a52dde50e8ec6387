from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pytest

from authopt.explaining.shares import (
    CHOICE,
    DOUBT,
    EVEN,
    EXPLORED,
    FLOOR,
    HEDGED,
    MEANINGS,
    REROUTED,
    SCHEDULED,
    TRIED,
    shares,
)
from authopt.learning.train_vw import train_vw
from authopt.policies.guard import Guarded
from authopt.policies.online import OnlineVw
from authopt.policies.online.choosing import WAITS_FIRST
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.schedule import scheduled
from authopt.policies.spec import load_policy
from authopt.policies.spibb import Spibb
from authopt.policies.uniform import Uniform
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from tests.authopt.explaining.logs import online, sample_log
from tests.authopt.policies.guard.outcomes import ROUTES, down, second, well

SPECS = [
    "uniform",
    "priority:routes=atlas,delta,epsilon=0.1",
    "random-split:weights=atlas:3+delta:1",
    "success-rate",
    "success-rate:start=full,hedge=others,hedging=0.02",
    "success-rate-elimination",
    "ucb",
    "thompson",
    "hierarchical-thompson",
    "best-route:epsilon=0.05",
    "scheduled+success-rate",
    "guarded+thompson",
]


def taught(spec: str) -> Policy:
    policy = load_policy(spec)
    if isinstance(policy, LearningPolicy):
        policy.update(sample_log())
    return policy


def grown_up(policy: OnlineVw) -> OnlineVw:
    """The learner, as if it had seen enough of what comes of waiting."""
    older = copy(policy)
    older.waits = WAITS_FIRST
    return older


def assert_split(policy: Policy, least: float = 0.0) -> set[str]:
    """The shares sum to the probabilities; the names of those that are anything are returned."""
    batch = sample_log(300).decisions()
    found = shares(policy, batch)
    total = np.sum(list(found.values()), axis=0)
    assert total == pytest.approx(policy.probabilities(batch), abs=1e-9)
    assert all(each.min() >= least - 1e-12 for each in found.values())
    assert set(found) <= set(MEANINGS)
    return {name for name, each in found.items() if each.max() > 0.0}


@pytest.mark.parametrize("spec", SPECS)
def test_the_shares_of_every_family_sum_to_its_probabilities(spec: str) -> None:
    assert_split(taught(spec))


def test_a_learner_splits_into_choice_tries_and_floor() -> None:
    assert assert_split(grown_up(online())) == {CHOICE, TRIED, FLOOR}
    assert assert_split(grown_up(online(gamma=50.0))) == {CHOICE, EXPLORED, TRIED, FLOOR}
    assert assert_split(OnlineVw()) == {EVEN, FLOOR}


def test_a_learner_that_knows_little_of_waiting_keeps_retries_to_the_schedule() -> None:
    assert assert_split(online()) == {CHOICE, SCHEDULED, TRIED, FLOOR}


def test_the_floor_is_what_every_action_gets() -> None:
    batch = sample_log().decisions()
    floor = shares(taught("success-rate"), batch)[FLOOR]
    assert floor * np.repeat(batch.counts, batch.counts) == pytest.approx(0.05)


def test_hedging_is_what_goes_behind_the_best() -> None:
    assert assert_split(taught(SPECS[4])) == {CHOICE, HEDGED}


def test_thompson_sampling_explores_by_doubt() -> None:
    assert assert_split(taught("thompson")) == {CHOICE, DOUBT}


@pytest.mark.parametrize("explorer", ["epsilon", "squarecb"])
def test_a_trained_model_splits_by_its_explorer(tmp_path: Path, explorer: str) -> None:
    out = tmp_path / "model.vw"
    options = VwOptions(explorer=explorer, bits=16)  # type: ignore[arg-type]
    train_vw(lambda _: [sample_log(300)], out, options, judge=False)
    explored = {EXPLORED} if explorer == "squarecb" else set()
    assert assert_split(VwPolicy.load(out)) == {CHOICE, FLOOR} | explored


def test_what_a_schedule_leaves_no_room_for_gets_nothing_of_any_share() -> None:
    batch = sample_log().decisions()
    policy = scheduled(Uniform())
    found = shares(policy, batch)
    assert list(found) == [EVEN]
    assert np.array_equal(found[EVEN] > 0.0, policy.probabilities(batch) > 0.0)


def test_a_policy_that_departs_where_it_may_splits_into_candidate_and_live() -> None:
    live, candidate = (load_policy(f"priority:routes={each}") for each in ("delta", "atlas"))
    seen = {((), "atlas", 0): 100, ((), "delta", 0): 100}
    assert assert_split(Spibb(candidate, live, seen, ())) == {"candidate", "live"}


def test_the_guard_takes_from_a_route_that_is_down_what_it_gives_to_others() -> None:
    policy = Guarded(load_policy("success-rate"))
    for at_s in range(60):
        policy.update(second(policy, at_s, well if at_s < 40 else down("adyen")))
    assert not all(each.is_up for each in policy.status())
    batch = second(policy, 60, well).decisions()
    moved = shares(policy, batch)[REROUTED]
    from_down = batch.action_route == ROUTES.index("adyen")
    assert moved[from_down].max() < 0.0
    assert batch.sum_by_decision(moved) == pytest.approx(0.0, abs=1e-9)
