"""What fires, what has fired, what was sent; and every change, found by what is known of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from service.console.change_words import in_words
from service.console.pages import audit
from service.store.changes import changing, record_change
from service.store.tables import deliveries
from tests.service.console.changes_made import engine_of
from tests.service.console.visits import signed_in


def alarm(app: Flask, subject: str, state: str, tenant: str = "default") -> int:
    value = {
        "state": state,
        "since_us": 1_772_323_200_000_000,
        "what": f"{subject} is {state}.",
        "figures": {"approved": 3, "rate": 0.12345},
        "links": {},
        "kind": subject.partition(":")[0],
        "dimension": "route" if ":" in subject else "",
        "value": subject.partition(":")[2],
    }
    with changing(engine_of(app)) as connection:
        return record_change(connection, tenant, "watch", "alarm", subject, value, "")


def tables(client: FlaskClient, path: str) -> dict[str, list[dict[str, Any]]]:
    sign = "&" if "?" in path else "?"
    found: dict[str, list[dict[str, Any]]] = json.loads(
        client.get(f"/console/{path}{sign}format=json").data
    )
    return found


def test_what_fires_says_what_to_do_next(app: Flask) -> None:
    alarm(app, "route-down:adyen", "firing")
    alarm(app, "fallback", "firing")
    alarm(app, "fallback", "resolved")
    alarm(app, "rate", "firing", tenant="other")
    client = signed_in(app, "viewer")
    found = tables(client, "alarms")
    assert [row["alarm"] for row in found["firing"]] == ["route-down:adyen"]
    assert found["firing"][0]["figures"] == "approved 3, rate 0.1235"
    assert [row["state"] for row in found["history"]] == ["resolved", "firing", "firing"]
    page = client.get("/console/alarms").get_data(as_text=True)
    assert '<a href="/console/routes/down?route=adyen">take the route down</a>' in page
    assert '<a href="/console/payments?route=adyen">approved 3' in page


def test_messages_are_told_with_what_became_of_them(app: Flask) -> None:
    number = alarm(app, "fallback", "firing")
    rows: list[dict[str, Any]] = [
        {"channel": "on-call", "delivered_at_us": 2, "fault": None},
        {"channel": "mail", "delivered_at_us": None, "fault": "no answer"},
        {"channel": "late", "delivered_at_us": None, "fault": None},
    ]
    with changing(engine_of(app)) as connection:
        for row in rows:
            sent = {"tenant": "default", "change": number, "tries": 1, "next_try_us": 1} | row
            connection.execute(insert(deliveries), sent)
    found = tables(signed_in(app), "alarms")["deliveries"]
    assert [(row["channel"], row["state"]) for row in found] == [
        ("late", "waiting"),
        ("mail", "failing"),
        ("on-call", "delivered"),
    ]


def record(app: Flask, actor: str, kind: str, subject: str, tenant: str = "default") -> None:
    with changing(engine_of(app)) as connection:
        record_change(connection, tenant, actor, kind, subject, {"state": "up", "salt": "x"}, "r")


def test_the_audit_log_is_filtered_by_who_what_and_when(app: Flask) -> None:
    record(app, "ann", "route", "adyen")
    record(app, "ben", "route", "a%dyen")
    record(app, "ben", "model", "f" * 64)
    record(app, "eve", "route", "adyen", tenant="other")
    client = signed_in(app, "viewer")
    today = datetime.now(UTC).date()

    def subjects(query: str) -> list[str]:
        rows = tables(client, f"audit?{query}")["changes"]
        return [row["subject"] for row in rows if row["kind"] != "user"]

    assert subjects("") == ["f" * 12, "a%dyen", "adyen"]
    assert subjects("actor=ben") == ["f" * 12, "a%dyen"]
    assert subjects("kind=route") == ["a%dyen", "adyen"]
    assert subjects("subject=a%25") == ["a%dyen"]
    assert len(subjects(f"since={today}")) == 3
    assert subjects(f"until={today - timedelta(days=1)}") == []
    assert subjects(f"until={today}&actor=ann") == ["adyen"]


@pytest.mark.parametrize("query", ["since=yesterday", "before=-1", "before=x", "until=9999-12-31"])
def test_a_filter_that_is_none_is_refused(app: Flask, query: str) -> None:
    assert signed_in(app).get(f"/console/audit?{query}").status_code == 422


def test_the_audit_log_is_read_page_by_page(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SHOWN", 3)
    for number in range(5):
        record(app, "ann", "route", f"r{number}")
    client = signed_in(app)
    first = client.get("/console/audit?kind=route").get_data(as_text=True)
    before = first.split("before=")[1].split('"')[0]
    path = f"audit?kind=route&before={before}"
    assert [row["subject"] for row in tables(client, path)["changes"]] == ["r1", "r0"]
    assert "older changes" not in client.get(f"/console/{path}").get_data(as_text=True)


def test_a_value_is_said_in_words_and_without_what_no_reader_needs() -> None:
    value = {
        "state": "running",
        "salt": "f3a9",
        "arms": [{"name": "a", "sha256": None}, {"name": "b", "sha256": "ab" * 32}],
        "pinned": True,
        "wait_s": 60,
        "decision": None,
    }
    assert in_words(value) == (
        "state running; arms (name a), (name b, sha256 abababababab); pinned yes; wait s 60"
    )
    assert len(in_words({"text": "x" * 2_000})) == 400
