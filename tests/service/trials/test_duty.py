"""Trials are judged by payments that count, once each, and ended where they do harm."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from scipy import stats
from sqlalchemy import Engine, func, select

from authopt.experiments.assignment import Assignment
from authopt.hashing import unit_of
from service.store.changes import changing, history, present
from service.store.export import logged_batches
from service.store.tables import decisions
from service.trials import duty
from service.trials.duty import judge_trials
from service.trials.operating import pause
from service.trials.payments import Place, next_payments
from service.trials.trial import CANARY, EXPERIMENT, Arm, Trial, trial_of
from service.watch.findings import finding
from tests.service.in_process import running, settings_in
from tests.service.live.test_following import engine_of, live_of
from tests.service.trials.running import canary, decide, experiment, put, run

HOUR_US = 3_600_000_000


def now_us() -> int:
    return int(time.time() * 1e6)


@pytest.fixture
def either(tmp_path: Path, database_url: str) -> Iterator[Flask]:
    """The service on SQLite and on PostgreSQL."""
    with running(settings_in(tmp_path, database=database_url)) as app:
        yield app


def decide_all(client: FlaskClient, payments: range, **body: Any) -> list[dict[str, Any]]:
    asked = [
        {"payment_id": f"pay-{number}", "attempt": 1, "context": {"network": "visa"}} | body
        for number in payments
    ]
    answer = client.post("/v1/decisions/batch", json={"decisions": asked})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [item["decision"] for item in answer.get_json()["items"]]


def tell_all(
    client: FlaskClient, answers: list[dict[str, Any]], rate: dict[str | None, float]
) -> None:
    """Approve every arm's decisions at its rate."""
    told = [
        {
            "decision_id": each["decision_id"],
            "approved": unit_of(each["payment_id"], "paid") < rate[each.get("arm")],
        }
        for each in answers
    ]
    answer = client.post("/v1/outcomes/batch", json={"outcomes": told})
    assert answer.status_code == 200, answer.get_data(as_text=True)


def found(engine: Engine, trial: Trial) -> dict[str, Any]:
    with engine.connect() as connection:
        told = finding(connection, "default", trial.kind, trial.subject)
    assert told is not None
    return told.content


def state_of(engine: Engine, trial: Trial) -> Trial:
    with engine.connect() as connection:
        return trial_of(present(connection, "default")[trial.kind, trial.subject])


def rows_in(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.max(decisions.c.number))) or 0


def test_an_aa_test_is_sticky_exact_and_split_as_planned(either: Flask) -> None:
    engine, client = engine_of(either), either.test_client()
    trial = experiment(Arm("a", "live"), Arm("b", "live", weight=2), wait_s=3600)
    run(either, engine, trial)
    answers = decide_all(client, range(500))
    planned = Assignment("s", ("a", "b"), (1, 2))
    assert [each["arm"] for each in answers] == [
        planned.arm_of(f"pay-{number}") for number in range(500)
    ]
    again = decide_all(client, range(100), attempt=2)
    assert [each["arm"] for each in again] == [each["arm"] for each in answers[:100]]
    for each in answers:
        given = {action["route"]: action["probability"] for action in each["actions"]}
        assert each["propensity"] == given[each["action"]["route"]] == pytest.approx(1 / 3)
    sizes = Counter(each["arm"] for each in answers)
    assert stats.binomtest(sizes["b"], 500, 2 / 3).pvalue > 0.001
    tell_all(client, answers, {"a": 0.9, "b": 0.9})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = found(engine, trial)
    assert told["counted"] == 500
    assert told["reading"]["units"] == [sizes["a"], sizes["b"]]
    attempts = next(each for each in told["reading"]["metrics"] if each["metric"] == "attempts")
    assert sum(each["mean"] * each["units"] for each in attempts["values"]) == pytest.approx(
        600 - sum(each["action"]["route"] == "stop" for each in again)
    )
    assert told["reading"]["verdict"]["answer"] == "continue"
    assert state_of(engine, trial).is_running
    log = next(iter(logged_batches(engine)))
    told_by_id = {each["decision_id"]: each for each in (*answers, *again)}
    by_row = [told_by_id[name] for name in log.decision_id.to_pylist()]
    assert len(by_row) == 600
    assert list(log.context["x_arm"].values()) == [each["arm"] for each in by_row]  # type: ignore[union-attr]
    assert set(log.context["x_experiment"].values()) == {"e1"}  # type: ignore[union-attr]
    assert log.propensity.tolist() == [each["propensity"] for each in by_row]


