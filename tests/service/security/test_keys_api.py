"""/v1/keys: an administrator manages the keys of its own merchant, and of no other."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.security.caller import Scope
from tests.service.in_process import problem
from tests.service.security.keys import bearing, key, keyring_of
from tests.service.security.test_guard import decide

WANTED = {"name": "shop", "scopes": ["decide"]}


@pytest.fixture
def admin(app: Flask) -> dict[str, str]:
    return bearing(key(app, Scope.ADMIN, name="boss"))


def post(client: FlaskClient, admin: dict[str, str], path: str, **body: Any) -> Any:
    return client.post(f"/v1/keys{path}", json=body, headers=admin)


def test_the_first_key_is_not_made_from_afar(client: FlaskClient) -> None:
    refused = problem(client.post("/v1/keys", json=WANTED), 409)
    assert "authopt keys create" in refused["detail"]


def test_a_key_is_made_used_rotated_and_revoked(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    made = post(client, admin, "", **WANTED, expires_in_s=3600).get_json()
    new = post(client, admin, f"/{made['key_id']}/rotate", overlap_s=0, reason="x").get_json()
    keyring_of(app).refresh()
    assert [decide(client, made["key"]), decide(client, new["key"])] == [401, 200]
    ended = post(client, admin, f"/{new['key_id']}/revoke", reason="lost").get_json()
    assert (ended["good"], ended["revoked_at"] is None) == (False, False)
    keyring_of(app).refresh()
    assert decide(client, new["key"]) == 401
    listed = client.get("/v1/keys", headers=admin)
    assert [each["good"] for each in listed.get_json()["keys"]] == [True, False, False]
    assert made["key"][16:] not in listed.get_data(as_text=True)
    problem(post(client, admin, f"/{new['key_id']}/revoke"), 409)
    reader = bearing(key(app, Scope.READ))
    changes = client.get("/v1/changes?kind=key", headers=reader).get_json()["changes"]
    assert [(row["actor"], row["value"]["state"]) for row in changes[1:5]] == [
        ("boss", "created"),
        ("boss", "rotated"),
        ("boss", "created"),
        ("boss", "revoked"),
    ]


def test_keys_of_another_merchant_are_neither_seen_nor_ended(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    other = key(app, Scope.DECIDE, tenant="acme")
    for verb in ("rotate", "revoke"):
        problem(post(client, admin, f"/{other[3:15]}/{verb}"), 404)
    assert other[3:15] not in client.get("/v1/keys", headers=admin).get_data(as_text=True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "shop"}, "scopes"),
        ({"name": "shop", "scopes": []}, "scopes"),
        ({"name": "shop", "scopes": ["everything"]}, "scopes[0]"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "shop", "scopes": ["read"], "per_second": 0}, "per_second"),
        ({"name": "shop", "scopes": ["read"], "expires_in_s": 0}, "expires_in_s"),
        ({"name": "shop", "scopes": ["read"], "tenant": "acme"}, "tenant"),
        ({"name": "shop", "scopes": ["read"], "reason": "a\nb"}, "reason"),
    ],
)
def test_an_unsound_key_is_refused_by_its_field(
    lasting_app: Flask, body: dict[str, Any], field: str
) -> None:
    client = lasting_app.test_client()
    admin = bearing(key(lasting_app, Scope.ADMIN))
    before = client.get("/v1/keys", headers=admin).get_json()
    assert problem(post(client, admin, "", **body), 422)["errors"][0]["field"] == field
    assert client.get("/v1/keys", headers=admin).get_json() == before
