"""GET /v1/payments/{payment_id}: the timeline of a payment."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace

from tests.service.in_process import ask, problem, recorder_of, request_body, tell


def test_a_payment_is_told_in_the_order_of_its_attempts(client: FlaskClient) -> None:
    second = ask(client, request_body("d2", attempt=2)).get_json()
    first = ask(client, request_body("d1")).get_json()
    ask(client, request_body("other", payment_id="p2"))
    tell(client, {"decision_id": "d1", "approved": False, "response_code": "51"})
    tell(client, {"decision_id": "d2", "approved": True})
    tell(client, {"decision_id": "d2", "refunded_minor": 300})
    payment = client.get("/v1/payments/p1").get_json()
    assert [each["answer"] for each in payment["decisions"]] == [first, second]
    assert payment["approved"] is True
    assert payment["attempts"] == 2
    told = payment["decisions"][1]
    assert told["context"] == request_body()["context"]
    assert [each["outcome"] for each in told["outcomes"]] == [
        {"decision_id": "d2", "approved": True},
        {"decision_id": "d2", "refunded_minor": 300},
    ]
    assert told["known"] == {"decision_id": "d2", "approved": True, "refunded_minor": 300}
    assert told["deferred"] is False


def test_what_is_not_known_is_null(client: FlaskClient) -> None:
    ask(client, request_body("d1"))
    payment = client.get("/v1/payments/p1").get_json()
    assert payment["approved"] is None
    assert payment["decisions"][0]["known"] is None
    assert payment["decisions"][0]["outcomes"] == []


def test_a_decision_that_waits_in_the_spool_is_told_too(app: Flask, client: FlaskClient) -> None:
    second = ask(client, request_body("d2", attempt=2)).get_json()
    recorder = recorder_of(app)
    kept = recorder.store.decision("d2")
    assert kept is not None
    answer = kept.answer.replace('"d2"', '"d1"').replace('"attempt":2', '"attempt":1')
    recorder.spool.keep([replace(kept, decision_id="d1", attempt=1, answer=answer)])
    payment = client.get("/v1/payments/p1").get_json()
    first = second | {"decision_id": "d1", "attempt": 1}
    assert [each["answer"] for each in payment["decisions"]] == [first, second]


def test_a_payment_that_was_never_asked_for_is_not_found(client: FlaskClient) -> None:
    problem(client.get("/v1/payments/p1"), 404)


def test_a_store_that_cannot_be_read_is_said(app: Flask, client: FlaskClient) -> None:
    with recorder_of(app).store.engine.begin() as connection:
        connection.exec_driver_sql("drop table decisions")
    problem(client.get("/v1/payments/p1"), 503)


def test_many_outcomes_are_recorded_together_or_not_at_all(app: Flask, client: FlaskClient) -> None:
    def kept() -> int:
        with recorder_of(app).store.engine.connect() as connection:
            return int(connection.exec_driver_sql("select count(*) from outcomes").scalar() or 0)

    told = [{"decision_id": f"d{at}", "approved": bool(at % 2)} for at in range(300)]
    answer = client.post("/v1/outcomes/batch", json={"outcomes": told})
    assert [each["recorded"] for each in answer.get_json()["outcomes"]] == [True] * 300
    assert kept() == 300
    again = client.post("/v1/outcomes/batch", json={"outcomes": told})
    assert again.get_data() == answer.get_data()
    wrong = [{"decision_id": "new", "approved": True}, {"decision_id": "d1", "fee_minor": "x"}]
    body = problem(client.post("/v1/outcomes/batch", json={"outcomes": wrong}), 422)
    assert body["errors"][0]["field"] == "outcomes[1].fee_minor"
    empty = [{"decision_id": "new", "approved": True}, {"decision_id": "d1"}]
    body = problem(client.post("/v1/outcomes/batch", json={"outcomes": empty}), 422)
    assert body["errors"][0]["field"] == "outcomes[1]"
    too_many = [{"decision_id": "d", "approved": True}] * 1_001
    problem(client.post("/v1/outcomes/batch", json={"outcomes": too_many}), 422)
    assert kept() == 300