def test_a_harmful_canary_is_rolled_back_and_live_decides_the_next(either: Flask) -> None:
    engine, client = engine_of(either), either.test_client()
    trial = canary(0.3, wait_s=3600)
    run(either, engine, trial)
    answers = decide_all(client, range(600))
    tell_all(client, answers, {"canary": 0.6, "live": 0.9})
    judge_trials(engine, "default", now_us())
    assert state_of(engine, trial).is_running, "nothing counts before its time"
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    assert state_of(engine, trial).state == "rolled-back"
    with engine.connect() as connection:
        last = history(connection, "default", CANARY, "live")[-1]
    assert last.actor == "watch"
    assert "canary has" in last.reason
    live_of(either).refresh(engine)
    answer = decide(client, 1)
    assert "arm" not in answer
    assert answer["policy"]["name"] == "uniform"
    judge_trials(engine, "default", now_us() + 2 * HOUR_US)
    with engine.connect() as connection:
        assert len(history(connection, "default", CANARY, "live")) == 2


def test_a_harmless_canary_goes_on(app: Flask, client: FlaskClient) -> None:
    engine, trial = engine_of(app), canary(0.3, wait_s=3600)
    run(app, engine, trial)
    tell_all(client, decide_all(client, range(600)), {"canary": 0.9, "live": 0.9})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    assert state_of(engine, trial).is_running
    assert found(engine, trial)["canary"]["state"] == "healthy"


def test_payments_of_every_share_of_a_canary_count(app: Flask, client: FlaskClient) -> None:
    engine, first = engine_of(app), canary(0.2, wait_s=3600)
    run(app, engine, first)
    tell_all(client, decide_all(client, range(200)), {"canary": 0.9, "live": 0.9})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    second = canary(0.5, wait_s=3600)
    run(app, engine, second)
    tell_all(client, decide_all(client, range(200, 500)), {"canary": 0.9, "live": 0.9})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = found(engine, second)
    assert told["counted"] == 500
    assert told["canary"]["live_units"] + told["canary"]["canary_units"] == 500
    assert sum(told["reading"]["units"]) == 300


