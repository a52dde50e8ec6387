"""POST /v1/outcomes, and how decisions and outcomes become an attempt log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from authopt.batch import Categorical, LoggedBatch, concat
from authopt.logs.files import open_log
from authopt.payments import OUTCOME_FIELDS
from service.api.forms import OutcomeRequest
from service.export_command import export
from service.store.export import logged_batches
from tests.service.in_process import (
    ask,
    problem,
    recorder_of,
    request_body,
    running,
    settings_in,
    tell,
)


def exported(app: Flask, **options: Any) -> LoggedBatch:
    return concat(list(logged_batches(recorder_of(app).store.engine, **options)))


def test_the_form_has_the_outcome_columns_of_the_log() -> None:
    assert OutcomeRequest.__struct_fields__ == (
        "decision_id",
        *(field.name for field in OUTCOME_FIELDS),
    )


def test_an_outcome_sent_twice_gets_the_same_answer(client: FlaskClient) -> None:
    outcome = {"decision_id": "d1", "approved": True, "response_code": "00"}
    first, second = tell(client, outcome), tell(client, outcome)
    assert first.status_code == second.status_code == 200
    assert first.get_data() == second.get_data() == b'{"decision_id":"d1","recorded":true}'


def test_every_decision_is_exported_once_with_its_latest_outcome(
    app: Flask, client: FlaskClient
) -> None:
    tell(client, {"decision_id": "d1", "approved": False})  # before its decision
    tell(client, {"decision_id": "unknown", "approved": True})
    answers = [ask(client, request_body(f"d{i}")).get_json() for i in range(4)]
    for approved in (False, True, False):  # the last one is a late copy of the first
        tell(client, {"decision_id": "d1", "approved": approved, "latency_ms": 12.5})
    tell(client, {"decision_id": "d2", "approved": False, "outcome_at": "2026-03-01T00:00:00Z"})
    log = exported(app)
    assert log.decision_id.to_pylist() == ["d0", "d1", "d2", "d3"]
    np.testing.assert_array_equal(log.outcome["approved"], [np.nan, 1.0, 0.0, np.nan])
    np.testing.assert_array_equal(log.reward, [np.nan, 1.0, 0.0, np.nan])
    assert np.asarray(log.outcome["outcome_at"])[2] == np.datetime64("2026-03-01")
    assert [log.actions(i)[log.chosen[i]].route for i in range(4)] == [
        answer["action"]["route"] for answer in answers
    ]


def test_of_several_outcomes_each_field_has_the_value_that_was_given_last(
    app: Flask, client: FlaskClient
) -> None:
    ask(client, request_body("d1"))
    ask(client, request_body("d2"))
    tell(client, {"decision_id": "d1", "approved": True, "response_code": "00", "fee_minor": 12})
    tell(client, {"decision_id": "d2", "approved": False, "response_code": "05"})
    tell(client, {"decision_id": "d1", "refunded_minor": 500})
    tell(client, {"decision_id": "d1", "refunded_minor": 700, "charged_back": False})
    tell(client, {"decision_id": "d1", "charged_back": True})
    log = exported(app)
    columns = ("approved", "fee_minor", "refunded_minor", "charged_back")
    assert [np.asarray(log.outcome[name])[0] for name in columns] == [1.0, 12.0, 700.0, 1.0]
    codes = log.outcome["response_code"]
    assert isinstance(codes, Categorical)
    assert codes.values() == ["00", "05"]
    assert np.isnan(np.asarray(log.outcome["refunded_minor"])[1])


def test_a_correction_that_comes_twice_changes_nothing_the_second_time(
    app: Flask, client: FlaskClient
) -> None:
    ask(client, request_body("d1"))
    tell(client, {"decision_id": "d1", "approved": True})
    for refunded in (500, 700, 500):  # the last one is a late copy of the first
        tell(client, {"decision_id": "d1", "refunded_minor": refunded})
    assert np.asarray(exported(app).outcome["refunded_minor"]).tolist() == [700.0]
    tell(
        client,
        {"decision_id": "d1", "refunded_minor": 500, "corrected_at": "2026-03-01T00:00:00Z"},
    )
    assert np.asarray(exported(app).outcome["refunded_minor"]).tolist() == [500.0]


def test_propensities_are_exported_bit_for_bit(tmp_path: Path) -> None:
    spec = "priority:routes=braintree,epsilon=0.1"
    with running(settings_in(tmp_path, policy=spec, delays=(0, 60))) as app:
        client = app.test_client()
        answers = [
            ask(client, request_body(f"d{i}", attempt=1 + i % 2)).get_json() for i in range(9)
        ]
        log = exported(app, chunk_rows=4)
    assert log.propensity.tolist() == [answer["propensity"] for answer in answers]
    assert log.probability is not None
    assert log.probability.tolist() == [
        action["probability"] for answer in answers for action in answer["actions"]
    ]


def test_actions_that_the_rules_removed_are_not_in_the_log(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body(attempt=2, context={"previous_response_code": "41"}))
    log = exported(app)
    assert [action.route for action in log.actions(0)] == ["stop"]


def test_features_of_actions_are_exported_with_them(app: Flask, client: FlaskClient) -> None:
    actions = [
        {"route": "checkout", "features": {"rate": 0.5, "tier": "gold"}},
        {"route": "adyen", "features": {"rate": 0.75}},
    ]
    ask(client, request_body("d1", actions=actions))
    ask(client, request_body("d2"))
    log = exported(app, chunk_rows=1)
    np.testing.assert_array_equal(log.action_features["rate"], [0.5, 0.75, np.nan, np.nan, np.nan])
    tier = log.action_features["tier"]
    assert isinstance(tier, Categorical)
    assert tier.values() == ["gold", None, None, None, None]


def test_a_custom_column_that_is_ever_a_string_is_a_category(
    app: Flask, client: FlaskClient
) -> None:
    ask(client, request_body("d1", context={"x_a": 1, "x_b": 2.5}))
    ask(client, request_body("d2", context={"x_a": "one"}))
    log = exported(app, chunk_rows=1)
    column = log.context["x_a"]
    assert isinstance(column, Categorical)
    assert column.values() == ["1", "one"]
    np.testing.assert_array_equal(log.context["x_b"], [2.5, np.nan])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_command_writes_a_log_that_reads_back(tmp_path: Path, suffix: str) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app:
        client = app.test_client()
        for i in range(20):
            ask(client, request_body(f"d{i}", payment_id=f"p{i}"))
            tell(client, {"decision_id": f"d{i}", "approved": i % 3 > 0, "response_code": "05"})
    out = tmp_path / f"log.{suffix}"
    arguments = ["--database", settings.database, "--out", str(out), "--json"]
    done = CliRunner().invoke(export, arguments, catch_exceptions=False)
    assert '"decisions": 20' in done.stdout
    log = concat(list(open_log(out).batches()))
    assert log.n == 20
    assert (log.propensity == 1 / 3).all()
    assert log.reward.sum() == 13


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "body"),
        ({"approved": None}, "body"),
        ({"approved": "yes"}, "approved"),
        ({"approved": 1}, "approved"),
        ({"response_code": ""}, "response_code"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": 1e300}, "latency_ms"),
        ({"fee_minor": 0.5}, "fee_minor"),
        ({"fee_minor": 2**60}, "fee_minor"),
        ({"outcome_at": "2026-03-01T00:00:00"}, "outcome_at"),
        ({"outcome_at": "9999-12-31T23:59:59-12:00"}, "outcome_at"),
        ({"aproved": True}, "aproved"),
    ],
)
def test_an_unsound_outcome_is_refused_by_name(
    app: Flask, client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    refused = problem(tell(client, {"decision_id": "d1"} | changes), 422)
    assert refused["errors"][0]["field"] == field
    ask(client, request_body())
    assert np.isnan(exported(app).reward).all()
