"""Reports are listed, and shown without the rights of the console."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from service.console.pages import reports
from service.reports.archive import Report, add_report
from service.store.changes import changing
from tests.service.console.changes_made import engine_of, last
from tests.service.console.visits import signed_in

PAGE = b"<!doctype html><title>May</title><p class=verdict>All is well.</p><script>1</script>"


def archived(app: Flask, page: bytes = PAGE, tenant: str = "default") -> Report:
    with changing(engine_of(app)) as connection:
        return add_report(connection, tenant, "ann", page, "evaluation", None, "kept")[0]


def test_the_archive_says_what_each_report_says(app: Flask) -> None:
    report = archived(app)
    client = signed_in(app, "viewer")
    rows = json.loads(client.get("/console/reports?format=json").data)["reports"]
    assert [(each["title"], each["verdict"], each["size"]) for each in rows] == [
        ("May", "All is well.", len(PAGE))
    ]
    page = client.get(f"/console/reports/{report.sha256[:12]}").get_data(as_text=True)
    assert "All is well." in page
    assert 'sandbox="allow-scripts"' in page
    assert last(app, "report", report.sha256).reason == "kept"


def test_its_page_has_no_origin_loads_nothing_and_stands_in_no_frame_of_others(app: Flask) -> None:
    report = archived(app)
    client = signed_in(app, "viewer")
    answer = client.get(f"/console/reports/{report.sha256[:12]}/page")
    assert answer.data == PAGE
    rules = dict(
        rule.strip().partition(" ")[::2]
        for rule in answer.headers["Content-Security-Policy"].split(";")
    )
    assert rules["sandbox"] == "allow-scripts"
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == "'self'"
    assert "connect-src" not in rules
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    around = client.get(f"/console/reports/{report.sha256[:12]}")
    assert "frame-src 'self'" in around.headers["Content-Security-Policy"]
    assert "script-src" not in around.headers["Content-Security-Policy"]


def test_a_report_is_saved_as_it_was_added(app: Flask) -> None:
    report = archived(app)
    answer = signed_in(app).get(f"/console/reports/{report.sha256[:12]}/page?save=1")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.data == PAGE


def test_nobody_sees_a_report_of_another_merchant_or_without_signing_in(app: Flask) -> None:
    report = archived(app, tenant="other")
    for path in (f"/console/reports/{report.sha256[:12]}", f"/console/reports/{report.sha256}"):
        assert signed_in(app).get(path).status_code == 404
        assert signed_in(app).get(f"{path}/page").status_code == 404
    assert app.test_client().get(f"/console/reports/{report.sha256[:12]}/page").status_code == 303


def test_a_long_archive_is_shown_page_by_page(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "SHOWN", 2)
    added = [archived(app, PAGE + b"%d" % number).sha256 for number in range(5)]
    client, shown, after = signed_in(app), [], ""
    for _ in range(3):
        rows = json.loads(client.get(f"/console/reports?format=json{after}").data)["reports"]
        shown += [row["sha256"] for row in rows]
        page = client.get(f"/console/reports?{after}").get_data(as_text=True)
        assert ("older reports" in page) == (len(shown) < 5)
        after = f"&after={shown[-1][:12]}"
    assert shown == added[::-1]