def test_a_canary_that_leaves_payments_to_the_static_priority_breaks_its_guardrail(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(app)
    trial = canary(0.5, wait_s=3600, guardrails=({"metric": "fallback", "tolerance": 0.02},))
    run(app, engine, trial)
    monkeypatch.setattr(
        "authopt.policies.mixed.Mixed.probabilities",
        lambda self, batch: np.full(batch.m, np.nan),
    )
    answers = decide_all(client, range(300))
    assert {each["arm"] for each in answers if each["fallback"]} == {"canary"}
    tell_all(client, answers, {"canary": 0.9, "live": 0.9})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    assert state_of(engine, trial).state == "rolled-back"
    assert "fallback" in found(engine, trial)["canary"]["why"]


def test_arms_that_do_not_have_their_planned_sizes_pause_an_experiment(
    app: Flask, client: FlaskClient
) -> None:
    engine = engine_of(app)
    run(app, engine, experiment(wait_s=3600))
    answers = decide_all(client, range(1000))
    # Plans of nine to one, and decisions by one to one.
    trial = experiment(Arm("a", "live", weight=9), Arm("b", "live"), wait_s=3600)
    put(engine, trial)
    tell_all(client, answers, {"a": 0.9, "b": 0.9})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    assert state_of(engine, trial).state == "paused"
    with engine.connect() as connection:
        assert "as planned" in history(connection, "default", EXPERIMENT, "e1")[-1].reason


def test_each_payment_counts_once_however_often_it_is_looked_at(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    monkeypatch.setattr(duty, "STEPS", 1)
    monkeypatch.setattr("service.trials.payments.AT_ONCE", 40)
    for minute in range(11):
        moment = f"2026-03-01T12:{minute:02}:00Z"
        decide_all(client, range(minute * 10, minute * 10 + 10), decided_at=moment)
    more = [judge_trials(engine, "default", now_us()) for _ in range(6)]
    assert more[0]
    assert not more[-1]
    told = found(engine, trial)
    assert told["counted"] == 110
    # Whole minutes, as all of a time count at once.
    assert [each["payments"] for each in told["history"]][:2] == [30, 60]
    assert told["history"][-1]["payments"] == 110


def test_payments_count_in_the_order_of_their_moments_though_arms_are_recorded_apart(
    app: Flask, client: FlaskClient
) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    asked = decide_all(client, range(200))
    with engine.connect() as connection:
        rows = connection.execute(select(decisions.c.arm).order_by(decisions.c.number)).all()
        assert len(list(groupby(row.arm for row in rows))) == 2, "a batch is recorded arm by arm"
        at = now_us() + HOUR_US + 1
        step = next_payments(connection, "default", trial, Place(0), rows_in(engine), at)
    assert [each.unit for each in step.payments] == [each["payment_id"] for each in asked]


def test_no_arm_of_a_batch_counts_before_the_other(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    monkeypatch.setattr(duty, "STEPS", 1)
    monkeypatch.setattr("service.trials.payments.AT_ONCE", 20)
    decide_all(client, range(100))
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    assert found(engine, trial)["counted"] == 100


def test_a_decision_that_is_recorded_late_counts_and_one_from_the_future_does_not(
    app: Flask, client: FlaskClient
) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    decide_all(client, range(1), decided_at="2099-01-01T00:00:00Z")
    decide_all(client, range(1, 3))
    judge_trials(engine, "default", now_us())
    assert found(engine, trial)["counted"] == 0
    # Out of the spool, for one.
    decide_all(client, range(3, 4), decided_at="2026-03-01T00:00:00Z")
    judge_trials(engine, "default", now_us())
    assert found(engine, trial)["counted"] == 1
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = found(engine, trial)
    assert (told["counted"], told["left_out"]) == (3, {"dated more than a minute ahead": 1})


def test_a_look_that_another_was_faster_than_writes_nothing(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    tell_all(client, decide_all(client, range(50)), {"a": 0.9, "b": 0.9})
    at = now_us() + HOUR_US + 1
    slow = duty._write

    def another_first(*arguments: Any) -> None:
        monkeypatch.setattr(duty, "_write", slow)
        judge_trials(engine, "default", at)
        slow(*arguments)

    monkeypatch.setattr(duty, "_write", another_first)
    judge_trials(engine, "default", at)
    assert found(engine, trial)["counted"] == 50
    assert len(found(engine, trial)["history"]) == 1


def test_a_watch_that_dies_while_it_writes_leaves_what_was_there(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, trial = engine_of(app), canary(0.3, wait_s=3600)
    run(app, engine, trial)
    judge_trials(engine, "default", now_us())
    tell_all(client, decide_all(client, range(600)), {"canary": 0.6, "live": 0.9})
    at = now_us() + HOUR_US + 1
    with monkeypatch.context() as killed:
        killed.setattr(duty, "roll_back_canary", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            judge_trials(engine, "default", at)
    assert found(engine, trial)["counted"] == 0
    judge_trials(engine, "default", at)
    assert found(engine, trial)["counted"] == 600
    assert state_of(engine, trial).state == "rolled-back"


def test_a_card_counts_once_for_the_sizes_of_the_arms(app: Flask, client: FlaskClient) -> None:
    engine, trial = engine_of(app), experiment(unit="card", wait_s=3600)
    run(app, engine, trial)
    for card in range(10):
        decide_all(client, range(card * 20, card * 20 + 20), context={"card_ref": f"card-{card}"})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = found(engine, trial)
    assert told["counted"] == 200
    assert sum(told["reading"]["units"]) == 10


def test_rankings_count_once_they_are_activated(app: Flask, client: FlaskClient) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    for number in range(3):
        body = {"payment_id": f"p{number}", "attempt": 1, "decision_id": f"d{number}"}
        ranking = client.post("/v1/rank", json=body).get_json()
    action = {"route": ranking["action"]["route"], "delay_s": 0}
    assert client.post("/v1/decisions/d2/activation", json=action).status_code == 200
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = found(engine, trial)
    assert (told["counted"], told["left_out"]) == (1, {"ranked, and never activated": 2})


def test_results_are_told_by_segment(app: Flask, client: FlaskClient) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600, segments=("network",))
    run(app, engine, trial)
    decide_all(client, range(40))
    decide_all(client, range(40, 60), context={"network": "mastercard"})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = {each["segment"]: each["units"] for each in found(engine, trial)["reading"]["segments"]}
    assert told == {"visa": 40, "mastercard": 20}


def test_an_experiment_is_complete_once_its_last_payments_count(
    app: Flask, client: FlaskClient
) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    decide_all(client, range(30))
    run(app, engine, experiment(wait_s=3600, state="stopped"))
    judge_trials(engine, "default", now_us())
    assert not found(engine, trial)["complete"]
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = found(engine, trial)
    assert (told["complete"], told["counted"]) == (True, 30)


def test_an_experiment_that_was_paused_for_long_is_judged_once_it_runs_again(
    app: Flask, client: FlaskClient
) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    decide_all(client, range(30))
    run(app, engine, experiment(wait_s=3600, state="paused"))
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    told = found(engine, trial)
    assert (told["complete"], told["counted"]) == (False, 30)
    run(app, engine, trial)
    decide_all(client, range(30, 50))
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    assert found(engine, trial)["counted"] == 50


def test_another_canary_begins_anew(app: Flask, client: FlaskClient) -> None:
    engine = engine_of(app)
    run(app, engine, canary(0.3, wait_s=3600))
    decide_all(client, range(30))
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    run(app, engine, canary(0.3, wait_s=3600, state="stopped"))
    after = rows_in(engine)
    second = canary(0.3, wait_s=3600, salt="t", after=after, spec="uniform")
    run(app, engine, second)
    decide_all(client, range(50, 60))
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    assert found(engine, second)["counted"] == 10


def test_a_paused_experiment_is_not_paused_again(app: Flask, client: FlaskClient) -> None:
    engine, trial = engine_of(app), experiment(wait_s=3600)
    run(app, engine, trial)
    tell_all(client, decide_all(client, range(100)), {"a": 0.9, "b": 0.9})
    with changing(engine) as connection:
        pause(connection, "default", "tests", EXPERIMENT, "e1", "")
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    with engine.connect() as connection:
        assert len(history(connection, "default", EXPERIMENT, "e1")) == 2
    assert found(engine, trial)["counted"] == 100
