"""POST /v1/decisions: what is asked, what is answered, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from authopt.batch import DecisionBatch, FloatArray
from authopt.decision import POLICY_FAILED
from service.active_policy import NOT_LOADED, ActivePolicy
from tests.service.in_process import ROUTES, ask, problem, request_body, running, settings_in


@dataclass(frozen=True)
class Raising:
    name: str = "raising"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        raise RuntimeError("no model")


def test_a_first_attempt_is_offered_every_route_and_no_stop(client: FlaskClient) -> None:
    answer = ask(client, request_body()).get_json()
    assert [action["route"] for action in answer["actions"]] == list(ROUTES)
    assert {action["probability"] for action in answer["actions"]} == {1 / 3}
    assert answer["action"]["route"] in ROUTES
    assert answer["propensity"] == 1 / 3
    assert answer["policy"] == {"name": "uniform", "sha256": None}
    assert answer["fallback"] is None
    assert answer["recorded"] is True


def test_a_retry_may_be_given_up(client: FlaskClient) -> None:
    answer = ask(client, request_body(attempt=2)).get_json()
    assert [action["route"] for action in answer["actions"]] == [*ROUTES, "stop"]


def test_every_route_is_offered_at_every_delay(tmp_path: Path) -> None:
    with running(settings_in(tmp_path, delays=(0, 3600))) as app:
        answer = ask(app.test_client(), request_body()).get_json()
    offered = {(action["route"], action["delay_s"]) for action in answer["actions"]}
    assert offered == {(route, delay) for route in ROUTES for delay in (0, 3600)}


def test_actions_that_the_rules_remove_come_back_with_the_reason(client: FlaskClient) -> None:
    context = {"network": "visa", "previous_response_code": "41"}
    answer = ask(client, request_body(attempt=2, context=context)).get_json()
    assert answer["action"] == {"route": "stop", "delay_s": 0}
    assert answer["propensity"] == 1.0
    assert [action["route"] for action in answer["removed"]] == list(ROUTES)
    assert all("lost" in action["reason"] for action in answer["removed"])


def test_the_caller_may_name_the_actions(client: FlaskClient) -> None:
    actions = [{"route": "checkout"}, {"route": "adyen", "delay_s": 60}]
    answer = ask(client, request_body(actions=actions)).get_json()
    offered = [(action["route"], action["delay_s"]) for action in answer["actions"]]
    assert offered == [("checkout", 0), ("adyen", 60)]


def test_an_id_is_made_where_none_is_given(client: FlaskClient) -> None:
    first = ask(client, request_body(None)).get_json()
    second = ask(client, request_body(None)).get_json()
    assert first["decision_id"] != second["decision_id"]


def test_the_same_request_gets_the_same_bytes(client: FlaskClient) -> None:
    first, second = ask(client, request_body()), ask(client, request_body())
    assert first.get_data() == second.get_data()


def test_the_order_of_keys_makes_no_other_request(client: FlaskClient) -> None:
    body = request_body()
    turned = dict(reversed(list(body.items())))
    assert ask(client, body).get_data() == ask(client, turned).get_data()


def test_another_request_under_a_used_id_is_refused(client: FlaskClient) -> None:
    ask(client, request_body())
    refused = problem(ask(client, request_body(attempt=2)), 422)
    assert refused["errors"][0]["field"] == "decision_id"


def test_the_answer_survives_a_restart_byte_for_byte(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        first = ask(app.test_client(), request_body()).get_data()
    with running(settings_in(tmp_path, policy="priority:routes=checkout")) as app:
        assert ask(app.test_client(), request_body()).get_data() == first


def test_an_answer_on_record_outlives_the_routes_it_was_given_with(tmp_path: Path) -> None:
    body = request_body(actions=[{"route": "adyen"}])
    with running(settings_in(tmp_path)) as app:
        first = ask(app.test_client(), body).get_data()
    with running(settings_in(tmp_path, routes=("checkout",))) as app:
        client = app.test_client()
        assert ask(client, body).get_data() == first
        assert problem(ask(client, body | {"attempt": 2}), 422)["errors"][0]["field"] == (
            "decision_id"
        )
        assert problem(ask(client, body | {"decision_id": "d2"}), 422)["errors"][0]["field"] == (
            "actions[0].route"
        )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"payment_id": "p1", "attempt": 1, "attempt": 2}', "attempt"),
        ('{"payment_id": "p1", "attempt": 1, "\\u0061ttempt": 1}', "attempt"),
        ('{"payment_id": "p1", "attempt": 1, "context": {"mcc": "5411", "mcc": "5411"}}', "mcc"),
        ('{"payment_id": "a:b", "attempt": 1, "actions": [{"route": 1, "route": 2}]}', "route"),
    ],
)
def test_a_key_that_stands_twice_is_refused(client: FlaskClient, body: str, field: str) -> None:
    answer = client.post("/v1/decisions", data=body, content_type="application/json")
    assert problem(answer, 422)["errors"][0]["field"] == field


def test_colons_in_strings_are_no_keys(client: FlaskClient) -> None:
    body = request_body("a:b", payment_id=":", decided_at="2026-03-01T12:00:00+02:00")
    assert ask(client, body).status_code == 200


def test_a_policy_that_raises_is_replaced_and_the_answer_says_so(tmp_path: Path) -> None:
    active = ActivePolicy("raising", policy=Raising())
    with running(settings_in(tmp_path), active) as app:
        answer = ask(app.test_client(), request_body()).get_json()
    assert answer["fallback"] == f"{POLICY_FAILED}: RuntimeError"
    assert answer["action"]["route"] == ROUTES[0]
    assert answer["propensity"] == 1.0


@pytest.mark.parametrize("bytes_", [None, b"", b"not a model"])
def test_without_a_sound_model_the_priority_answers(tmp_path: Path, bytes_: bytes | None) -> None:
    model = tmp_path / "model.vw"
    if bytes_ is not None:
        model.write_bytes(bytes_)
    with running(settings_in(tmp_path, policy=f"vw:{model}")) as app:
        client = app.test_client()
        answer = ask(client, request_body()).get_json()
        assert answer["fallback"] == NOT_LOADED
        assert answer["action"]["route"] == ROUTES[0]
        refused = problem(client.get("/readyz"), 503)
    assert [each["field"] for each in refused["errors"]] == ["policy"]


def test_moments_are_answered_in_utc(client: FlaskClient) -> None:
    answer = ask(client, request_body(decided_at="2026-03-01T12:00:00+02:00")).get_json()
    assert answer["decided_at"] == "2026-03-01T10:00:00Z"


BAD_FIELDS: list[tuple[str, Any, str]] = [
    ("payment_id", None, "payment_id"),
    ("payment_id", "", "payment_id"),
    ("payment_id", "a\nb", "payment_id"),
    ("payment_id", "p" * 129, "payment_id"),
    ("attempt", 0, "attempt"),
    ("attempt", "1", "attempt"),
    ("attempt", 1.5, "attempt"),
    ("attempt", True, "attempt"),
    ("attempt", 10**30, "attempt"),
    ("decision_id", 7, "decision_id"),
    ("decided_at", "2026-03-01T12:00:00", "decided_at"),
    ("decided_at", "0001-01-01T00:00:00+14:00", "decided_at"),
    ("decided_at", 5, "decided_at"),
    ("atempt", 1, "atempt"),
    ("context", [], "context"),
    ("context", {"nettwork": "visa"}, "context.nettwork"),
    ("context", {"network": "vista"}, "context.network"),
    ("context", {"network": 4}, "context.network"),
    ("context", {"bin": "41111"}, "context.bin"),
    ("context", {"currency": "eur"}, "context.currency"),
    ("context", {"amount_minor": -1}, "context.amount_minor"),
    ("context", {"amount_minor": 1.5}, "context.amount_minor"),
    ("context", {"amount_minor": True}, "context.amount_minor"),
    ("context", {"amount_minor": 10**40}, "context.amount_minor"),
    ("context", {"local_hour": 24}, "context.local_hour"),
    ("context", {"token": 1}, "context.token"),
    ("context", {"x_list": [1]}, "context.x_list"),
    ("context", {"x_text": "a\x00b"}, "context.x_text"),
    ("context", {"x_bad name": 1}, "context.x_bad name"),
    ("actions", [], "actions"),
    ("actions", [{"route": "nowhere"}], "actions[0].route"),
    ("actions", [{"route": "adyen", "delay_s": -1}], "actions[0].delay_s"),
    ("actions", [{"route": "stop", "delay_s": 1}], "actions[0].delay_s"),
    ("actions", [{"route": "adyen"}, {"route": "adyen"}], "actions[1]"),
    ("actions", [{"route": "adyen", "cost": 1}], "actions[0].cost"),
    ("actions", [{"route": "adyen", "features": {"A": 1}}], "actions[0].features.A"),
    ("actions", [{"route": "adyen", "features": {"rate": []}}], "actions[0].features.rate"),
    ("actions", [{"route": "adyen", "features": {"route": 1}}], "actions[0].features.route"),
]


@pytest.mark.parametrize(("name", "value", "field"), BAD_FIELDS)
def test_an_unsound_field_is_refused_by_name(
    client: FlaskClient, name: str, value: Any, field: str
) -> None:
    refused = problem(ask(client, request_body(**{name: value})), 422)
    assert refused["errors"][0]["field"] == field
    assert field in refused["detail"]


def test_a_missing_field_is_named(client: FlaskClient) -> None:
    refused = problem(ask(client, {"attempt": 1}), 422)
    assert refused["errors"] == [{"field": "payment_id", "message": "is missing"}]


def test_all_unsound_columns_of_the_context_are_named_at_once(client: FlaskClient) -> None:
    context = {"network": "vista", "bin": "4", "amount_minor": 12}
    refused = problem(ask(client, request_body(context=context)), 422)
    assert {each["field"] for each in refused["errors"]} == {"context.network", "context.bin"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"payment_id": "\xff"}',
        b'{"payment_id": NaN}',
        b'{"payment_id": Infinity}',
        b'{"payment_id": "\\ud800"}',
        b"[" * 50_000,
        b'{"a":' * 10_000,
    ],
)
def test_what_is_no_json_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/v1/decisions", data=body, content_type="application/json")
    assert problem(answer, 400)["errors"][0]["field"] == "body"


@pytest.mark.parametrize("body", ["null", "[]", "1", '"text"', "true", "1e999"])
def test_what_is_no_object_is_refused(client: FlaskClient, body: str) -> None:
    answer = client.post("/v1/decisions", data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert problem(answer, answer.status_code)["errors"][0]["field"] == "body"


def test_the_rest_of_http_is_answered_by_problems_too(client: FlaskClient) -> None:
    problem(client.get("/nowhere"), 404)
    assert problem(client.get("/v1/decisions"), 405)
    assert "POST" in client.get("/v1/decisions").headers["Allow"]
    problem(client.post("/v1/decisions", data="{}", content_type="text/plain"), 415)
    large = json.dumps({"payment_id": "p" * 100_000})
    problem(client.post("/v1/decisions", data=large, content_type="application/json"), 413)


def test_a_fault_of_our_own_is_a_problem_without_particulars(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:

        @app.get("/broken")
        def broken() -> str:
            raise RuntimeError("secret")

        refused = problem(app.test_client().get("/broken"), 500)
    assert "secret" not in json.dumps(refused)


def test_the_draw_follows_the_probabilities(tmp_path: Path) -> None:
    spec = "priority:routes=adyen,epsilon=0.3"
    with running(settings_in(tmp_path, policy=spec)) as app:
        client = app.test_client()
        answers = [ask(client, request_body(f"d{i}")).get_json() for i in range(300)]
    share = np.mean([answer["action"]["route"] == "adyen" for answer in answers])
    assert abs(share - 0.8) < 0.08
