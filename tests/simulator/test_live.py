"""A policy that learns while it acts sees what was known by then, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch, concat
from authopt.logs.arrow import to_arrow
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform, uniform
from authopt.rules import DEFAULT_RULES, load_rules
from authopt.rules.merchant import MerchantRules
from simulator.live import simulate_live
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic
from simulator.world import WorldSettings, make_world
from tests.simulator.trap_world import TrapWorld

WORLD = small_world()
TRAFFIC = Traffic(250, days=1.5, seed=11)


@dataclass
class Recorder:
    """Acts evenly and keeps what it was let learn."""

    name: str = "recorder"
    learnt: list[LoggedBatch] = field(default_factory=list)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return uniform(batch)

    def update(self, batch: LoggedBatch) -> None:
        self.learnt.append(batch)


def known_at(batch: LoggedBatch) -> np.ndarray:
    return np.asarray(batch.outcome["outcome_at"], "M8[us]")


@pytest.mark.parametrize("slot_s", [300, 3_600, 7 * 86_400])
def test_a_policy_that_does_not_learn_makes_the_rows_of_a_simulation(slot_s: int) -> None:
    policy = MerchantRouter(DEFAULT_ORDER)
    expected = concat(list(simulate(WORLD, TRAFFIC, policy)))
    live = list(simulate_live(WORLD, TRAFFIC, policy, slot_s=slot_s, chunk_payments=90))
    assert to_arrow(concat(live)).equals(to_arrow(expected))


def test_in_the_world_of_cards_too() -> None:
    world = make_world(WorldSettings(issuers=60, cards=20_000, merchants=12))
    policy = MerchantRouter(world.default_order)
    expected = concat(list(simulate(world, TRAFFIC, policy)))
    live = list(simulate_live(world, TRAFFIC, policy, slot_s=21_600))
    assert to_arrow(concat(live)).equals(to_arrow(expected))


def test_a_batch_is_a_slot() -> None:
    seen = []
    for batch in simulate_live(WORLD, TRAFFIC, Uniform(), slot_s=1_800):
        slot = (batch.decided_at - TRAFFIC.start) // np.timedelta64(1_800, "s")
        assert len(set(slot.tolist())) == 1
        seen.append(int(slot[0]))
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("slot_s", [1_800, 86_400])
def test_by_a_slots_start_it_has_learnt_exactly_what_was_known(slot_s: int) -> None:
    policy = Recorder()
    slot = np.timedelta64(slot_s, "s")
    done: list[LoggedBatch] = []
    for batch in simulate_live(WORLD, TRAFFIC, policy, slot_s=slot_s):
        start = TRAFFIC.start + (batch.decided_at[0] - TRAFFIC.start) // slot * slot
        learnt = {name for each in policy.learnt for name in each.decision_id.to_pylist()}
        known = {
            name
            for each in done
            for name, at in zip(each.decision_id.to_pylist(), known_at(each), strict=True)
            if at <= start
        }
        assert learnt == known
        done.append(batch)
    assert policy.learnt


def test_it_learns_from_a_decision_once_and_in_the_order_of_decisions() -> None:
    policy = Recorder()
    for _ in simulate_live(WORLD, TRAFFIC, policy, slot_s=7_200):
        pass
    names = [name for each in policy.learnt for name in each.decision_id.to_pylist()]
    assert len(names) == len(set(names))
    for each in policy.learnt:
        assert (np.diff(each.decided_at) >= np.timedelta64(0)).all()


def test_refunds_and_chargebacks_are_missing_until_they_come() -> None:
    world = make_world(WorldSettings(issuers=60, cards=20_000, merchants=12))
    policy = Recorder()
    traffic = Traffic(800, days=30, seed=2)
    log = concat(list(simulate_live(world, traffic, policy, slot_s=86_400 * 40)))
    in_the_end = np.asarray(log.outcome["charged_back"])
    assert not np.isnan(in_the_end).any()
    learnt = concat(policy.learnt)
    assert learnt.n > 700
    corrected_at = np.asarray(learnt.outcome["corrected_at"])
    known = ~np.isnat(corrected_at)
    # All was learnt at the start of the second slot, 40 days on.
    assert (corrected_at[known] <= traffic.start + np.timedelta64(40, "D")).all()
    for name in ("charged_back", "refunded_minor"):
        assert np.array_equal(np.isnan(np.asarray(learnt.outcome[name])), ~known)
    assert known.any()
    assert not known.all()


def test_it_does_not_learn_where_it_may_not() -> None:
    policy = Recorder()
    batches = list(simulate_live(WORLD, TRAFFIC, policy, slot_s=7_200, update=False))
    assert batches
    assert not policy.learnt


def test_learning_changes_what_it_does() -> None:
    learning, frozen = (
        concat(list(simulate_live(TrapWorld(), Traffic(200), SuccessRate(), update=update)))
        for update in (True, False)
    )
    # Payments come a minute apart: the first slots are alike, then the windows fill.
    assert learning.propensity[0] == frozen.propensity[0]
    assert not np.array_equal(learning.propensity, frozen.propensity)


def test_many_payments_a_second_are_taken_in_slots_of_a_second() -> None:
    traffic = Traffic(500, np.datetime64("2026-03-01T12:00:05"), days=10 / 86_400, seed=2)
    batches = list(simulate_live(WORLD, traffic, Uniform(), slot_s=1))
    first = concat(batches)
    first = first.take(np.flatnonzero(first.attempt == 1))
    per_second = np.bincount(
        ((first.decided_at - traffic.start) // np.timedelta64(1, "s")).astype(int)
    )
    assert first.n == 500
    assert len(per_second) == 10
    assert per_second.min() >= 40


def test_the_rules_hold_live_too() -> None:
    strict = load_rules(merchant=MerchantRules(max_attempts=2))
    batch = concat(list(simulate_live(WORLD, TRAFFIC, Uniform(), rules=strict, slot_s=86_400)))
    assert batch.attempt.max() == 2
    loose = concat(
        list(simulate_live(WORLD, TRAFFIC, Uniform(), rules=DEFAULT_RULES, slot_s=86_400))
    )
    assert loose.attempt.max() > 2


def test_no_payments_make_no_slots() -> None:
    assert list(simulate_live(WORLD, Traffic(0), Uniform())) == []


def test_a_slot_must_last() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        next(simulate_live(WORLD, TRAFFIC, Uniform(), slot_s=0))
