"""Why a decision on record was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authopt.policies.online import OnlineVw
from service.models.archive import archive
from service.models.live_policy import promote_model, promote_spec
from service.models.registry import add_model
from service.store.export import logged_batches
from service.store.store import Store
from tests.service.in_process import ask, problem, recorder_of, request_body, tell
from tests.service.learning.recorded import decision, outcome
from tests.service.live.test_following import engine_of, live_of


def explained(client: FlaskClient, decision_id: str = "d1") -> dict[str, Any]:
    answer = client.get(f"/v1/decisions/{decision_id}/explanation")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def test_a_model_says_what_its_features_add(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    engine = engine_of(app)
    policy = OnlineVw(epsilon=0.2, bits=10)
    rows = [decision(number, route=("adyen", "braintree")[number % 2]) for number in range(40)]
    told = [outcome(number, approved=number % 2 == 0) for number in range(40)]
    Store(engine).keep([*rows, *told])
    for batch in logged_batches(engine):
        policy.update(batch)
    policy.save(tmp_path / "model.json")
    model, _ = add_model(engine, "default", "tests", archive(f"online:{tmp_path}/model.json"), "")
    promote_model(engine, "default", "tests", model.sha256, "")
    live_of(app).refresh(engine)
    ask(client, request_body("now"))
    tell(client, {"decision_id": "now", "approved": True})
    # What decided is asked, not what decides now.
    promote_spec(engine, "default", "tests", "uniform", "")
    live_of(app).refresh(engine)
    found = explained(client, "now")
    assert (found["model_sha256"], found["agrees"]) == (model.sha256, True)
    told = found["explanation"]
    assert sum(each["probability"] for each in told["actions"]) == pytest.approx(1.0)
    best = told["comparisons"][0]
    parts = sum(each["value"] for each in best["parts"])
    assert parts == pytest.approx(best["difference"], abs=1e-5)
    assert told["logged"]["outcome"]["approved"] == 1.0


def test_a_policy_without_a_model_is_explained_with_the_weights_of_its_time(
    client: FlaskClient,
) -> None:
    client.post("/v1/routes/adyen", json={"weight": 2.0})
    ask(client, request_body("d1"))
    client.post("/v1/routes/adyen", json={"weight": 5.0})
    spec = "priority:routes=checkout,epsilon=0.1"
    body = {"spec": spec, "override": True, "reason": "to see"}
    assert client.post("/v1/policies/promote", json=body).status_code == 200
    ask(client, request_body("d2"))
    first, second = explained(client, "d1"), explained(client, "d2")
    assert second["policy"].startswith("priority")
    assert (second["weights"], second["agrees"]) == ({"adyen": 5.0}, True)
    assert (first["policy"], first["weights"], first["agrees"]) == ("uniform", {"adyen": 2.0}, True)


def test_what_the_static_priority_decided_says_why(client: FlaskClient) -> None:
    client.post("/v1/policies/kill", json={"reason": "on fire"})
    ask(client, request_body("d1"))
    found = explained(client)
    assert (found["explanation"], found["agrees"]) == (None, None)
    assert found["fallback"].endswith("on fire")


def test_a_decision_that_is_not_there_is_named(app: Flask, client: FlaskClient) -> None:
    recorder_of(app).store.keep([decision(1, tenant="other")])
    for name in ("d1", "none"):
        refused = problem(client.get(f"/v1/decisions/{name}/explanation"), 404)
        assert refused["errors"][0]["field"] == "decision_id"
