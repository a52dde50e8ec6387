"""POST /v1/rank, and the activation that says what was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authopt.policies.success_rate import SuccessRate
from service.active_policy import ActivePolicy
from service.store.carried_out import Exported
from service.store.export import logged_batches
from tests.service.in_process import ROUTES, ask, problem, recorder_of, request_body, running
from tests.service.in_process import settings_in as settings


def rank(client: FlaskClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/rank", json=request_body(**changes))
    assert answer.status_code == 200
    return dict(answer.get_json())


def activate(client: FlaskClient, decision_id: str = "d1", **told: Any) -> TestResponse:
    return client.post(f"/v1/decisions/{decision_id}/activation", json=told)


def test_a_ranking_has_every_action_and_the_one_that_was_drawn(
    app: Flask, client: FlaskClient
) -> None:
    context = {"network": "visa", "previous_response_code": "41"}
    answer = rank(client, attempt=2, context=context)
    assert [each["route"] for each in answer["actions"]] == ["stop"]
    assert [each["route"] for each in answer["removed"]] == list(ROUTES)
    free = rank(client, decision_id="d2")
    assert {each["probability"] for each in free["actions"]} == {1 / 3}
    assert free["action"]["route"] in ROUTES
    # A policy that says nothing but probabilities has no scores.
    assert (free["scores"], {each["score"] for each in free["actions"]}) == (None, {None})
    record = recorder_of(app).store.decision("d2")
    assert record is not None
    assert record.deferred


def test_a_policy_that_thinks_in_rates_tells_them(tmp_path: Path) -> None:
    with running(settings(tmp_path), ActivePolicy("success-rate", policy=SuccessRate())) as app:
        answer = rank(app.test_client())
    assert answer["scores"] == "success rate"
    assert all(0.0 <= each["score"] <= 1.0 for each in answer["actions"])


def test_the_same_ranking_gets_the_same_bytes_and_is_no_decision(client: FlaskClient) -> None:
    body = request_body()
    first, second = (client.post("/v1/rank", json=body) for _ in range(2))
    assert first.get_data() == second.get_data()
    assert problem(ask(client, body), 422)["errors"][0]["field"] == "decision_id"


def test_the_drawn_action_is_activated_with_the_propensity_on_record(client: FlaskClient) -> None:
    drawn = rank(client)["action"]
    answer = activate(client, **drawn)
    assert answer.get_json() == {"decision_id": "d1", **drawn, "propensity": 1 / 3}
    assert activate(client, **drawn).get_data() == answer.get_data()


def test_a_choice_of_the_callers_own_has_the_propensity_that_it_gives(client: FlaskClient) -> None:
    other = next(route for route in ROUTES if route != rank(client)["action"]["route"])
    assert activate(client, route=other, propensity=0.25).get_json()["propensity"] == 0.25
    drawn = rank(client, decision_id="d2")["action"]["route"]
    other = next(route for route in ROUTES if route != drawn)
    assert activate(client, "d2", route=other).get_json()["propensity"] is None


def test_the_first_activation_stays(client: FlaskClient) -> None:
    rank(client)
    first = activate(client, route="adyen", propensity=0.5)
    for told in ({"route": "checkout"}, {"route": "adyen", "propensity": 0.4}):
        assert problem(activate(client, **told), 422)["errors"][0]["field"] == "route"
    assert activate(client, route="adyen", propensity=0.5).get_data() == first.get_data()


def test_what_cannot_be_activated_is_refused(client: FlaskClient) -> None:
    problem(activate(client, "nobody", route="adyen"), 404)
    ask(client, request_body("decided"))
    assert problem(activate(client, "decided", route="adyen"), 422)["errors"][0]["field"] == (
        "decision_id"
    )
    rank(client, actions=[{"route": "adyen"}, {"route": "checkout", "delay_s": 60}])
    for told in ({"route": "braintree"}, {"route": "checkout"}):
        assert problem(activate(client, **told), 422)["errors"][0]["field"] == "route"


@pytest.mark.parametrize("propensity", [0.0, 1.5, -1.0, "half"])
def test_a_propensity_is_a_probability_above_0(client: FlaskClient, propensity: Any) -> None:
    rank(client)
    refused = activate(client, route="adyen", propensity=propensity)
    assert problem(refused, 422)["errors"][0]["field"] == "propensity"


def test_an_export_has_what_was_done_and_counts_what_cannot_be_judged(
    app: Flask, client: FlaskClient
) -> None:
    drawn = {f"d{at}": rank(client, decision_id=f"d{at}")["action"] for at in range(4)}
    activate(client, "d0", **drawn["d0"])
    others = {name: next(r for r in ROUTES if r != drawn[name]["route"]) for name in drawn}
    activate(client, "d1", route=others["d1"], propensity=0.25)
    activate(client, "d2", route=others["d2"])
    counts = Exported()
    (batch,) = logged_batches(recorder_of(app).store.engine, counts=counts)
    assert batch.decision_id.to_pylist() == ["d0", "d1"]
    assert batch.propensity.tolist() == [1 / 3, 0.25]
    done = [batch.routes[code] for code in batch.action_route[batch.chosen_action].tolist()]
    assert done == [drawn["d0"]["route"], others["d1"]]
    assert (counts.chosen_otherwise, counts.not_activated) == (1, 1)
