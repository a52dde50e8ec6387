"""Idempotency-Key: the decision's id in a header."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.service.in_process import ask, problem, request_body

KEY = "Idempotency-Key"


def test_the_header_names_the_decision_where_the_body_does_not(client: FlaskClient) -> None:
    body = request_body(None)
    first = client.post("/v1/decisions", json=body, headers={KEY: "k-1"})
    again = client.post("/v1/decisions", json=body, headers={KEY: '"k-1"'})
    assert first.get_json()["decision_id"] == "k-1"
    assert first.get_data() == again.get_data() == ask(client, request_body("k-1")).get_data()


def test_another_body_under_the_same_key_is_refused(client: FlaskClient) -> None:
    client.post("/v1/decisions", json=request_body(None), headers={KEY: "k-1"})
    other = request_body(None, attempt=2)
    problem(client.post("/v1/decisions", json=other, headers={KEY: "k-1"}), 422)


def test_the_same_id_twice_is_one_and_two_are_refused(client: FlaskClient) -> None:
    same = client.post("/v1/decisions", json=request_body("d1"), headers={KEY: "d1"})
    assert same.status_code == 200
    differs = client.post("/v1/decisions", json=request_body("d1"), headers={KEY: "d2"})
    assert problem(differs, 422)["errors"][0]["field"] == f"header {KEY}"


@pytest.mark.parametrize("key", ["", '""', "k" * 129, "\u00e9"])
def test_a_key_that_could_be_no_id_is_refused(client: FlaskClient, key: str) -> None:
    refused = client.post("/v1/decisions", json=request_body(None), headers={KEY: key})
    assert problem(refused, 422)["errors"][0]["field"] == f"header {KEY}"


def test_a_key_serves_all_items_of_a_batch(client: FlaskClient) -> None:
    batch = {"decisions": [request_body(None), request_body(None, payment_id="p2")]}
    first = client.post("/v1/decisions/batch", json=batch, headers={KEY: "b"})
    again = client.post("/v1/decisions/batch", json=batch, headers={KEY: "b"})
    ids = [item["decision"]["decision_id"] for item in first.get_json()["items"]]
    assert ids == ["b/0", "b/1"]
    assert first.get_data() == again.get_data()
