"""The operators' endpoints: policies, models, routes, rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authopt.rules import MerchantRules
from service.security.caller import Scope
from service.store.changes import history
from tests.service.in_process import ask, problem, recorder_of, request_body
from tests.service.models.models_to_add import added
from tests.service.security.keys import bearing, key


def post(client: FlaskClient, path: str, **body: Any) -> Any:
    return client.post(f"/v1/{path}", json=body)


def test_a_model_is_promoted_pinned_and_rolled_back_by_calls(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    engine = recorder_of(app).store.engine
    model = added(engine, tmp_path / "m")
    asked = {"sha256": model.sha256[:12], "reason": "trusted"}
    unjudged = problem(post(client, "policies/promote", **asked), 422)
    assert "the gate has not judged it" in unjudged["detail"]
    told = post(client, "policies/promote", override=True, **asked).get_json()
    assert told["live"] == {"name": "online", "spec": model.spec, "sha256": model.sha256}
    assert ask(client, request_body()).get_json()["policy"]["sha256"] == model.sha256
    assert client.get("/v1/models").get_json()["models"][0]["live"]
    assert post(client, "policies/pin", reason="peak season").get_json()["pinned"]
    refused = problem(
        post(client, "policies/promote", spec="uniform", override=True, reason="x"), 409
    )
    assert "peak season" in refused["detail"]
    problem(post(client, "policies/rollback"), 409)
    post(client, "policies/unpin")
    told = post(client, "policies/rollback", reason="fewer approvals").get_json()
    assert (told["live"]["name"], told["live"]["sha256"], told["pinned"]) == ("uniform", None, True)
    assert [(each["by"], each["actor"], each["reason"]) for each in told["history"]] == [
        ("promote", "anybody", "Gate overridden: trusted"),
        ("pin", "anybody", "peak season"),
        ("unpin", "anybody", ""),
        ("rollback", "anybody", "fewer approvals"),
    ]


def test_an_operators_key_cannot_override_the_gate(app: Flask, client: FlaskClient) -> None:
    operator = bearing(key(app, Scope.OPERATE))
    body = {"spec": "uniform", "override": True, "reason": "gather data"}
    refused = problem(client.post("/v1/policies/promote", json=body, headers=operator), 403)
    assert refused["errors"][0]["field"] == "override"


def test_the_kill_switch_holds_until_it_is_revived(client: FlaskClient) -> None:
    assert post(client, "policies/kill", reason="on fire").get_json()["killed"]
    assert ask(client, request_body("k1")).get_json()["fallback"].endswith("on fire")
    assert post(client, "policies/revive").get_json()["killed"] is None
    assert ask(client, request_body("k2")).get_json()["fallback"] is None


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"sha256": "0123456789ab"}, 404, "sha256"),
        ({"sha256": "xyz"}, 422, "sha256"),
        ({"spec": "uniform"}, 422, "spec"),
        ({"spec": "uniform", "override": True}, 422, "spec"),
        ({"spec": "vw:/etc/passwd", "override": True, "reason": "x"}, 422, "spec"),
        ({"spec": "no-such-policy", "override": True, "reason": "x"}, 422, "spec"),
        ({}, 422, "body"),
        ({"spec": "uniform", "sha256": "0123456789ab"}, 422, "body"),
        ({"spec": "uniform", "reason": "a\nb"}, 422, "reason"),
        ({"spec": "uniform", "reason": "card 4111 1111 1111 1111"}, 422, "reason"),
    ],
)
def test_what_cannot_be_promoted_is_refused_by_name(
    client: FlaskClient, body: dict[str, str], status: int, field: str
) -> None:
    refused = problem(post(client, "policies/promote", **body), status)
    assert refused["errors"][0]["field"] == field
    assert client.get("/v1/policies").get_json()["history"] == []


def test_a_route_that_is_down_is_not_used(client: FlaskClient) -> None:
    told = post(client, "routes/adyen", state="down", reason="timeouts").get_json()["routes"]
    assert told[0] == {"route": "adyen", "state": "down", "weight": 1.0, "reason": "timeouts"}
    answer = ask(client, request_body()).get_json()
    assert [each["route"] for each in answer["actions"]] == ["braintree", "checkout"]
    post(client, "routes/adyen", state="up")
    assert len(ask(client, request_body("d2")).get_json()["actions"]) == 3


def test_the_last_route_that_is_up_stays_up(client: FlaskClient) -> None:
    post(client, "routes/adyen", state="down")
    post(client, "routes/braintree", state="down")
    problem(post(client, "routes/checkout", state="down"), 409)
    assert client.get("/v1/routes").get_json()["routes"][2]["state"] == "up"


def test_a_weight_is_in_the_probabilities_that_are_answered(client: FlaskClient) -> None:
    post(client, "routes/adyen", weight=2.0)
    answer = ask(client, request_body()).get_json()
    assert {each["route"]: each["probability"] for each in answer["actions"]} == pytest.approx(
        {"adyen": 0.5, "braintree": 0.25, "checkout": 0.25}
    )
    chosen = {each["route"]: each["probability"] for each in answer["actions"]}
    assert answer["propensity"] == chosen[answer["action"]["route"]]
    told = post(client, "routes/adyen", state="down").get_json()["routes"][0]
    assert (told["state"], told["weight"]) == ("down", 2.0)
    told = post(client, "routes/adyen", state="up", weight=None).get_json()["routes"][0]
    assert (told["state"], told["weight"]) == ("up", 1.0)


@pytest.mark.parametrize(
    ("route", "body", "status"),
    [
        ("nobody", {"state": "down"}, 404),
        ("adyen", {"state": "sideways"}, 422),
        ("adyen", {"weight": 0}, 422),
        ("adyen", {"weight": 1e9}, 422),
    ],
)
def test_an_unsound_change_of_a_route_is_refused(
    client: FlaskClient, route: str, body: dict[str, Any], status: int
) -> None:
    problem(post(client, f"routes/{route}", **body), status)


def test_a_change_that_changes_nothing_is_not_recorded(app: Flask, client: FlaskClient) -> None:
    for _ in range(2):
        post(client, "routes/adyen", state="down")
        post(client, "policies/kill")
        post(client, "policies/pin")
    with recorder_of(app).store.engine.connect() as connection:
        for kind, subject in (("route", "adyen"), ("kill", "decisions"), ("policy", "live")):
            assert len(history(connection, "default", kind, subject)) == 1


def test_rules_are_told_with_their_sources(client: FlaskClient) -> None:
    told = client.get("/v1/rules").get_json()
    assert {each["kind"] for each in told["codes"]} == {"response_code", "advice_code"}
    assert all(each["source"] for each in [*told["codes"], *told["limits"]])
    assert any(each["networks"] == ["visa"] and each["attempts"] == 21 for each in told["limits"])
    assert told["merchant"] == list(MerchantRules().sentences)
