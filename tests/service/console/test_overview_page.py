"""The overview: figures that are those of the decisions, and whatever is not as it should be."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from flask import Flask

from service.shadows.finding import ShadowFinding, ShadowValue
from service.store.changes import changing, record_change
from service.store.records import microseconds
from service.watch.findings import keep_finding
from tests.service.console.some_payments import add_up, came_out, decide
from tests.service.console.visits import post, signed_in
from tests.service.in_process import recorder_of

DAY_S = 86_400.0


def now_us() -> int:
    return microseconds(datetime.now(UTC))


def test_an_empty_store_has_a_page_that_says_so(app: Flask) -> None:
    visit = signed_in(app, "viewer")
    html = visit.get("/console").text
    assert "The sums are not complete yet" in html
    assert "No experiment, canary or shadow has told anything yet." in html
    assert visit.get("/console/").location == "/console"


def test_rates_are_those_of_payments_and_of_first_attempts(app: Flask) -> None:
    for number in range(10):
        decide(app, f"a{number}", f"p{number}", 30.0)
        if number < 9:
            came_out(app, f"a{number}", number < 6)
    decide(app, "b8", "p8", 20.0, attempt=2, previous_response_code="51")
    came_out(app, "b8", True)
    for number in range(4):
        decide(app, f"c{number}", f"q{number}", 30 * DAY_S)
        came_out(app, f"c{number}", False)
    add_up(app)
    visit = signed_in(app)
    tables = visit.get("/console?format=json").json
    _, _, month = tables["spans"]
    assert month["payments"] == 10
    assert month["paid"] == pytest.approx(0.7)
    assert month["first_approved"] == pytest.approx(6 / 9)
    assert month["first_approved_low"] < 6 / 9 < month["first_approved_high"]
    assert month["change"] == pytest.approx(6 / 9)
    assert month["attempts_per_payment"] == pytest.approx(1.1)
    assert month["attempts_saved"] == -1
    assert month["missing"] == 1
    (money,) = tables["money"]
    assert (money["currency"], money["approved_minor"]) == ("EUR", 7 * 1999)
    assert money["approved"] == "140"
    assert sum(day["payments"] for day in tables["days"]) == 10
    html = visit.get("/console").text
    assert "Nothing: no alarm fires" in html
    assert "<svg" in html


def test_what_is_not_as_it_should_be_needs_attention(app: Flask, tmp_path: Path) -> None:
    decide(app, "d1", "p1")
    add_up(app)
    visit = signed_in(app)
    post(visit, "/console/routes/down?route=adyen", reason="it hangs")
    alarm = {
        "state": "firing",
        "since_us": now_us(),
        "what": "Approvals fell.",
        "figures": {},
        "links": {},
        "kind": "rate",
        "dimension": None,
        "value": None,
    }
    trial = {
        "state": "paused",
        "arms": [
            {"name": "live", "spec": "live", "sha256": None, "weight": 1},
            {"name": "new", "spec": "uniform", "sha256": None, "weight": 1},
        ],
        "unit": "payment",
        "share": 1.0,
        "salt": "s",
        "segments": [],
        "guardrails": [],
        "wait_s": 60,
        "worthwhile": 0.005,
        "after": 0,
        "decision": None,
    }
    canary = {key: value for key, value in trial.items() if key not in ("arms", "decision")}
    canary |= {"state": "rolled-back", "spec": "uniform", "sha256": None, "share": 0.05}
    with changing(recorder_of(app).store.engine) as connection:
        record_change(connection, "default", "watch", "alarm", "rate", alarm, "")
        record_change(connection, "default", "watch", "experiment", "summer", trial, "too dear")
        record_change(connection, "default", "watch", "canary", "live", canary, "it does harm")
    (tmp_path / "authopt.db.spool").write_text("")
    found = visit.get("/console?format=json").json["attention"]
    kinds = [row["kind"] for row in found]
    assert set(kinds) == {"alarm", "route down", "paused", "rolled back", "store"}
    assert [row["tone"] for row in found] == ["bad"] * 3 + ["warn"] * 2
    html = visit.get("/console").text
    for said in ("Approvals fell.", "it hangs", "too dear", "it does harm"):
        assert said in html
    link = re.search(r'href="/console/alarms#(alarm-\d+)"', html)
    assert link is not None
    assert f'id="{link[1]}"' in visit.get("/console/alarms").text


def test_sums_that_are_not_those_of_now_are_called_so(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(app, "d1", "p1")
    add_up(app)
    visit = signed_in(app)
    assert visit.get("/console?format=json").json["attention"] == []
    monkeypatch.setattr("service.console.attention.STALE_US", -1)
    (row,) = visit.get("/console?format=json").json["attention"]
    assert "authopt watch does not run" in row["said"]


def test_attempts_that_nobody_tells_the_outcomes_of_are_missed(app: Flask) -> None:
    for number in range(20):
        decide(app, f"d{number}", f"p{number}", 3 * 3600.0)
    add_up(app)
    visit = signed_in(app)
    (row,) = visit.get("/console?format=json").json["attention"]
    assert row["said"].startswith("No outcome is known of the 20 attempts")


def test_what_a_shadow_would_gain_is_not_told_as_gained(app: Flask) -> None:
    value = ShadowValue(1000, 0.86, 0.88, 0.02, 0.005, 0.035, 400.0, 0.0)
    told = ShadowFinding(
        "uniform", None, 1, now_us(), None, 1000, 0.5, 0.4, 0, 0, 0, 0.95, value, []
    )
    on = {"state": "on", "spec": "uniform", "sha256": None}
    with changing(recorder_of(app).store.engine) as connection:
        record_change(connection, "default", "kim", "shadow", "next", on, "")
        keep_finding(connection, "default", "shadow", "next", msgspec.to_builtins(told), now_us())
    (row,) = signed_in(app).get("/console?format=json").json["gains"]
    assert (row["policy"], row["against"], row["kind"]) == ("next", "live", "shadow")
    assert row["extra"] is None
    assert row["extra_if"] == pytest.approx(20.0)
    assert (row["difference_low"], row["difference_high"]) == (0.005, 0.035)
