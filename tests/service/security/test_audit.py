"""GET /v1/changes: every change once, in order, however it is paged."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.store.changes import record_change
from tests.service.in_process import problem
from tests.service.security.keys import writing


def test_pages_hold_every_change_once_and_in_order(app: Flask, client: FlaskClient) -> None:
    with writing(app) as connection:
        made = [
            record_change(connection, "default", "me", "route", f"r{i}", {"state": "up"}, "why")
            for i in range(5)
        ]
        record_change(connection, "another", "you", "route", "r", {"state": "up"}, "hidden")
    seen, after = [], 0
    while after is not None:
        page = client.get(f"/v1/changes?after={after}&limit=2").get_json()
        assert len(page["changes"]) <= 2
        seen += page["changes"]
        after = page["next"]
    assert [row["number"] for row in seen] == made
    assert [row["subject"] for row in seen] == [f"r{i}" for i in range(5)]
    assert {(row["actor"], row["reason"], row["value"]["state"]) for row in seen} == {
        ("me", "why", "up")
    }


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "after=٣", "limit=0", "limit=1001", "limit=", "kind=A", "kind="],
)
def test_an_unsound_page_is_refused_by_name(lasting_app: Flask, query: str) -> None:
    fault = problem(lasting_app.test_client().get(f"/v1/changes?{query}"), 422)["errors"][0]
    assert fault["field"] == f"query {query.partition('=')[0]}"
