from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch, LoggedBatch
from authopt.errors import UserError
from authopt.policies.priority import Priority
from authopt.policies.protocol import LearningPolicy
from authopt.policies.schedule import LearningSchedule, Schedule, scheduled
from authopt.policies.spec import load_policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.timetable import DAILY, WEEKS, Timetable
from authopt.policies.uniform import Uniform
from tests.authopt.policies.batches import Decision, batch_of
from tests.factories import logged_batch

DAY = 86_400


def decision(attempt: int, previous: str | None = None) -> Decision:
    actions = tuple(
        (route, delay) for route in ("adyen", "braintree") for delay in (0, DAY, 3 * DAY)
    )
    actions = (*actions, ("stop", 0))
    return Decision(attempt, actions, "visa", 1.0, previous, (0.0,) * len(actions))


def taken(batch: DecisionBatch, policy: Schedule) -> list[str]:
    at = np.flatnonzero(policy.probabilities(batch))
    row = batch.decision_of_action[at]
    places = at - batch.offsets[row]
    return [
        str(batch.actions(each)[place]) for each, place in zip(row, places.tolist(), strict=True)
    ]


def retries() -> LoggedBatch:
    """A log in which every decision offers each route now and a day later."""
    log = logged_batch(600, attempts_per_payment=3)
    return replace(
        log,
        action_route=np.repeat(log.action_route, 2),
        action_delay_s=np.tile(np.array([0, DAY]), log.m),
        offsets=2 * log.offsets,
        chosen=2 * log.chosen,
        probability=None,
    )


def test_the_policy_chooses_the_route_and_the_timetable_the_delay() -> None:
    policy = load_policy("schedule:routes=adyen+braintree,days=1+3")
    assert isinstance(policy, Schedule)
    batch = batch_of(
        [decision(1), decision(2, "adyen"), decision(3, "braintree"), decision(4, "adyen")]
    )
    assert taken(batch, policy) == [
        "adyen",
        f"braintree+{DAY}s",
        f"adyen+{3 * DAY}s",
        "stop",
    ]


def test_without_cascade_every_attempt_goes_to_the_first_route() -> None:
    policy = load_policy("schedule:routes=adyen+braintree,days=daily,cascade=no")
    assert isinstance(policy, Schedule)
    batch = batch_of([decision(2, "adyen"), decision(7, "adyen")])
    assert taken(batch, policy) == [f"adyen+{DAY}s"] * 2


def test_probabilities_are_those_of_the_policy_among_the_actions_on_time() -> None:
    batch = batch_of([decision(2, "adyen")])
    assert scheduled(Uniform()).probabilities(batch).tolist() == [0, 0.5, 0, 0, 0.5, 0, 0]


def test_first_attempts_are_those_of_the_policy() -> None:
    batch = batch_of([decision(1), decision(2)])
    first = scheduled(Uniform()).probabilities(batch)[: batch.offsets[1]]
    assert first.tolist() == [1 / 7] * 7


def test_it_learns_if_the_policy_does() -> None:
    log = retries()
    policy = scheduled(SuccessRate(dimensions=()), DAILY)
    assert isinstance(policy, LearningPolicy)
    policy.update(log)
    alone = SuccessRate(dimensions=())
    alone.update(log)
    later = log.decisions().take(slice(0, 30))
    on_time = later.keep_actions((later.action_delay_s > 0) | np.repeat(later.attempt == 1, 6))
    kept = policy.probabilities(later)
    assert kept[kept > 0] == pytest.approx(alone.probabilities(on_time), abs=0)
    assert not isinstance(scheduled(Priority(("adyen",))), LearningPolicy)


def test_what_it_learnt_is_saved_and_restored_exactly(tmp_path: Path) -> None:
    log = retries()
    first, rest = log.take(slice(0, 300)), log.take(slice(300, 600))
    policy = scheduled(SuccessRate(dimensions=()), Timetable((2.0, 0.1), "repeat"))
    assert isinstance(policy, LearningSchedule)
    policy.update(first)
    policy.save(tmp_path / "state.json")
    again = load_policy(f"schedule:{tmp_path / 'state.json'}")
    assert isinstance(again, LearningSchedule)
    assert again.timetable == policy.timetable
    for each in (policy, again):
        each.update(rest)
    assert (again.probabilities(log) == policy.probabilities(log)).all()


def test_a_spec_wraps_any_policy() -> None:
    policy = load_policy("scheduled+success-rate:window=50,epsilon=0.1")
    assert isinstance(policy, LearningSchedule)
    assert policy.timetable == WEEKS
    assert policy.name == "success-rate + 0.1 uniform + retries 1d+3d+5d+7d+..."


def test_a_policy_that_cannot_be_saved_is_told(tmp_path: Path) -> None:
    policy = load_policy("scheduled+success-rate:window=50,epsilon=0.1")
    assert isinstance(policy, LearningSchedule)
    with pytest.raises(UserError, match="cannot be saved"):
        policy.save(tmp_path / "state.json")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("schedule", "needs routes"),
        ("schedule:days=1", "needs routes"),
        ("schedule:routes=a+b,days=x", "days is 'x'"),
        ("schedule:routes=a+a", "more than once"),
        ("schedule:nowhere.json", "no such file"),
    ],
)
def test_bad_specs_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_policy(spec)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"then": "repeat"', '"then": "maybe"'), "maybe"),
        (('"days": [', '"days": [-1, '), "expected numbers from 0 up"),
        (("state.wrapped.json", "lost.json"), "no such file"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    policy = scheduled(SuccessRate())
    assert isinstance(policy, LearningSchedule)
    path = tmp_path / "state.json"
    policy.save(path)
    text = path.read_text("utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), "utf-8")
    with pytest.raises(UserError, match=message):
        LearningSchedule.load(path)


def test_vocabularies_may_differ_from_batch_to_batch() -> None:
    batch = batch_of([decision(2, "adyen")])
    other = replace(
        batch,
        routes=("new", *batch.routes),
        action_route=(batch.action_route + 1).astype(np.int32),
        context={**batch.context, "previous_route": Categorical.from_values(["adyen"])},
    )
    policy = load_policy("schedule:routes=adyen+braintree")
    assert (policy.probabilities(batch) == policy.probabilities(other)).all()
