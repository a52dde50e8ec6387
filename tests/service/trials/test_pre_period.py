"""An experiment is adjusted by what its units came to before it, and reads as its log does."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from authopt.experiments.commands import experiment as experiment_command
from authopt.hashing import unit_of
from service.export_command import export
from service.trials import pre_period
from service.trials.duty import judge_trials
from service.trials.pre_period import COLUMNS, KIND, PrePeriod, read_pre_period
from service.trials.trial import Trial
from service.watch.findings import finding
from tests.service.in_process import running, settings_in
from tests.service.live.test_following import engine_of
from tests.service.trials.running import experiment, run
from tests.service.trials.test_duty import HOUR_US, found, now_us, rows_in

CARDS = 150
BEGAN = datetime.fromisoformat("2026-03-01T00:00:00Z")


def pay(client: FlaskClient, payments: range, cards: int = CARDS, column: str = "card_ref") -> None:
    """Payments a minute apart, one card after the other; odd cards are paid every other time."""
    asked: list[dict[str, Any]] = [
        {
            "payment_id": f"pay-{number}",
            "attempt": 1,
            "decision_id": f"d{number}",
            "decided_at": (BEGAN + timedelta(minutes=number)).isoformat(),
            "context": {
                column: f"card-{number % cards}",
                "bin": f"40000{number % 4}",
                "network": "visa",
            },
        }
        for number in payments
    ]
    told = [
        {
            "decision_id": f"d{number}",
            "approved": unit_of(f"pay-{number}", "paid") < (0.4 if number % cards % 2 else 0.98),
        }
        for number in payments
    ]
    for start in range(0, len(asked), 1000):
        part = slice(start, start + 1000)
        for path, sent in (("decisions", asked), ("outcomes", told)):
            answer = client.post(f"/v1/{path}/batch", json={path: sent[part]})
            assert answer.status_code == 200, answer.get_data(as_text=True)


def begin(app: Flask, engine: Engine, **changes: Any) -> Trial:
    """An A/A test of what comes after all that is on record."""
    trial = experiment(wait_s=3600, after=rows_in(engine), **changes)
    run(app, engine, trial)
    return trial


def look(engine: Engine) -> None:
    while judge_trials(engine, "default", now_us() + HOUR_US + 1):
        pass


def exported(engine: Engine, log: Path) -> Path:
    done = CliRunner().invoke(export, ["--database", str(engine.url), "--out", str(log)])
    assert done.exit_code == 0, done.output
    return log


def read_from(log: Path, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(experiment_command, ["read", str(log), "--json", *options])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout)["reading"])


@pytest.mark.parametrize("unit", ["card", "payment"])
def test_an_aa_test_is_told_more_narrowly_and_as_its_log_tells_it(
    app: Flask, client: FlaskClient, tmp_path: Path, unit: str
) -> None:
    engine = engine_of(app)
    pay(client, range(4 * CARDS))
    before = exported(engine, tmp_path / "before.parquet")
    trial = begin(app, engine, unit=unit)
    for start in (4, 7):
        pay(client, range(start * CARDS, (start + 3) * CARDS))
        look(engine)
    told = found(engine, trial)
    watched, adjustment = told["reading"], told["adjustment"]
    assert adjustment["covariates"] == ["bin", "card_ref"]
    assert (adjustment["payments"], adjustment["without_past"]) == (4 * CARDS, 0)
    assert adjustment["units"] == (CARDS if unit == "card" else 6 * CARDS)
    (found_so,), (plain,) = watched["differences"], watched["unadjusted"]
    assert found_so["lower"] < 0.0 < found_so["upper"]
    narrower = 1.0 - (found_so["upper"] - found_so["lower"]) / (plain["upper"] - plain["lower"])
    assert watched["narrower"] == [pytest.approx(narrower)]
    assert narrower > 0.08
    assert watched["variance_reduction"] > 0.2
    log = exported(engine, tmp_path / "log.parquet")
    options = ("--unit", unit, "--covariate", "card_ref", "--covariate", "bin")
    for past in ((), ("--before", str(before))):
        read = read_from(log, *options, *past)
        for name in ("differences", "unadjusted"):
            for part in ("estimate", "lower", "upper"):
                assert watched[name][0][part] == pytest.approx(read[name][0][part], abs=1e-7)
        assert watched["variance_reduction"] == pytest.approx(read["variance_reduction"])


def test_a_look_that_is_cut_off_changes_nothing_of_what_is_read(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(app)
    pay(client, range(200), cards=30)
    trial = begin(app, engine, unit="card")
    pay(client, range(200, 300), cards=40)
    monkeypatch.setattr(pre_period, "AT_ONCE", 30)
    monkeypatch.setattr(pre_period, "STEPS", 1)
    read, looks = read_pre_period(engine, "default", trial, now_us()), 1
    while not read.complete:
        with monkeypatch.context() as killed:
            killed.setattr(pre_period, "keep_finding", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                judge_trials(engine, "default", now_us())
        read, looks = read_pre_period(engine, "default", trial, now_us()), looks + 1
    assert looks == 7
    monkeypatch.undo()
    again = experiment(unit="card", salt="t", after=trial.after)
    whole = read_pre_period(engine, "default", again, now_us())
    assert whole.saved().means == read.saved().means
    assert (whole.means.payments, len(whole.means.columns["card_ref"].hashes)) == (200, 30)


def test_of_two_that_read_at_once_the_slower_one_changes_nothing(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(app)
    pay(client, range(110))
    trial = begin(app, engine)
    step = pre_period._step

    def another_first(*arguments: Any) -> PrePeriod:
        monkeypatch.setattr(pre_period, "_step", step)
        assert read_pre_period(engine, "default", trial, 1).complete
        return step(*arguments)

    monkeypatch.setattr(pre_period, "_step", another_first)
    assert not read_pre_period(engine, "default", trial, 2).complete
    with engine.connect() as connection:
        kept = finding(connection, "default", KIND, "e1")
    assert kept is not None
    assert kept.found_at_us == 1


@pytest.mark.parametrize(("unit", "column"), [("card", "card_ref"), ("merchant", "merchant_id")])
def test_units_that_are_new_are_counted_and_nothing_that_the_arms_did_is_read(
    app: Flask, client: FlaskClient, unit: str, column: str
) -> None:
    engine = engine_of(app)
    pay(client, range(120), 30, column)
    unpaid = {"payment_id": "again", "context": {column: "card-1"}}
    moment = (BEGAN + timedelta(minutes=121)).isoformat()
    first = {"attempt": 1, "decision_id": "again-1", "decided_at": moment}
    assert client.post("/v1/decisions", json=unpaid | first).status_code == 200
    trial = begin(app, engine, unit=unit)
    retry = {"attempt": 2, "decision_id": "again-2"}
    assert client.post("/v1/decisions", json=unpaid | retry).status_code == 200
    assert client.post(
        "/v1/outcomes", json={"decision_id": "again-2", "approved": True}
    ).status_code == 200  # fmt: skip
    pay(client, range(200, 280), 40, column)
    read = read_pre_period(engine, "default", trial, now_us())
    paid = sum(unit_of(f"pay-{n}", "paid") < (0.4 if n % 2 else 0.98) for n in range(120))
    assert (read.means.payments, read.means.total) == (121, paid)
    look(engine)
    adjustment = found(engine, trial)["adjustment"]
    assert (adjustment["units"], adjustment["without_past"]) == (40, 10)


def test_too_short_a_past_adjusts_nothing_and_is_forgotten_at_the_end(
    app: Flask, client: FlaskClient
) -> None:
    engine = engine_of(app)
    pay(client, range(50))
    trial = begin(app, engine)
    pay(client, range(50, 120), cards=300)
    look(engine)
    told = found(engine, trial)
    assert (told["counted"], told["reading"]["variance_reduction"]) == (70, None)
    assert told["reading"]["unadjusted"] == told["adjustment"]["covariates"] == []
    assert (told["adjustment"]["payments"], told["adjustment"]["without_past"]) == (50, 0)
    run(app, engine, experiment(wait_s=3600, after=trial.after, state="stopped"))
    look(engine)
    assert found(engine, trial)["complete"]
    assert found(engine, trial)["adjustment"] == told["adjustment"]
    with engine.connect() as connection:
        assert finding(connection, "default", KIND, "e1") is None


def test_only_so_much_of_the_past_is_read(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(settings_in(tmp_path, database=database_url)) as app:
        engine = engine_of(app)
        pay(app.test_client(), range(100))
        trial = begin(app, engine)
        monkeypatch.setattr(pre_period, "AT_ONCE", 20)
        monkeypatch.setattr(pre_period, "LENGTH_S", 3600)
        assert read_pre_period(engine, "default", trial, now_us()).means.payments == 61
        monkeypatch.setattr(pre_period, "MOST_PAYMENTS", 40)
        shorter = experiment(salt="t", after=trial.after)
        read = read_pre_period(engine, "default", shorter, now_us())
        assert read.means.payments == 40
        assert read.until_us - read.since_us == 39 * 60_000_000
        assert {*read.means.columns} == {*COLUMNS}
