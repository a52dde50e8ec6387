"""Replay over HTTP: what is sent when, and what is done where an answer is not as it should be."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from authopt.errors import UserError
from simulator.replay.answering import ByNobody, Source
from simulator.replay.course import Course
from simulator.replay.over_http import AS_FAST_AS_POSSIBLE, ServiceReplay, check_service
from simulator.replay.replayed import Replayed, known_at
from tests.simulator.replay.noting_server import Noted, noting_server
from tests.simulator.replay.small_logs import SAME_WORLD, log

EARLY_S = 0.3
"""Time that the very first request may take to arrive, by which the others seem early."""

UNAVAILABLE = (503, {"detail": "the outcome could not be recorded; send it again"})
UNPROCESSABLE = (422, {"detail": "actions[3].route: expected one of a, b"})


def replay(
    noted: Noted,
    payments: int = 40,
    *,
    speed: float = AS_FAST_AS_POSSIBLE,
    concurrency: int = 4,
    by_world: bool = True,
) -> Replayed:
    course = Course(log(), SAME_WORLD if by_world else ByNobody(), payments)
    going = ServiceReplay(course, noted.url, "run", speed, concurrency)
    made = sum(going.decisions())
    replayed = going.result()
    assert replayed.batch.n == made
    return replayed


def test_every_decision_is_asked_for_once_and_every_outcome_told_once() -> None:
    with noting_server(Noted()) as noted:
        replayed = replay(noted)
    asked = [body["decision_id"] for _, body in noted.of("/v1/decisions")]
    told = [body["decision_id"] for _, body in noted.of("/v1/outcomes")]
    ids = [f"run-{name}" for name in replayed.batch.decision_id.to_pylist()]
    assert sorted(asked) == sorted(told) == sorted(ids)
    assert replayed.traffic is not None
    assert replayed.traffic.requests == 2 * len(ids)
    assert replayed.traffic.outcomes == len(ids)
    assert not replayed.traffic.errors
    assert replayed.policy == "the first"


def test_an_outcome_is_told_after_its_decision() -> None:
    with noting_server(Noted()) as noted:
        replay(noted, concurrency=8)
    asked = {body["decision_id"]: at for at, body in noted.of("/v1/decisions")}
    assert all(at > asked[body["decision_id"]] for at, body in noted.of("/v1/outcomes"))


def test_one_connection_keeps_the_order_of_the_log() -> None:
    with noting_server(Noted()) as noted:
        replay(noted, concurrency=1)
    moments = [
        datetime.fromisoformat(body.get("decided_at") or body["outcome_at"])
        for _, _, body in noted.came
    ]
    assert moments == sorted(moments)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_requests_come_when_they_are_due_at_the_speed_asked_for() -> None:
    decided = log().first(12).decided_at
    span_s = float((decided.max() - decided.min()) / np.timedelta64(1, "s"))
    speed = span_s / 2.0
    with noting_server(Noted()) as noted:
        replayed = replay(noted, 12, speed=speed, concurrency=16, by_world=False)
    begun = noted.came[0][0]
    asked = {body["decision_id"]: (at, body) for at, body in noted.of("/v1/decisions")}
    first = min(seconds(body["decided_at"]) for _, body in asked.values())
    for at, body in asked.values():
        assert at - begun > (seconds(body["decided_at"]) - first) / speed - EARLY_S
    for at, body in noted.of("/v1/outcomes"):
        assert at > asked[body["decision_id"]][0]
        assert at - begun > (seconds(body["outcome_at"]) - first) / speed - EARLY_S
    assert replayed.traffic is not None
    assert len(replayed.traffic.late_s) == replayed.traffic.requests
    assert (replayed.traffic.late_s >= 0).all()
    assert replayed.traffic.seconds > 1.9


def test_a_request_that_is_to_be_sent_again_is() -> None:
    with noting_server(Noted(script={0: UNAVAILABLE, 5: UNAVAILABLE})) as noted:
        replayed = replay(noted)
    assert replayed.traffic is not None
    assert replayed.traffic.retried == 2
    assert not replayed.traffic.errors
    assert replayed.traffic.outcomes == replayed.batch.n


def test_what_fails_for_good_is_counted_and_its_payment_ends() -> None:
    with noting_server(Noted(script={3: UNPROCESSABLE, 4: (500, b"oops")})) as noted:
        replayed = replay(noted, concurrency=1)
    assert replayed.traffic is not None
    assert sum(replayed.traffic.errors.values()) == 2
    assert any("422 actions[].route: expected one of" in each for each in replayed.traffic.errors)
    assert any("500" in each for each in replayed.traffic.errors)
    assert len(noted.of("/v1/decisions")) + len(noted.of("/v1/outcomes")) == len(noted.came)


def test_an_answer_that_makes_no_sense_is_counted() -> None:
    unknown = {"action": {"route": "x", "delay_s": 0}, "propensity": 1.0, "actions": []}
    script = {0: (200, b"<html>"), 1: (200, unknown | {"policy": {"name": "odd"}})}
    with noting_server(Noted(script=script)) as noted:
        replayed = replay(noted, concurrency=1)
    assert replayed.traffic is not None
    kinds = list(replayed.traffic.errors)
    assert sum("not understood" in each for each in kinds) == 1
    assert sum("not among the eligible ones" in each for each in kinds) == 1


def test_a_service_that_refuses_the_log_altogether_ends_the_replay_with_the_reason() -> None:
    with (
        noting_server(Noted(always=UNPROCESSABLE)) as noted,
        pytest.raises(
            UserError, match=r"refuses every decision of the log \(decision: 422"
        ) as told,
    ):
        replay(noted, 200)
    assert "--routes atlas,borealis,cordillera,delta,everywhere" in str(told.value)
    assert len(noted.came) < 100


def test_few_decisions_that_are_all_refused_are_an_error_too() -> None:
    with (
        noting_server(Noted(always=UNPROCESSABLE)) as noted,
        pytest.raises(UserError, match="no decision was answered: 5 x decision: 422"),
    ):
        replay(noted, 5)


def test_a_service_that_was_never_there_is_a_users_error() -> None:
    with noting_server(Noted()) as noted:
        url = noted.url
    with pytest.raises(UserError, match="Start the service with authopt serve"):
        check_service(url)


def test_something_else_that_answers_is_not_taken_for_the_service() -> None:
    with noting_server(Noted()) as noted, pytest.raises(UserError, match="expected the decision"):
        check_service(noted.url)


def test_where_nobody_answers_for_the_action_no_outcome_is_told() -> None:
    with noting_server(Noted()) as noted:
        replayed = replay(noted, by_world=False)
    known = replayed.source != Source.NOT_FOLLOWED
    told = {body["decision_id"] for _, body in noted.of("/v1/outcomes")}
    ids = replayed.batch.decision_id.take(np.flatnonzero(known)).to_pylist()
    assert 0 < len(ids) < replayed.batch.n
    assert told == {f"run-{name}" for name in ids}
    assert (known_at(replayed.batch) >= replayed.batch.decided_at).all()
