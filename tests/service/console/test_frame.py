"""The frame of every page: landmarks, headers, colours, notices, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, url_for
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.console.frame import NAVIGATION, asked_with, done
from service.console.stylesheet import stylesheet
from service.people.needs import needs
from service.security.caller import Scope
from tests.service.console.sample_page import with_sample
from tests.service.console.visits import post, signed_in
from tests.service.in_process import running, settings_in


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with running(settings_in(tmp_path_factory.mktemp("console"))) as app:
        yield with_sample(app)


@pytest.fixture
def visit(lasting: Flask) -> FlaskClient:
    return signed_in(lasting)


def test_a_page_says_who_is_there_and_has_its_landmarks(visit: FlaskClient) -> None:
    html = visit.get("/console/sample").text
    for part in (
        '<html lang="en">',
        "<title>A sample · authopt</title>",
        '<a class="skip" href="#main">',
        "<header",
        '<main id="main"',
        "<footer>",
        "default.operator",
        ">operator</span>",
        'title="merchant">default</span>',
        "<h1>A sample</h1>",
    ):
        assert part in html, part
    assert html.count("<h1>") == 1
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_a_page_brings_nothing_that_its_own_policy_forbids(visit: FlaskClient) -> None:
    answer = visit.get("/console/sample")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert len(answer.headers.getlist("Content-Security-Policy")) == 1
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", answer.text)


def test_what_a_merchant_named_is_shown_as_text(visit: FlaskClient) -> None:
    html = visit.get("/console/sample").text
    assert "&lt;b&gt;braintree&lt;/b&gt;" in html
    assert "<b>braintree" not in html


def test_the_sheet_is_kept_by_browsers_until_it_changes(visit: FlaskClient) -> None:
    sheet, name = stylesheet()
    assert f"/console/style.css?v={name}" in visit.get("/console/sample").text
    answer = visit.get(f"/console/style.css?v={name}")
    assert answer.data == sheet
    assert answer.headers.getlist("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert answer.content_type == "text/css; charset=utf-8"


def test_the_colours_of_both_sides_can_be_chosen() -> None:
    text = stylesheet()[0].decode()
    light, dark = re.findall(r":root\[data-theme=\w+\] {([^}]*)}", text)
    assert "color-scheme: light;" in light
    assert "color-scheme: dark;" in dark
    names = [set(re.findall(r"--[a-z-]+", side)) for side in (light, dark)]
    assert names[1] < names[0]
    assert light != dark


def test_a_colour_is_chosen_without_a_script_and_comes_back(lasting: Flask) -> None:
    client = signed_in(lasting)
    answer = post(client, "/console/theme", theme="dark", next="/console/sample?a=1")
    assert answer.headers["Location"] == "/console/sample?a=1"
    assert '<html lang="en" data-theme="dark">' in client.get("/console/sample").text
    post(client, "/console/theme", theme="nonsense", next="https://evil.example")
    assert '<html lang="en">' in client.get("/console/sample").text


def test_a_notice_is_shown_once(lasting: Flask) -> None:
    def act() -> Response:
        return done("Route adyén is <down>.", "/console/sample")

    if "console.act" not in lasting.view_functions:
        lasting.view_functions["console.act"] = act
    with lasting.test_request_context("/console/sample"):
        cookie = act().headers["Set-Cookie"].split(";")[0].partition("=")[2]
    client = signed_in(lasting)
    client.set_cookie("authopt-notice", cookie)
    shown = '<p class="notice" role="status">Route adyén is &lt;down&gt;.</p>'
    assert shown in client.get("/console/sample").text
    assert "notice" not in client.get("/console/sample").text


@pytest.mark.parametrize("kept", ["!", "4", "gICA", "\x7f"])
def test_a_damaged_notice_is_no_notice(lasting: Flask, kept: str) -> None:
    client = signed_in(lasting)
    client.set_cookie("authopt-notice", kept)
    answer = client.get("/console/sample")
    assert answer.status_code == 200
    assert 'role="status"' not in answer.text


def test_the_navigation_names_the_pages_that_there_are(lasting: Flask) -> None:
    html = signed_in(lasting, "admin").get("/console/sample").text
    for endpoint, name in NAVIGATION:
        assert (f">{name}</a></li>" in html) is (f"console.{endpoint}" in lasting.view_functions)


def test_the_entrance_leads_to_the_first_page(visit: FlaskClient) -> None:
    assert visit.get("/console/", follow_redirects=True).status_code == 200
    assert visit.get("/console", follow_redirects=True).status_code == 200


def test_a_page_that_is_not_there_is_said_to_be_on_a_page(visit: FlaskClient) -> None:
    answer = visit.get("/console/no/such <page>")
    assert answer.status_code == 404
    assert answer.content_type.startswith("text/html")
    assert "There is no page &#39;no/such &lt;page&gt;&#39;." in answer.text


def test_a_page_that_fails_says_so_and_no_more(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:

        def fail() -> str:
            raise RuntimeError("secret reasons")

        app.add_url_rule("/console/fails", "console.fails", fail)
        answer = signed_in(app).get("/console/fails")
    assert answer.status_code == 500
    assert "its log says why" in answer.text
    assert "secret reasons" not in answer.text


def test_an_address_with_another_query_stays_on_this_host(lasting: Flask) -> None:
    with lasting.test_request_context(
        "/console/sample?a=1&b=2&_external=1&_scheme=javascript&_anchor=x"
    ):
        assert asked_with(b=None, c=3) == "/console/sample?a=1&c=3"
        assert asked_with() == url_for("console.sample", a=1, b=2)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.text(max_size=20),
    st.dictionaries(
        st.sampled_from(["format", "table", "q", "next", "theme", "csrf", "_external", "page"]),
        st.sampled_from(["csv", "json", "routes", "1", "-1"]) | st.text(max_size=12),
        max_size=4,
    ),
    st.sampled_from(["/console/sample", "/console/password", "/console/sign-in"]),
)
def test_whatever_is_asked_for_no_page_fails(
    visit: FlaskClient, cookie: str, query: dict[str, str], path: str
) -> None:
    assert visit.get(path, query_string=query).status_code < 500
    sent = visit.post(path, data=query)
    assert sent.status_code in (200, 303, 401, 403, 404, 405, 415, 422)


def test_what_a_view_needs_is_its_mark_or_by_its_method() -> None:
    from service.people.needs import needed

    @needs(Scope.ADMIN)
    def marked() -> None: ...

    def plain() -> None: ...

    assert [needed(plain, method) for method in ("GET", "HEAD", "POST", "DELETE")] == [
        Scope.READ,
        Scope.READ,
        Scope.OPERATE,
        Scope.OPERATE,
    ]
    assert needed(marked, "GET") is Scope.ADMIN
