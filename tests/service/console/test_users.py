"""An admin lets people in and keeps them out; nobody else does, and somebody always can."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.service.console.changes_made import last, number_of
from tests.service.console.visits import PASSWORD, add, post, signed_in, try_password

USERS = "/console/users"
WHAT = ("role", "disable", "enable", "password")


def told(client: FlaskClient) -> dict[str, dict[str, Any]]:
    rows = json.loads(client.get(f"{USERS}?format=json").data)["users"]
    return {each["username"]: each for each in rows}


def shown(page: str) -> str:
    """The password that stands on a page."""
    found = re.search(r'class="password"><code>([^<]+)<', page)
    assert found is not None
    return found[1]


def may_sign_in(app: Flask, username: str, password: str) -> bool:
    return try_password(app.test_client(), username, password).status_code == 303


def test_who_may_sign_in_is_listed_with_who_let_them_in(app: Flask) -> None:
    admin = signed_in(app, "admin")
    add(app, "kim", "viewer")
    post(admin, f"{USERS}/add", username="lee", role="operator", reason="on call")
    people = told(admin)
    assert list(people) == ["default.admin", "kim", "lee"]
    assert people["default.admin"]["visited_at"] is not None
    assert people["kim"]["visited_at"] is None
    by = {name: (each["role"], each["state"], each["added_by"]) for name, each in people.items()}
    assert by["kim"] == ("viewer", "good", "test")
    assert by["lee"] == ("operator", "good", "default.admin")


def test_who_is_added_signs_in_with_the_password_that_is_shown_once(app: Flask) -> None:
    admin = signed_in(app, "admin")
    answer = post(admin, f"{USERS}/add", username="kim", role="operator", reason="new here")
    password = shown(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    change = last(app, "user", "kim")
    assert (change.actor, change.reason) == ("default.admin", "new here")
    assert change.value == {"state": "created", "role": "operator"}
    assert told(admin)["kim"]["password"] == "given by default.admin"
    assert password not in admin.get(USERS).text
    kim = app.test_client()
    try_password(kim, "kim", password)
    fields = {"present": password, "new": PASSWORD, "again": PASSWORD}
    assert post(kim, "/console/password", **fields).status_code == 303
    assert told(admin)["kim"]["password"] == "own"


def test_what_will_not_do_is_said_on_the_form_and_adds_nobody(app: Flask) -> None:
    admin = signed_in(app, "admin")
    for fields, why in (
        ({"username": "Kim Lee"}, "small letters"),
        ({"username": ""}, "small letters"),
        ({"username": "kim", "role": "owner"}, "expected one of viewer, operator, admin"),
        ({"username": "default.admin"}, "one of this name already"),
        ({"username": "kim", "reason": ""}, "say why"),
    ):
        answer = post(admin, f"{USERS}/add", **({"role": "viewer", "reason": "new"} | fields))
        assert answer.status_code == 422
        assert why in answer.text
    assert list(told(admin)) == ["default.admin"]


def test_a_role_holds_from_the_next_page_on(app: Flask) -> None:
    admin, operator = signed_in(app, "admin"), signed_in(app, "operator")
    assert "operator: also changes" not in admin.get(f"{USERS}/default.operator/role").text
    path = f"{USERS}/default.operator/role"
    assert post(admin, path, role="viewer", reason="moved").status_code == 303
    assert post(operator, "/console/routes/kill", reason="x").status_code == 403
    assert last(app, "user", "default.operator").value == {"role": "viewer"}


def test_who_is_disabled_is_signed_out_and_comes_back_when_enabled(app: Flask) -> None:
    admin, operator = signed_in(app, "admin"), signed_in(app, "operator")
    assert post(admin, f"{USERS}/default.operator/disable", reason="left").status_code == 303
    assert operator.get("/console/routes").status_code == 303
    assert not may_sign_in(app, "default.operator", PASSWORD)
    assert "Enable default.operator" in admin.get(USERS).text
    assert post(admin, f"{USERS}/default.operator/enable", reason="back").status_code == 303
    assert may_sign_in(app, "default.operator", PASSWORD)


def test_a_new_password_ends_visits_and_opens_in_place_of_the_old_one(app: Flask) -> None:
    admin, operator = signed_in(app, "admin"), signed_in(app, "operator")
    answer = post(admin, f"{USERS}/default.operator/password", reason="forgot it")
    assert operator.get("/console/routes").status_code == 303
    assert not may_sign_in(app, "default.operator", PASSWORD)
    assert may_sign_in(app, "default.operator", shown(answer.text))


def test_ones_own_password_is_not_set_without_the_present_one(app: Flask) -> None:
    admin, path = signed_in(app, "admin"), f"{USERS}/default.admin/password"
    assert "<form class" not in admin.get(path).text
    assert post(admin, path, reason="quick").status_code == 409
    assert may_sign_in(app, "default.admin", PASSWORD)


def test_the_last_admin_stays(app: Flask) -> None:
    admin = signed_in(app, "admin")
    add(app, "other.admin", "admin", "other")
    for what in ("role", "disable"):
        path = f"{USERS}/default.admin/{what}"
        asked = admin.get(path).text
        assert "default.admin is the only admin" in asked
        assert "<form class" not in asked
        assert post(admin, path, role="viewer", reason="x").status_code == 409
    add(app, "kim", "admin")
    assert "You will be signed out" in admin.get(f"{USERS}/default.admin/disable").text
    path = f"{USERS}/default.admin/role"
    demoted = post(admin, path, role="viewer", reason="kim is")
    assert admin.get(demoted.location).status_code == 200
    assert admin.get(USERS).status_code == 403


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_nobody_but_an_admin_sees_or_does_any_of_it(app: Flask, role: str) -> None:
    client = signed_in(app, role)
    add(app, "kim")
    assert f'href="{USERS}"' not in client.get("/console/audit").text
    assert client.get(USERS).status_code == 403
    for path in ("/add", *(f"/kim/{what}" for what in WHAT)):
        assert client.get(f"{USERS}{path}").status_code == 403
        assert post(client, f"{USERS}{path}", role="admin", reason="x").status_code == 403
    assert number_of(app, "user", "kim") == 1


def test_another_merchants_people_are_not_there_and_no_change_goes_without_a_reason(
    app: Flask,
) -> None:
    admin = signed_in(app, "admin")
    add(app, "oda", tenant="other")
    assert "oda" not in told(admin)
    for what in WHAT:
        assert admin.get(f"{USERS}/oda/{what}").status_code == 404
        assert post(admin, f"{USERS}/oda/{what}", role="admin", reason="x").status_code == 404
        assert post(admin, f"{USERS}/default.admin/{what}", role="admin").status_code == 422


def test_an_admin_finds_the_page_and_what_became_of_each(app: Flask) -> None:
    admin = signed_in(app, "admin")
    assert f'href="{USERS}"' in admin.get("/console/audit?kind=user").text
    assert "/console/audit?kind=user&amp;subject=default.admin" in admin.get(USERS).text
