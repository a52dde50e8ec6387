"""Trials are started, changed and ended by calls, one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from service.store.tables import models
from tests.service.in_process import problem
from tests.service.live.test_following import engine_of
from tests.service.models.models_to_add import added
from tests.service.trials.running import FIRST_ROUTE, decide

ARMS = [{"name": "now", "spec": "live"}, {"name": "new", "spec": FIRST_ROUTE, "weight": 3}]


def post(client: FlaskClient, path: str, **body: Any) -> Any:
    return client.post(f"/v1/{path}", json=body)


def started(client: FlaskClient, name: str = "e1", **changes: Any) -> dict[str, Any]:
    answer = post(client, "experiments", **{"name": name, "arms": ARMS} | changes)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def test_an_experiment_runs_from_its_start_to_its_decision(client: FlaskClient) -> None:
    told = started(client, reason="is it better?")["trial"]
    assert (told["state"], told["unit"], told["share"]) == ("running", "payment", 1.0)
    assert [(each["name"], each["share"]) for each in told["arms"]] == [
        ("now", 0.25),
        ("new", 0.75),
    ]
    assert {decide(client, number)["arm"] for number in range(30)} == {"now", "new"}
    assert post(client, "experiments/e1/pause", reason="holiday").status_code == 200
    assert "arm" not in decide(client, 1)
    assert post(client, "experiments/e1/resume").get_json()["trial"]["state"] == "running"
    told = post(client, "experiments/e1/stop", verdict="ship", arm="new", reason="+1 point")
    assert told.get_json()["trial"]["decision"] == {
        "verdict": "ship", "arm": "new", "why": "+1 point"
    }  # fmt: skip
    assert "arm" not in decide(client, 1)
    history = client.get("/v1/experiments/e1").get_json()["history"]
    assert [(each["state"], each["reason"]) for each in history] == [
        ("running", "is it better?"),
        ("paused", "holiday"),
        ("running", ""),
        ("stopped", "+1 point"),
    ]
    listed = client.get("/v1/experiments").get_json()["experiments"]
    assert [each["name"] for each in listed] == ["e1"]


def test_payments_come_back_to_the_arm_of_before_the_pause(client: FlaskClient) -> None:
    started(client)
    before = [decide(client, number)["arm"] for number in range(12)]
    post(client, "experiments/e1/pause")
    post(client, "experiments/e1/resume")
    assert [decide(client, number)["arm"] for number in range(12)] == before


def test_a_second_trial_is_refused_while_one_runs(client: FlaskClient) -> None:
    started(client)
    assert "one trial at a time" in problem(post(client, "canary", spec="uniform"), 409)["detail"]
    problem(post(client, "experiments", name="e2", arms=ARMS), 409)
    post(client, "experiments/e1/pause")
    started(client, "e2")
    problem(post(client, "experiments/e1/resume"), 409)


def test_a_name_is_used_once(client: FlaskClient) -> None:
    started(client)
    post(client, "experiments/e1/stop", verdict="keep")
    problem(post(client, "experiments", name="e1", arms=ARMS), 409)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": "canary"}, 422),
        ({"name": "Ümlaut"}, 422),
        ({"arms": ARMS[:1]}, 422),
        ({"arms": [ARMS[0], ARMS[0]]}, 422),
        ({"arms": [ARMS[0], {"name": "new", "spec": "vw:/etc/passwd"}]}, 422),
        ({"arms": [ARMS[0], {"name": "new"}]}, 422),
        ({"arms": [ARMS[0], {"name": "new", "sha256": "0123456789ab"}]}, 404),
        ({"share": 0.0}, 422),
        ({"unit": "shop"}, 422),
        ({"segments": ["no_such_column"]}, 422),
        ({"guardrails": [{"metric": "smiles", "tolerance": 0.1}]}, 422),
        ({"wait_s": 1}, 422),
    ],
)
def test_an_unsound_experiment_is_refused_and_leaves_nothing(
    client: FlaskClient, changes: dict[str, Any], status: int
) -> None:
    refused = problem(post(client, "experiments", **{"name": "e1", "arms": ARMS} | changes), status)
    assert refused["errors"]
    assert client.get("/v1/experiments").get_json() == {"experiments": []}


@pytest.mark.parametrize(
    "path", ["experiments/none/pause", "experiments/none/resume", "canary/stop", "canary/promote"]
)
def test_what_is_not_there_cannot_be_changed(client: FlaskClient, path: str) -> None:
    problem(post(client, path), 404)


def test_what_is_over_stays_over(client: FlaskClient) -> None:
    started(client)
    problem(post(client, "experiments/e1/resume"), 409)
    problem(post(client, "experiments/e1/stop", verdict="ship"), 422)
    problem(post(client, "experiments/e1/stop", verdict="ship", arm="nobody"), 422)
    post(client, "experiments/e1/stop", verdict="keep")
    for path in ("pause", "resume"):
        problem(post(client, f"experiments/e1/{path}"), 409)


def test_a_model_that_cannot_be_loaded_starts_no_trial(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    model = added(engine_of(app), tmp_path / "m")
    with engine_of(app).begin() as connection:
        connection.execute(update(models).values(files=b"broken"))
    arms = [ARMS[0], {"name": "new", "sha256": model.sha256[:12]}]
    assert "damaged" in problem(post(client, "experiments", name="e1", arms=arms), 422)["detail"]
    problem(client.get("/v1/experiments/e1"), 404)


def test_a_canary_grows_and_is_promoted(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    model = added(engine_of(app), tmp_path / "m")
    problem(client.get("/v1/canary"), 404)
    told = post(client, "canary", sha256=model.sha256[:12], share=0.3).get_json()["trial"]
    assert [(each["name"], each["share"]) for each in told["arms"]] == [
        ("canary", 0.3), ("live", 0.7)
    ]  # fmt: skip
    stages = []
    for share in (0.3, 0.6):
        assert post(client, "canary/share", share=share).status_code == 200
        found = [decide(client, number) for number in range(40)]
        stages.append({at for at, each in enumerate(found) if each["arm"] == "canary"})
        assert {each["policy"]["sha256"] for each in found if each["arm"] == "canary"} == {
            model.sha256
        }
    assert stages[0] < stages[1]
    early = problem(post(client, "canary/promote", reason="no harm"), 422)
    assert "Nothing is known of its payments yet" in early["detail"]
    problem(post(client, "canary/promote", override=True), 422)
    told = post(client, "canary/promote", override=True, reason="an outage").get_json()["trial"]
    assert (told["state"], told["reason"]) == ("promoted", "Gate overridden: an outage")
    answer = decide(client, 1)
    assert "arm" not in answer
    assert answer["policy"]["sha256"] == model.sha256
    problem(post(client, "canary/share", share=0.5), 409)


def test_a_canary_is_stopped_and_another_one_started(client: FlaskClient) -> None:
    post(client, "canary", spec=FIRST_ROUTE)
    assert post(client, "canary/stop").get_json()["trial"]["state"] == "stopped"
    assert "arm" not in decide(client, 1)
    assert post(client, "canary", spec="uniform").get_json()["trial"]["state"] == "running"


@pytest.mark.parametrize("share", [0.0, 0.95, 1.0, -1])
def test_a_canary_has_a_part_of_the_payments(client: FlaskClient, share: float) -> None:
    problem(post(client, "canary", spec="uniform", share=share), 422)


def test_a_pinned_policy_is_not_replaced_by_a_canary(client: FlaskClient) -> None:
    post(client, "canary", spec=FIRST_ROUTE)
    post(client, "policies/pin", reason="peak season")
    problem(post(client, "canary/promote", override=True, reason="x"), 409)
    assert client.get("/v1/canary").get_json()["trial"]["state"] == "running"


def test_shadows_are_turned_on_and_off(client: FlaskClient) -> None:
    told = post(client, "shadows", name="s1", spec=FIRST_ROUTE, reason="look").get_json()
    assert [(each["name"], each["state"], each["spec"]) for each in told["shadows"]] == [
        ("s1", "on", FIRST_ROUTE)
    ]
    problem(post(client, "shadows", name="s1", spec=FIRST_ROUTE), 409)
    problem(post(client, "shadows", name="s2", spec="live"), 422)
    problem(post(client, "shadows/none/off"), 404)
    assert post(client, "shadows/s1/off").get_json()["shadows"][0]["state"] == "off"
    problem(post(client, "shadows/s1/off"), 409)


def test_no_more_shadows_are_on_than_can_be_asked(client: FlaskClient) -> None:
    for number in range(5):
        assert post(client, "shadows", name=f"s{number}", spec="uniform").status_code == 200
    problem(post(client, "shadows", name="s5", spec="uniform"), 409)
