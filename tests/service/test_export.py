"""``authopt log export``: rankings count once they are activated, and other merchants' never do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from authopt.batch import LoggedBatch, concat
from authopt.logs.files import read_log
from service.export_command import export
from service.store.carried_out import Exported
from service.store.export import logged_batches
from service.store.joining import JoinRules, Missing
from tests.service.in_process import ask, recorder_of, request_body, tell


def exported(app: Flask, **options: Any) -> tuple[LoggedBatch, Exported]:
    counts = Exported()
    engine = recorder_of(app).store.engine
    return concat(list(logged_batches(engine, counts=counts, **options))), counts


def ranked(client: FlaskClient, decision_id: str) -> dict[str, Any]:
    answer = client.post("/v1/rank", json=request_body(decision_id))
    assert answer.status_code == 200
    return dict(answer.get_json())


def activate(client: FlaskClient, decision_id: str, action: Any, **more: float) -> None:
    body = {"route": action["route"], "delay_s": action["delay_s"]} | more
    answer = client.post(f"/v1/decisions/{decision_id}/activation", json=body)
    assert answer.status_code == 200, answer.get_data()


def another(ranking: dict[str, Any]) -> dict[str, Any]:
    """An eligible action that was not drawn."""
    drawn = (ranking["action"]["route"], ranking["action"]["delay_s"])
    return next(
        dict(each) for each in ranking["actions"] if (each["route"], each["delay_s"]) != drawn
    )


def test_a_ranking_counts_once_its_action_was_taken(app: Flask, client: FlaskClient) -> None:
    first, _, third = (ranked(client, each) for each in ("d1", "d2", "d3"))
    activate(client, "d1", first["action"])
    activate(client, "d3", another(third))
    log, counts = exported(app)
    assert log.decision_id.to_pylist() == ["d1"]
    assert log.propensity[0] == first["propensity"]
    assert log.probability is not None
    assert (counts.decisions, counts.not_activated, counts.chosen_otherwise) == (1, 1, 1)


def test_what_the_caller_did_instead_counts_with_the_callers_propensity(
    app: Flask, client: FlaskClient
) -> None:
    ranking = ranked(client, "d1")
    ask(client, request_body("d2"))
    own = another(ranking)
    activate(client, "d1", own, propensity=0.75)
    log, _ = exported(app)
    taken = log.actions(0)[log.chosen[0]]
    assert (taken.route, taken.delay_s) == (own["route"], own["delay_s"])
    assert log.propensity[0] == 0.75
    # The probabilities that were drawn with are not those of what was done.
    assert log.probability is None


def test_another_merchants_decisions_are_not_exported(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("d1"))
    recorder = recorder_of(app)
    known = recorder.decision("d1")
    assert known is not None
    recorder.keep(msgspec.structs.replace(known, tenant="other"))
    tell(client, {"decision_id": "d1", "approved": True})
    log, _ = exported(app)
    assert log.n == 1
    other, _ = exported(app, tenant="other")
    assert other.decision_id.to_pylist() == ["d1"]
    assert np.isnan(other.reward).all()


def test_silence_means_a_decline_once_the_wait_is_over(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("d1"))
    rules = JoinRules(wait_s=3600, missing=Missing.DECLINED)
    now = datetime.now(UTC)
    log, counts = exported(app, rules=rules, now=now)
    assert np.isnan(log.reward).all()
    log, counts = exported(app, rules=rules, now=now + timedelta(hours=2))
    assert log.reward.tolist() == [0.0]
    assert (counts.assumed_declined, counts.without_outcome) == (1, 0)


def test_the_command_tells_what_it_left_out(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    ask(client, request_body("d1"))
    ranked(client, "d2")
    out = tmp_path / "log.parquet"
    words = ["--database", str(recorder_of(app).store.engine.url), "--out", str(out), "--json"]
    done = CliRunner().invoke(export, words, catch_exceptions=False)
    told = json.loads(done.stdout)
    assert (told["decisions"], told["without_outcome"], told["not_activated"]) == (1, 1, 1)
    assert told["rules"] == {"outcomes": "merged", "wait_s": None, "missing": "unknown"}
    assert read_log(out).n == 1
