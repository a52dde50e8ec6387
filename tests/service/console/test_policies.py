"""What is live, and the models that could be, with the gate's word on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from tests.service.console.changes_made import engine_of, last, number_of
from tests.service.console.visits import post, signed_in
from tests.service.models.models_to_add import added
from tests.service.models.verdicts import judged

POLICIES = "/console/policies"


def test_the_page_says_what_is_live_and_lists_the_models(app: Flask, tmp_path: Path) -> None:
    passed = judged(engine_of(app), tmp_path, passes=True)
    added(engine_of(app), tmp_path, epsilon=0.3)
    client = signed_in(app, "viewer")
    page = client.get(POLICIES).get_data(as_text=True)
    assert "uniform" in page
    assert "Promote" not in page
    rows = json.loads(client.get(f"{POLICIES}?format=json").data)["models"]
    assert [(each["state"], each["gate"]) for each in rows] == [(None, None), (None, "pass")]
    assert rows[1]["sha256"] == passed.sha256


def test_a_model_shows_its_lineage_and_the_gates_checks(app: Flask, tmp_path: Path) -> None:
    model = judged(engine_of(app), tmp_path, passes=False)
    page = signed_in(app).get(f"{POLICIES}/models/{model.sha256[:12]}").get_data(as_text=True)
    assert "Gain: at least -0.01" in page
    assert "authopt" in page
    assert model.sha256 in page


def test_a_model_that_passed_is_promoted_by_an_operator_with_a_reason(
    app: Flask, tmp_path: Path
) -> None:
    model = judged(engine_of(app), tmp_path, passes=True)
    client, path = signed_in(app), f"{POLICIES}/models/{model.sha256[:12]}/promote"
    assert "the gate passed" in client.get(path).get_data(as_text=True).lower()
    assert post(client, path, reason="better").status_code == 303
    change = last(app, "policy", "live")
    assert (change.value["sha256"], change.actor) == (model.sha256, "default.operator")
    assert change.reason == "better"
    assert "is live" in client.get(POLICIES).get_data(as_text=True)


def test_a_model_that_failed_is_promoted_by_nobody_but_an_admin(app: Flask, tmp_path: Path) -> None:
    model = judged(engine_of(app), tmp_path, passes=False)
    path = f"{POLICIES}/models/{model.sha256[:12]}/promote"
    operator, admin = signed_in(app), signed_in(app, "admin")
    assert 'method="post"' not in main_of(operator.get(path).get_data(as_text=True))
    assert post(operator, path, reason="please").status_code == 422
    assert post(operator, path, reason="please", override="yes").status_code == 403
    assert post(admin, path, reason="forgot to say so").status_code == 422
    assert number_of(app, "policy", "live") == 0
    assert post(admin, path, reason="an outage", override="yes").status_code == 303
    assert last(app, "policy", "live").reason == "Gate overridden: an outage"


def test_a_policy_without_files_is_promoted_by_an_admin_alone(app: Flask) -> None:
    path, spec = f"{POLICIES}/promote", "priority:routes=adyen,epsilon=0.1"
    assert post(signed_in(app), path, spec=spec, reason="x").status_code == 403
    assert post(signed_in(app, "admin"), path, spec=spec, reason="calm").status_code == 303
    assert last(app, "policy", "live").value["spec"] == spec


def test_the_live_policy_is_pinned_unpinned_and_rolled_back(app: Flask, tmp_path: Path) -> None:
    client, model = signed_in(app), judged(engine_of(app), tmp_path, passes=True)
    post(client, f"{POLICIES}/models/{model.sha256[:12]}/promote", reason="better")
    for path, by in (("pin", "pin"), ("unpin", "unpin"), ("roll-back", "rollback")):
        assert client.get(f"{POLICIES}/{path}").status_code == 200
        assert post(client, f"{POLICIES}/{path}", reason=f"to {by}").status_code == 303
        change = last(app, "policy", "live")
        assert (change.value["by"], change.reason) == (by, f"to {by}")
    assert change.value["pinned"]
    assert post(client, f"{POLICIES}/roll-back", reason="again").status_code == 409


@pytest.mark.parametrize("path", ["pin", "unpin", "roll-back", "canary/stop", "shadow-on"])
def test_nothing_is_changed_without_a_reason_or_by_a_viewer(app: Flask, path: str) -> None:
    assert post(signed_in(app), f"{POLICIES}/{path}").status_code == 422
    assert post(signed_in(app, "viewer"), f"{POLICIES}/{path}", reason="x").status_code == 403


def test_no_other_merchants_model_is_seen(app: Flask, tmp_path: Path) -> None:
    model = added(engine_of(app), tmp_path, tenant="other")
    assert signed_in(app).get(f"{POLICIES}/models/{model.sha256[:12]}").status_code == 404


def main_of(page: str) -> str:
    return page.split("<main", 1)[1].split("</main>", 1)[0]
