"""The answer comes by the deadline, whatever the policy and the store do."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.uniform import Uniform
from service.active_policy import ActivePolicy
from service.deciding.lane import MAX_LATE
from service.deciding.timely import LATE, LEFT_ALONE, NOT_RECORDED, Timely, Told
from service.settings import Settings
from service.store.group_commit import GroupCommit
from tests.service.deciding.asked import question, serving
from tests.service.deciding.policies import Acting, Hanging
from tests.service.in_process import ROUTES, ask, recorder_of, request_body, running, settings_in

SOON_S = 1.0
AT_LAST_S = 20.0


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[GroupCommit]:
    with running(settings_in(tmp_path)) as app:
        yield recorder_of(app)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    policy = Hanging()
    yield policy
    policy.let_go.set()


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """The database is being written by somebody who does not end."""
    connection = sqlite3.connect(settings.database.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.rollback()
    connection.close()


def fallbacks(told: Told) -> list[str | None]:
    return [each.fallback for each in told.kept] + [each.fallback for each in told.unrecorded]


def test_a_policy_that_hangs_is_done_without_and_the_answer_is_on_record(
    tmp_path: Path, hanging: Hanging
) -> None:
    settings = settings_in(tmp_path, deadline_ms=2_000)
    with running(settings, ActivePolicy("hanging", policy=hanging)) as app:
        answer = ask(app.test_client(), request_body()).get_json()
        assert (answer["fallback"], answer["recorded"]) == (LATE, True)
        assert (answer["action"]["route"], answer["propensity"]) == (ROUTES[0], 1.0)
        again = ask(app.test_client(), request_body()).get_json()
        assert again == answer
        hanging.let_go.set()


def test_a_policy_that_hangs_holds_one_thread_however_many_ask(
    recorder: GroupCommit, hanging: Hanging
) -> None:
    timely = Timely(recorder, SOON_S, SOON_S)
    state = serving(hanging)
    before = threading.active_count()
    timely.decide([question(state, 0)], time.monotonic(), SOON_S)
    time.sleep(SOON_S)
    with ThreadPoolExecutor(8) as pool:
        asked = [question(state, number) for number in range(1, 50)]
        told = list(
            pool.map(lambda each: timely.decide([each], time.monotonic(), AT_LAST_S), asked)
        )
    # Nobody waits for a policy that is known to hang.
    assert {each for one in told for each in fallbacks(one)} == {LEFT_ALONE}
    assert threading.active_count() <= before + 1
    timely.close()


def test_a_policy_that_comes_back_is_asked_again(recorder: GroupCommit, hanging: Hanging) -> None:
    timely = Timely(recorder, SOON_S, SOON_S)
    state = serving(hanging)
    assert fallbacks(timely.decide([question(state, 0)], time.monotonic(), SOON_S)) == [LATE]
    hanging.let_go.set()
    until = time.monotonic() + AT_LAST_S
    number = 1
    while time.monotonic() < until:
        told = timely.decide([question(state, number)], time.monotonic(), AT_LAST_S)
        if fallbacks(told) == [None]:
            break
        number += 1
    assert fallbacks(told) == [None]
    timely.close()


def test_a_new_policy_does_not_wait_for_the_old_one_that_hangs(
    recorder: GroupCommit, hanging: Hanging
) -> None:
    timely = Timely(recorder, SOON_S, SOON_S)
    timely.decide([question(serving(hanging), 0)], time.monotonic(), SOON_S)
    time.sleep(SOON_S)
    told = timely.decide([question(serving(Uniform()), 1)], time.monotonic(), AT_LAST_S)
    assert fallbacks(told) == [None]
    timely.close()


def test_what_a_late_policy_says_is_not_recorded_beside_the_fallback(
    recorder: GroupCommit, hanging: Hanging
) -> None:
    timely = Timely(recorder, SOON_S, SOON_S)
    (kept,) = timely.decide([question(serving(hanging), 0)], time.monotonic(), SOON_S).kept
    hanging.let_go.set()
    timely.close()
    stays = timely.decide([question(serving(Uniform()), 0)], time.monotonic(), AT_LAST_S)
    assert stays.kept[0].answer == kept.answer
    timely.close()


def test_a_policy_that_is_always_too_slow_is_left_alone_for_a_while(recorder: GroupCommit) -> None:
    def act(_: DecisionBatch, given: FloatArray) -> FloatArray:
        time.sleep(0.1)
        return given

    timely = Timely(recorder, AT_LAST_S, AT_LAST_S)
    state = serving(Acting(act))
    told: list[str | None] = []
    for number in range(MAX_LATE + 1):
        told += fallbacks(timely.decide([question(state, number)], time.monotonic(), 0.06))
        time.sleep(0.1)
    assert told[0] in (LATE, NOT_RECORDED)
    assert told[-1] == LEFT_ALONE
    timely.close()


def test_merchants_do_not_wait_for_each_others_policies(
    recorder: GroupCommit, hanging: Hanging
) -> None:
    timely = Timely(recorder, SOON_S, SOON_S)
    timely.decide([question(serving(hanging), 0)], time.monotonic(), SOON_S)
    other = serving(Uniform(), tenant="other")
    assert fallbacks(timely.decide([question(other, 0)], time.monotonic(), AT_LAST_S)) == [None]
    timely.close()


def test_a_merchant_whose_policy_was_killed_is_decided_for_by_priority(
    recorder: GroupCommit, hanging: Hanging
) -> None:
    timely = Timely(recorder, SOON_S, SOON_S)
    state = serving(hanging, killed="killed by an operator")
    told = timely.decide([question(state)], time.monotonic(), AT_LAST_S)
    assert fallbacks(told) == ["killed by an operator"]
    assert not hanging.called.is_set()
    timely.close()


def test_a_store_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, deadline_ms=400, busy_timeout_s=3.0)
    with running(settings) as app:
        with locked(settings):
            started = time.monotonic()
            told = [ask(app.test_client(), request_body(each)).get_json() for each in ("a", "b")]
            assert time.monotonic() - started < 2.5
        kept = [recorder_of(app).store.decision(each) for each in ("a", "b")]
    assert [each["recorded"] for each in told] == [False, False]
    for answer, record in zip(told, kept, strict=True):
        # Either what was drawn is answered, as it may yet be on record, or it never will be.
        if answer["fallback"] == NOT_RECORDED:
            assert (answer["action"]["route"], answer["propensity"]) == (ROUTES[0], 1.0)
            assert record is None
        else:
            assert record is None or record.route == answer["action"]["route"]
