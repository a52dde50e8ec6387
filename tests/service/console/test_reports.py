"""Reports are listed, and shown without the rights of the console."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.console.pages import reports
from service.reports import archive
from service.reports.archive import MAX_BYTES, Report, add_report
from service.store.changes import changing
from tests.service.console.changes_made import engine_of, last
from tests.service.console.visits import post, signed_in, token_of

ADD = "/console/reports/add"
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


def test_a_report_that_says_nothing_of_itself_is_shown_too(app: Flask) -> None:
    report = archived(app, b"<html><title>Silent</title>")
    answer = signed_in(app).get(f"/console/reports/{report.sha256[:12]}")
    assert answer.status_code == 200
    assert 'class="answer"' not in answer.text


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


def upload(client: FlaskClient, page: bytes = PAGE, **fields: str) -> TestResponse:
    token = token_of(client.get("/console/password"))
    data = {"csrf": token, "kind": "gate", "reason": "for the board", **fields}
    return client.post(ADD, data={**data, "file": (io.BytesIO(page), "may.html")})


def test_a_report_is_added_from_the_browser_and_shown_like_any_other(app: Flask) -> None:
    client = signed_in(app)
    form = client.get(ADD).text
    assert 'enctype="multipart/form-data"' in form
    assert 'type="file"' in form
    sent = upload(client)
    assert sent.status_code == 303
    sha256 = hashlib.sha256(PAGE).hexdigest()
    change = last(app, "report", sha256)
    assert (change.actor, change.reason) == ("default.operator", "for the board")
    assert change.value == {"state": "added", "kind": "gate", "title": "May"}
    assert "May is in the archive." in client.get(sent.location).text
    page = client.get(f"{sent.location}/page")
    assert page.data == PAGE
    assert page.headers["Content-Security-Policy"].startswith("sandbox allow-scripts; ")
    again = client.get(upload(client, title="another").location).text
    assert "It was there already." in again
    assert "<h1>May</h1>" in again


def test_what_the_command_would_refuse_is_refused_on_the_form(app: Flask) -> None:
    client = signed_in(app)
    unsound: list[tuple[bytes, dict[str, str], str]] = [
        (b"", {}, "choose a report"),
        (b"%PDF-1.7", {}, "no page of HTML"),
        (b"<html>\xff", {}, "not in UTF-8"),
        (b"<html><p>1", {}, "title"),
        (PAGE, {"kind": "novel"}, "kind"),
        (PAGE, {"reason": " "}, "say why"),
    ]
    for page, fields, why in unsound:
        answer = upload(client, page, **fields)
        assert answer.status_code == 422
        assert why in answer.text
        assert 'type="file"' in answer.text
    assert json.loads(client.get("/console/reports?format=json").data)["reports"] == []


def test_a_file_that_is_too_large_is_not_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(app)
    large = client.post(
        ADD,
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(MAX_BYTES + 70_000)},
    )
    assert large.status_code == 413
    assert "at most 16 MiB" in large.text
    monkeypatch.setattr(archive, "MAX_BYTES", len(PAGE) - 1)
    assert upload(client).status_code == 422


def test_no_field_beside_the_file_may_hold_a_card_number(app: Flask) -> None:
    client = signed_in(app)
    assert upload(client, title="4111 1111 1111 1111").status_code == 422
    token = token_of(client.get("/console/password"))
    # What stands between the parts is the browser's, and often of digits.
    boundary, fields = "-" * 27 + "4111111111111111", {"csrf": token, "kind": "gate", "reason": "x"}
    parts = [f'form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    parts.append(f'form-data; name="file"; filename="x"\r\n\r\n{PAGE.decode()}')
    body = "".join(f"--{boundary}\r\nContent-Disposition: {part}\r\n" for part in parts)
    sent = client.post(
        ADD,
        data=f"{body}--{boundary}--\r\n",
        content_type=f"multipart/form-data; boundary={boundary}",
    )
    assert sent.status_code == 303


def test_a_file_comes_from_an_operator_with_the_forms_token_and_to_this_page_alone(
    app: Flask,
) -> None:
    assert upload(signed_in(app, "viewer")).status_code == 403
    assert "/reports/add" not in signed_in(app, "viewer").get("/console/reports").text
    client = signed_in(app)
    assert upload(client, csrf="another").status_code == 403
    token = token_of(client.get("/console/password"))
    other = {"csrf": token, "reason": "x", "file": (io.BytesIO(PAGE), "may.html")}
    assert client.post("/console/routes/kill", data=other).status_code == 415
    assert post(client, ADD, kind="gate", reason="x").status_code == 415
    assert app.test_client().post(ADD, data={"file": (io.BytesIO(PAGE), "x")}).status_code == 303
