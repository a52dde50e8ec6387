"""POST /v1/decisions/batch: one item for each decision, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.active_policy import ActivePolicy
from service.deciding.timely import LATE
from tests.service.deciding.policies import Hanging
from tests.service.in_process import ask, problem, recorder_of, request_body, running, settings_in


def ask_all(client: FlaskClient, *bodies: Any) -> TestResponse:
    return client.post("/v1/decisions/batch", json={"decisions": list(bodies)})


def test_a_decision_in_a_batch_is_the_decision_alone(client: FlaskClient, tmp_path: Path) -> None:
    moment = {"decided_at": "2026-03-01T12:00:00Z"}
    bodies = [
        request_body(f"d{at}", payment_id=f"p{at}", attempt=1 + at % 3, **moment)
        for at in range(20)
    ]
    together = ask_all(client, *bodies).get_json()["items"]
    with running(
        settings_in(tmp_path, spool=tmp_path / "s", database=f"sqlite:///{tmp_path}/b")
    ) as (other):
        alone = [ask(other.test_client(), body).get_json() for body in bodies]
    assert [item["decision"] for item in together] == alone


def test_all_are_recorded_in_one_transaction(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("before"))
    store = recorder_of(app).store
    before = store.transactions
    ask_all(client, *(request_body(f"d{at}") for at in range(1_000)))
    assert store.transactions == before + 1
    assert store.decision("d999") is not None


def test_what_is_wrong_with_an_item_is_answered_in_its_place(client: FlaskClient) -> None:
    ask(client, request_body("used"))
    items = ask_all(
        client,
        request_body("d1"),
        request_body("d2", attempt=0),
        7,
        request_body("d3", context={"network": "vista"}),
        request_body("used", attempt=2),
        request_body("d4"),
    ).get_json()["items"]
    assert [next(iter(item)) for item in items] == [
        *("decision", "problem", "problem", "problem", "problem", "decision")
    ]
    fields = [item["problem"]["errors"][0]["field"] for item in items[1:5]]
    assert fields == ["attempt", "body", "context.network", "decision_id"]
    assert {item["problem"]["status"] for item in items[1:5]} == {422}


def test_the_same_batch_gets_the_same_bytes(client: FlaskClient) -> None:
    bodies = [request_body("d1"), request_body("d2"), request_body("d1")]
    first = ask_all(client, *bodies)
    assert ask_all(client, *bodies).get_data() == first.get_data()
    items = first.get_json()["items"]
    assert items[0] == items[2] != items[1]


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_batch_of_no_size_is_refused(client: FlaskClient, count: int) -> None:
    refused = problem(ask_all(client, *[request_body(None)] * count), 422)
    assert refused["errors"][0]["field"] == "decisions"


def test_a_card_number_in_an_item_refuses_the_whole(app: Flask, client: FlaskClient) -> None:
    bodies = [request_body("d1"), request_body("d2", context={"x_note": "4111111111111111"})]
    refused = problem(ask_all(client, *bodies), 422)
    assert refused["errors"][0]["field"] == "decisions[1].context.x_note"
    assert recorder_of(app).store.decision("d1") is None


def test_a_batch_may_be_larger_than_a_single_body(client: FlaskClient) -> None:
    notes = {f"x_note_{at}": "n" * 100 for at in range(20)}
    bodies = [request_body(f"d{at}", context=notes) for at in range(100)]
    assert len(ask_all(client, *bodies).get_json()["items"]) == 100


def test_a_batch_is_answered_by_its_deadline_too(tmp_path: Path) -> None:
    hanging = Hanging()
    settings = settings_in(tmp_path, batch_deadline_ms=3_000)
    with running(settings, ActivePolicy("hanging", policy=hanging)) as app:
        items = ask_all(app.test_client(), *(request_body(f"d{at}") for at in range(20)))
        hanging.let_go.set()
    told = {item["decision"]["fallback"] for item in items.get_json()["items"]}
    assert told == {LATE}
