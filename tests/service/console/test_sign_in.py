"""Who sees the console: people with a cookie, each their own merchant, as their role allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from authopt.card_numbers import contains_card_number
from service.people.roles import Role
from service.people.sign_in import FREE_TRIES
from service.people.users import disable, set_role
from service.security.caller import Scope
from service.settings import TenantSettings
from service.store.changes import changing
from tests.service.console.sample_page import with_sample
from tests.service.console.visits import (
    PASSWORD,
    add,
    post,
    signed_in,
    token_of,
    try_password,
)
from tests.service.in_process import recorder_of, running, settings_in
from tests.service.security.keys import bearing, key

PAN = "4111 1111 1111 1111"
HTTPS = "https://pay.example"


def leads_to_sign_in(answer: Any) -> bool:
    location = answer.headers.get("Location", "")
    return answer.status_code == 303 and location.startswith("/console/sign-in?next=/console")


def test_without_a_visit_every_page_leads_to_the_sign_in_and_back(
    app: Flask, client: FlaskClient
) -> None:
    add(app, "kim")
    asked = client.get("/console/password?x=a%26b")
    assert asked.headers["Location"] == "/console/sign-in?next=/console/password%3Fx%3Da%2526b"
    form = client.get(asked.headers["Location"])
    sent = client.post(
        "/console/sign-in",
        data={
            "csrf": token_of(form),
            "username": "kim",
            "password": PASSWORD,
            "next": "/console/password?x=a%26b",
        },
    )
    assert sent.headers["Location"] == "/console/password?x=a%26b"
    assert client.get(sent.headers["Location"]).status_code == 200


def test_nothing_of_the_console_but_its_entrance_is_open(app: Flask, client: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/console"):
            continue
        path = rule.rule.replace("<", "").replace(">", "").replace("path:", "")
        for method in (rule.methods or set()) - {"OPTIONS"}:
            answer = client.open(path, method=method, data={"x": "y"})
            entrance = path.endswith(("/sign-in", "/style.css", "/theme"))
            assert leads_to_sign_in(answer) is not entrance, (method, path)
            assert method != "POST" or answer.status_code in (303, 403)


def test_a_service_without_keys_is_open_but_its_console_is_not(client: FlaskClient) -> None:
    assert client.get("/v1/policies").status_code == 200
    assert leads_to_sign_in(client.get("/console/password"))


def test_no_key_opens_the_console_and_no_cookie_the_api(app: Flask, client: FlaskClient) -> None:
    everything = key(app, *Scope)
    assert leads_to_sign_in(client.get("/console/password", headers=bearing(everything)))
    assert signed_in(app, "admin").get("/v1/policies").status_code == 401


def test_a_wrong_password_and_an_unknown_name_are_told_the_same(
    app: Flask, client: FlaskClient
) -> None:
    add(app, "kim")
    answers = [try_password(client, name, "wrong") for name in ("kim", "nobody", "", "Kim Lee")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.get_data(as_text=True) for answer in answers}) == 1
    assert leads_to_sign_in(client.get("/console/password"))


def test_after_some_wrong_passwords_the_right_one_is_refused_too(
    app: Flask, client: FlaskClient
) -> None:
    add(app, "kim")
    for _ in range(FREE_TRIES):
        try_password(client, "kim", "wrong")
    assert try_password(client, "kim", PASSWORD).status_code == 401


def test_here_the_cookie_is_of_this_host_alone_and_no_script_reads_it(
    app: Flask, client: FlaskClient
) -> None:
    add(app, "kim")
    sent = try_password(client, "kim", PASSWORD).headers.getlist("Set-Cookie")
    (session,) = [each for each in sent if each.startswith("authopt-session=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(session.split("; "))
    assert "Domain" not in session


def test_elsewhere_it_is_for_tls_alone(app: Flask, client: FlaskClient) -> None:
    add(app, "kim")
    sent = try_password(client, "kim", PASSWORD, base_url=HTTPS).headers.getlist("Set-Cookie")
    (session,) = [each for each in sent if "authopt-session=" in each]
    assert session.startswith("__Host-authopt-session=")
    assert "Secure" in session.split("; ")


def test_each_sign_in_begins_a_new_visit_and_ends_the_one_before(app: Flask) -> None:
    first = signed_in(app)
    cookie = first.get_cookie("authopt-session")
    assert cookie is not None
    second = app.test_client()
    second.set_cookie("authopt-session", cookie.value)
    token = token_of(second.get("/console/password"))
    fields = {"csrf": token, "username": "default.operator", "password": PASSWORD}
    assert second.post("/console/sign-in", data=fields).status_code == 303
    fresh = second.get_cookie("authopt-session")
    assert fresh is not None
    assert fresh.value != cookie.value
    assert leads_to_sign_in(first.get("/console/password"))
    assert second.get("/console/password").status_code == 200


def test_who_is_signed_in_is_led_past_the_sign_in(app: Flask) -> None:
    client = signed_in(app)
    assert client.get("/console/sign-in?next=/console/password").location == "/console/password"
    assert client.get("/console/sign-in?next=//evil.example").location.startswith("/console")


def test_sign_out_ends_the_visit_for_whoever_holds_the_cookie(app: Flask) -> None:
    client = signed_in(app)
    cookie = client.get_cookie("authopt-session")
    assert cookie is not None
    assert post(client, "/console/sign-out").headers["Location"] == "/console/sign-in"
    assert client.get_cookie("authopt-session") is None
    client.set_cookie("authopt-session", cookie.value)
    assert leads_to_sign_in(client.get("/console/password"))


def test_a_form_without_its_token_is_refused_and_changes_nothing(app: Flask) -> None:
    client, other = signed_in(app), signed_in(app, "viewer")
    foreign = token_of(other.get("/console/password"))
    for data in ({"x": "y"}, {"csrf": ""}, {"csrf": foreign}):
        assert client.post("/console/sign-out", data=data).status_code == 403
    sent = {"csrf": token_of(client.get("/console/password"))}
    refused = client.post("/console/sign-out", data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    refused = client.post("/console/sign-out", json=sent)
    assert refused.status_code == 415
    assert client.get("/console/password").status_code == 200


def test_the_sign_in_itself_takes_no_form_of_another_site(app: Flask, client: FlaskClient) -> None:
    add(app, "kim")
    fields = {"username": "kim", "password": PASSWORD}
    assert client.post("/console/sign-in", data=fields).status_code == 403
    token = token_of(app.test_client().get("/console/sign-in"))
    client.get("/console/sign-in")
    assert client.post("/console/sign-in", data={**fields, "csrf": token}).status_code == 403


def test_who_is_disabled_is_out_at_once_and_a_new_role_counts_at_once(app: Flask) -> None:
    client = signed_in(app)
    with changing(recorder_of(app).store.engine) as connection:
        set_role(connection, "default.operator", Role.VIEWER, actor="test")
    assert '<span class="soft">viewer</span>' in client.get("/console/password").text
    with changing(recorder_of(app).store.engine) as connection:
        disable(connection, "default.operator", actor="test")
    assert leads_to_sign_in(client.get("/console/password"))


def test_a_viewer_changes_nothing_and_an_operator_no_more_than_is_said(app: Flask) -> None:
    from service.people.needs import needs

    def changed() -> str:
        return "changed"

    app.add_url_rule("/console/any", "console.any", changed, methods=["GET", "POST"])
    app.add_url_rule(
        "/console/strong", "console.strong", needs(Scope.ADMIN)(lambda: "x"), methods=["POST"]
    )
    viewer, operator, admin = (signed_in(app, role) for role in Role)
    assert viewer.get("/console/any").status_code == 200
    assert [post(each, "/console/any").status_code for each in (viewer, operator, admin)] == [
        403,
        200,
        200,
    ]
    assert [post(each, "/console/strong").status_code for each in (operator, admin)] == [403, 200]


def test_a_person_is_of_one_merchant(tmp_path: Path) -> None:
    from service.security.caller import caller

    acme = TenantSettings(policy="uniform", routes=("adyen",))
    with running(settings_in(tmp_path, tenants={"acme": acme})) as app:
        app.add_url_rule("/console/whose", "console.whose", lambda: caller().tenant)
        assert signed_in(app).get("/console/whose").text == "default"
        assert signed_in(app, tenant="acme").get("/console/whose?tenant=default").text == "acme"
        add(app, "lee", tenant="elsewhere")
        client = app.test_client()
        assert try_password(client, "lee", PASSWORD).status_code == 303
        assert client.get("/console/whose").status_code == 403


@pytest.mark.parametrize("path", ["/console/sample", "/console/password", "/console/sign-in"])
def test_no_page_takes_a_card_number_in_its_address(app: Flask, path: str) -> None:
    client = signed_in(with_sample(app))
    for query in (f"q={PAN}", "q=4111111111111111", f"{PAN}=1", "next=/console/4111111111111111"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert not contains_card_number(answer.text)


def test_no_form_takes_a_card_number_and_none_is_kept(app: Flask, tmp_path: Path) -> None:
    client = signed_in(app)
    taken = [
        post(client, "/console/password", present=PAN),
        post(client, "/console/password", **{PAN: "x"}),
        post(client, "/console/theme", next="4111-1111-1111-1111"),
        client.post("/console/sign-in", data={"username": "4111111111111111"}),
        client.post(f"/console/{PAN}"),
    ]
    assert {answer.status_code for answer in taken} == {422}
    assert not any("4111" in answer.text for answer in taken)
    recorder_of(app).close()
    for file in tmp_path.iterdir():
        assert b"4111111111111111" not in file.read_bytes()
        assert PAN.encode() not in file.read_bytes()


def test_a_person_changes_the_own_password_and_is_signed_out_elsewhere(app: Flask) -> None:
    here, elsewhere = signed_in(app), signed_in(app)
    new = "seven loud blue boats"
    changed = post(here, "/console/password", present=PASSWORD, new=new, again=new)
    assert changed.status_code == 303
    assert "Your password is changed" in here.get("/console/password").text
    assert leads_to_sign_in(elsewhere.get("/console/password"))
    client = app.test_client()
    assert try_password(client, "default.operator", PASSWORD).status_code == 401
    assert try_password(client, "default.operator", new).status_code == 303


@pytest.mark.parametrize(
    ("present", "new", "again", "why"),
    [
        ("wrong", "seven loud blue boats", "seven loud blue boats", "present password is wrong"),
        (PASSWORD, "seven loud blue boats", "seven loud blue boat", "the same twice"),
        (PASSWORD, "short", "short", "12 to 256 characters"),
    ],
)
def test_a_change_of_password_is_refused_with_its_reason(
    app: Flask, present: str, new: str, again: str, why: str
) -> None:
    client = signed_in(app)
    refused = post(client, "/console/password", present=present, new=new, again=again)
    assert refused.status_code == 422
    assert why in refused.text
    assert try_password(app.test_client(), "default.operator", PASSWORD).status_code == 303


def test_a_store_that_does_not_answer_lets_nobody_in(app: Flask) -> None:
    client = signed_in(app)
    with recorder_of(app).store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE sessions RENAME TO away"))
    answer = client.get("/console/password")
    assert answer.status_code == 503
    assert "could not be read" in answer.text


def test_no_password_and_no_token_is_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    client = signed_in(app)
    try_password(app.test_client(), "default.operator", "wrong wrong wrong")
    cookie = client.get_cookie("authopt-session")
    assert cookie is not None
    assert "signed in: default.operator" in caplog.text
    for secret in (PASSWORD, "wrong wrong", cookie.value):
        assert secret not in caplog.text
