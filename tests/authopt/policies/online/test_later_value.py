"""What follows an attempt counts where there is a choice of time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Categorical, DecisionBatch, LoggedBatch, concat
from authopt.policies.online import OnlineVw
from authopt.policies.online.later_value import choice_of_time

DAY = 86_400
START = np.datetime64("2026-01-01T00:00:00", "us")
WAITS = (DAY, 3 * DAY)
CHANCE = {DAY: 0.40, 3 * DAY: 0.5}
"""A long wait has the better chance; a short one leaves time for another attempt."""


def retries(payments: int, attempt: int, deadline_days: float, start_day: int) -> DecisionBatch:
    """Decisions with a choice of two waits on one route."""
    return DecisionBatch(
        decision_id=pa.array([f"d{start_day}-{number}-{attempt}" for number in range(payments)]),
        payment_id=pa.array([f"p{start_day}-{number}" for number in range(payments)]),
        attempt=np.full(payments, attempt, np.int32),
        decided_at=np.full(payments, START + np.timedelta64(start_day, "D")),
        context={
            "seconds_to_deadline": np.full(payments, deadline_days * DAY),
            "previous_response_code": Categorical(np.zeros(payments, np.int32), ("51",)),
        },
        routes=("adyen", "stop"),
        action_route=np.tile(np.array([0, 0, 1], np.int32), payments),
        action_delay_s=np.tile(np.array([*WAITS, 0], np.int64), payments),
        offsets=np.arange(0, 3 * payments + 1, 3, dtype=np.int64),
    )


def taken(batch: DecisionBatch, chosen: np.ndarray, rng: np.random.Generator) -> LoggedBatch:
    chance = np.array([CHANCE[wait] for wait in WAITS])[chosen]
    return LoggedBatch(
        **{name: getattr(batch, name) for name in DecisionBatch.__dataclass_fields__},
        chosen=chosen.astype(np.int64),
        propensity=np.full(batch.n, 0.5),
        reward=(rng.random(batch.n) < chance).astype(np.float64),
    )


def days_of_traffic(days: int) -> list[LoggedBatch]:
    """Log by day, in the order in which outcomes are known; waits drawn alike."""
    rng = np.random.default_rng(3)
    by_day: dict[int, list[LoggedBatch]] = {}
    for day in range(days):
        first = taken(retries(60, 2, 4.0, day), rng.integers(0, 2, 60), rng)
        by_day.setdefault(day + 3, []).append(first)
        goes_on = np.flatnonzero((first.reward == 0.0) & (first.chosen == 0))
        second = retries(60, 3, 3.5, day).take(goes_on)
        second = replace(second, decided_at=second.decided_at + np.timedelta64(1, "D"))
        by_day.setdefault(day + 6, []).append(taken(second, rng.integers(0, 2, second.n), rng))
    return [concat(by_day[day]) for day in sorted(by_day)]


@pytest.fixture(scope="module")
def policies() -> dict[bool, OnlineVw]:
    found = {}
    for plan in (True, False):
        found[plan] = OnlineVw(plan=plan, bits=14)
        for batch in days_of_traffic(40):
            found[plan].update(batch)
    return found


def favourite(policy: OnlineVw, attempt: int, deadline_days: float) -> int:
    probability = policy.probabilities(retries(1, attempt, deadline_days, 90))
    return (*WAITS, 0)[int(probability.argmax())]


def test_a_learner_that_looks_at_one_attempt_waits_for_the_best_chance(
    policies: dict[bool, OnlineVw],
) -> None:
    assert favourite(policies[False], 2, 4.0) == 3 * DAY


def test_a_learner_that_plans_leaves_time_for_another_attempt(
    policies: dict[bool, OnlineVw],
) -> None:
    assert favourite(policies[True], 2, 4.0) == DAY


def test_at_the_last_attempt_both_wait_for_the_best_chance(
    policies: dict[bool, OnlineVw],
) -> None:
    for policy in policies.values():
        assert favourite(policy, 3, 3.5) == 3 * DAY


def test_what_is_saved_plans_on_bit_for_bit(tmp_path: Path) -> None:
    log = days_of_traffic(12)
    policy = OnlineVw(bits=14)
    for batch in log[:6]:
        policy.update(batch)
    policy.save(tmp_path / "online.json")
    restored = OnlineVw.load(tmp_path / "online.json")
    for batch in log[6:]:
        policy.update(batch)
        restored.update(batch)
    asked = retries(1, 2, 4.0, 90)
    assert restored.costs(asked).tolist() == policy.costs(asked).tolist()


def test_stopping_is_no_choice_of_time() -> None:
    batch = retries(2, 2, 4.0, 0)
    assert choice_of_time(batch).tolist() == [True, True]
    now = replace(batch, action_delay_s=np.where(batch.is_stop, DAY, 0))
    assert choice_of_time(now).tolist() == [False, False]
