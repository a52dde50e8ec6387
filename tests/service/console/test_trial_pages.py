"""Canaries, shadows and experiments are started, read and ended in the console."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.shadows.duty import follow_shadows
from service.trials.duty import judge_trials
from tests.service.console.changes_made import engine_of, last, number_of
from tests.service.console.visits import post, signed_in
from tests.service.trials.test_duty import HOUR_US, decide_all, now_us, tell_all
from tests.service.trials.test_pre_period import pay

SPEC = "priority:routes=checkout,epsilon=0.2"
CANARY = "/console/policies/canary"
SHADOW = "/console/policies/shadows/calm"
EXPERIMENTS = "/console/experiments"
FORM = {
    "name": "e1",
    "arms": "2",
    "unit": "payment",
    "share": "50",
    "arm_1": "live",
    "spec_1": "live",
    "weight_1": "1",
    "arm_2": "new",
    "spec_2": SPEC,
    "weight_2": "3",
    "segments": "network",
    "wait_s": "3600",
    "worthwhile": "0.5",
    "guard_fallback": "0.02",
    "reason": "does it pay?",
}
RATES: dict[str | None, float] = {None: 0.9, "live": 0.9, "new": 0.8, "canary": 0.5}


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200, page
    return re.sub(r"\s+", " ", page)


def paid(app: Flask, payments: int = 200) -> None:
    """Payments that are decided and told of."""
    client = app.test_client()
    tell_all(client, decide_all(client, range(payments)), RATES)


@pytest.fixture
def started(app: Flask) -> FlaskClient:
    client = signed_in(app)
    answer = post(client, f"{EXPERIMENTS}/start", **FORM)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return client


def test_an_experiment_starts_as_the_form_says(app: Flask, started: FlaskClient) -> None:
    change = last(app, "experiment", "e1")
    value = change.value
    assert (change.actor, change.reason) == ("default.operator", "does it pay?")
    assert (value["state"], value["share"], value["unit"]) == ("running", 0.5, "payment")
    assert [(arm["name"], arm["spec"], arm["weight"]) for arm in value["arms"]] == [
        ("live", "live", 1),
        ("new", SPEC, 3),
    ]
    assert value["guardrails"] == [{"metric": "fallback", "tolerance": 0.02}]
    assert (value["wait_s"], value["worthwhile"]) == (3600, 0.005)
    assert "Nothing was found yet" in text(started, f"{EXPERIMENTS}/e1")
    assert "Start one" not in text(started, EXPERIMENTS)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"share": "0"}, "share"),
        ({"arm_2": "live"}, "arm"),
        ({"spec_2": ""}, "arm new"),
        ({"unit": "planet"}, "unit"),
        ({"guard_fallback": "much"}, "guard_fallback"),
        ({"name": "Not A Name"}, "name"),
        ({"weight_2": "1.5"}, "weight_2"),
    ],
)
def test_a_form_that_will_not_do_is_shown_again_as_it_was_filled_in(
    app: Flask, changed: dict[str, str], named: str
) -> None:
    answer = post(signed_in(app), f"{EXPERIMENTS}/start", **FORM | changed)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert named in page.split('class="refusal"')[1].split("</p>")[0]
    assert f'value="{SPEC if "spec_2" not in changed else 3600}"' in page
    assert number_of(app, "experiment", "e1") == 0


def test_an_experiment_is_read_with_arms_difference_segments_and_guardrails(
    app: Flask, started: FlaskClient
) -> None:
    paid(app)
    judge_trials(engine_of(app), "default", now_us() + HOUR_US + 1)
    page = text(started, f"{EXPERIMENTS}/e1")
    assert re.search("Go on: new (gains|loses)", page)
    assert "as planned" in page
    tables: dict[str, list[dict[str, Any]]] = json.loads(
        started.get(f"{EXPERIMENTS}/e1?format=json").data
    )
    assert [row["arm"] for row in tables["arms"]] == ["live", "new"]
    counted = sum(row["payments"] for row in tables["arms"])
    assert 0 < counted == tables["over_time"][-1]["payments"] < 200
    assert [row["segment"] for row in tables["segments"]] == ["visa"]
    assert tables["guardrails"][0]["metric"] == "fallback"
    assert tables["differences"][0]["lower"] <= tables["differences"][0]["estimate"]
    rows = json.loads(started.get(f"{EXPERIMENTS}?format=json").data)["experiments"]
    assert (rows[0]["name"], rows[0]["verdict"]) == ("e1", "continue")


def test_an_experiment_shows_what_the_pre_period_does_for_it(app: Flask) -> None:
    client = signed_in(app)
    pay(app.test_client(), range(120), cards=30)
    post(client, f"{EXPERIMENTS}/start", **FORM | {"unit": "card", "share": "100"})
    pay(app.test_client(), range(120, 200), cards=40)
    judge_trials(engine_of(app), "default", now_us() + HOUR_US + 1)
    page = text(client, f"{EXPERIMENTS}/e1")
    assert "what its 120 payments came to foretells" in page
    assert "10 of 40 cards had no pre-period" in page
    tables = json.loads(client.get(f"{EXPERIMENTS}/e1?format=json").data)
    (known,), (plain,) = tables["pre_period"], tables["unadjusted"]
    assert (known["covariates"], known["payments"]) == ("bin, card_ref", 120)
    assert (known["since"][:16], known["until"][:16]) == ("2026-03-01T00:00", "2026-03-01T01:59")
    csv = client.get(f"{EXPERIMENTS}/e1?format=csv&table=unadjusted").get_data(as_text=True)
    assert csv.splitlines()[0].endswith("narrower")
    told = app.test_client().get("/v1/experiments/e1").get_json()["found"]
    assert told["adjustment"]["without_past"] == 10
    assert told["reading"]["narrower"] == [plain["narrower"]]
    assert told["reading"]["unadjusted"][0]["estimate"] == plain["estimate"]


def test_an_experiment_says_so_where_the_pre_period_is_too_short(
    app: Flask, started: FlaskClient
) -> None:
    judge_trials(engine_of(app), "default", now_us())
    page = text(started, f"{EXPERIMENTS}/e1")
    assert "Not adjusted by the pre-period: that takes 100 payments" in page


def test_an_experiment_is_paused_resumed_and_stopped_with_a_decision(
    app: Flask, started: FlaskClient
) -> None:
    for action, state in (("pause", "paused"), ("resume", "running")):
        assert started.get(f"{EXPERIMENTS}/e1/{action}").status_code == 200
        post(started, f"{EXPERIMENTS}/e1/{action}", reason=f"to {action}")
        assert last(app, "experiment", "e1").value["state"] == state
    path = f"{EXPERIMENTS}/e1/stop"
    assert post(started, path, reason="done", verdict="ship").status_code == 422
    assert post(started, path, reason="done", verdict="ship", arm="none").status_code == 422
    assert post(started, path, reason="done", verdict="ship", arm="new").status_code == 303
    change = last(app, "experiment", "e1")
    assert change.value["decision"] == {"verdict": "ship", "arm": "new", "why": "done"}
    assert "Decided: ship new" in text(started, f"{EXPERIMENTS}/e1")


def test_a_plan_needs_payments_and_checks_its_numbers(app: Flask) -> None:
    client = signed_in(app, "viewer")
    assert "no payments of whole days" in text(client, f"{EXPERIMENTS}/plan")
    assert client.get(f"{EXPERIMENTS}/plan?power=120").status_code == 422


def test_a_canary_is_started_given_more_and_stopped(app: Flask) -> None:
    client = signed_in(app)
    assert client.get(CANARY).status_code == 404
    assert post(client, f"{CANARY}/start", share="95", spec=SPEC, reason="x").status_code == 422
    assert post(client, f"{CANARY}/start", share="10", spec=SPEC, reason="x").status_code == 303
    assert last(app, "canary", "live").value["share"] == 0.1
    assert post(client, f"{CANARY}/share", share="50", reason="calm").status_code == 303
    assert "50.00% of the payments" in text(client, CANARY)
    assert post(client, f"{CANARY}/stop", reason="done").status_code == 303
    assert last(app, "canary", "live").value["state"] == "stopped"


def test_a_canary_that_has_earned_nothing_is_promoted_by_an_admin_alone(app: Flask) -> None:
    client = signed_in(app)
    post(client, f"{CANARY}/start", share="10", spec=SPEC, reason="x")
    assert "Nothing is known" in text(client, f"{CANARY}/promote")
    assert post(client, f"{CANARY}/promote", reason="hope").status_code == 403
    assert post(signed_in(app, "admin"), f"{CANARY}/promote", reason="hope").status_code == 303
    assert last(app, "policy", "live").reason == "Gate overridden: hope"


def test_a_canary_shows_its_verdict(app: Flask) -> None:
    client = signed_in(app)
    post(client, f"{CANARY}/start", share="50", spec=SPEC, reason="x", wait_s="3600")
    paid(app, 600)
    judge_trials(engine_of(app), "default", now_us() + HOUR_US + 1)
    page = text(client, CANARY)
    assert "rolled-back" in page
    assert "Payments lost so far" in page
    assert last(app, "canary", "live").actor == "watch"


def test_a_shadow_is_turned_on_read_and_turned_off(app: Flask) -> None:
    client = signed_in(app)
    on = "/console/policies/shadow-on"
    assert post(client, on, name="Calm!", spec=SPEC, reason="x").status_code == 422
    assert post(client, on, name="calm", spec=SPEC, reason="look").status_code == 303
    assert "Nothing was found yet" in text(client, SHADOW)
    paid(app)
    while follow_shadows(engine_of(app), "default", now_us() + HOUR_US):
        pass
    page = text(client, SHADOW)
    assert "Would have done the same" in page
    assert "200 of them judged" in page
    assert post(client, f"{SHADOW}/off", reason="seen").status_code == 303
    assert last(app, "shadow", "calm").value["state"] == "off"
    assert client.get("/console/policies/shadows/none").status_code == 404
