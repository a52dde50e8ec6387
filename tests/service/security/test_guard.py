"""Who may ask: keys, scopes, limits, and what happens to a key that ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from service.openapi.operation import Operation
from service.openapi.operations import OPERATIONS
from service.security.api_keys import revoke_key, rotate_key
from service.security.caller import Scope
from service.security.guard import path_of
from service.security.key_text import new_key, read_key
from service.store.tables import api_keys
from tests.service.in_process import ask, problem, recorder_of, request_body, running, settings_in
from tests.service.security.keys import ALL, bearing, key, keyring_of, writing


def decide(client: FlaskClient, bearer: str | None, decision_id: str | None = None) -> int:
    headers = {} if bearer is None else bearing(bearer)
    answer = client.post("/v1/decisions", json=request_body(decision_id), headers=headers)
    return answer.status_code


def soon(condition: Callable[[], bool], within_s: float = 1.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def test_without_any_key_everybody_may_ask(client: FlaskClient) -> None:
    assert decide(client, None) == 200


def test_from_the_first_key_on_a_request_without_one_is_told_how(
    app: Flask, client: FlaskClient
) -> None:
    good = key(app, Scope.DECIDE)
    refused = ask(client, request_body())
    assert problem(refused, 401)["errors"][0]["field"] == "header Authorization"
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert decide(client, good) == 200


@pytest.mark.parametrize(
    "bearer",
    ["", "ak_", "ak_000000000000_x", "secret", f"{new_key()}", f"{new_key()} ", "ak_\x7f"],
    ids=["nothing", "prefix", "short", "word", "unknown", "unknown and a space", "control"],
)
def test_what_is_no_key_is_refused(lasting_app: Flask, bearer: str) -> None:
    key(lasting_app, Scope.DECIDE)
    assert decide(lasting_app.test_client(), bearer) == 401


def test_a_right_id_with_a_wrong_secret_is_refused(app: Flask, client: FlaskClient) -> None:
    halves = read_key(key(app, Scope.DECIDE))
    assert halves is not None
    assert decide(client, f"ak_{halves.key_id}_{new_key().secret}") == 401


def filled(operation: Operation) -> str:
    return operation.path.replace("{", "").replace("}", "")


def test_every_operation_wants_its_scope_and_no_other(app: Flask, client: FlaskClient) -> None:
    its_own = {scope: key(app, scope) for scope in ALL}
    others = {scope: key(app, *(set(ALL) - {scope})) for scope in ALL}
    for operation in OPERATIONS:
        scope = operation.scope or Scope.READ
        wants_its_scope(client, operation, others[scope], its_own[scope])


def wants_its_scope(client: FlaskClient, operation: Operation, others: str, its_own: str) -> None:
    statuses = [
        client.open(filled(operation), method=operation.method, headers=headers).status_code
        for headers in ({}, bearing(others), bearing(its_own))
    ]
    if operation.scope is None:
        assert not {401, 403} & set(statuses[:1]) or "webhooks" in operation.path
        return
    assert statuses[:2] == [401, 403]
    assert statuses[2] not in (401, 403)


def test_an_endpoint_that_nobody_described_is_for_admins(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        app.add_url_rule("/v1/forgotten/<int:what>", view_func=lambda what: "x")
        client = app.test_client()
        keys = key(app, *(set(ALL) - {Scope.ADMIN})), key(app, Scope.ADMIN)
        statuses = [
            client.get("/v1/forgotten/1", headers=bearing(each)).status_code for each in keys
        ]
    assert statuses == [403, 200]


def test_paths_are_written_as_openapi_writes_them() -> None:
    assert path_of("/v1/a/<b>/c/<int:d>") == "/v1/a/{b}/c/{d}"


def test_a_key_of_a_merchant_that_is_not_served_is_refused(app: Flask, client: FlaskClient) -> None:
    assert decide(client, key(app, Scope.DECIDE, tenant="elsewhere")) == 403


def test_what_is_amiss_is_told_to_readers_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, policy=f"vw:{tmp_path / 'missing.vw'}")
    with running(settings) as app:
        client = app.test_client()
        reader, decider = key(app, Scope.READ), key(app, Scope.DECIDE)
        told = problem(client.get("/readyz", headers=bearing(reader)), 503)
        for headers in ({}, bearing(decider), {"Authorization": "Basic x"}):
            assert problem(client.get("/readyz", headers=headers), 503)["errors"] == []
        assert client.get("/healthz").status_code == 200
    assert told["errors"][0]["field"] == "policy"


def test_a_key_over_its_limit_is_told_when_to_come_back(app: Flask, client: FlaskClient) -> None:
    slow, other = key(app, Scope.DECIDE, per_second=0.01), key(app, Scope.DECIDE)
    assert decide(client, slow) == 200
    refused = client.post("/v1/decisions", json=request_body(None), headers=bearing(slow))
    problem(refused, 429)
    assert 60 < int(refused.headers["Retry-After"]) <= 100
    assert decide(client, other) == 200


def test_an_expired_key_is_refused(app: Flask, client: FlaskClient) -> None:
    brief = key(app, Scope.DECIDE, expires_in=timedelta(microseconds=1))
    assert decide(client, brief) == 401


def test_a_rotated_key_is_good_beside_the_new_one_for_the_overlap(
    app: Flask, client: FlaskClient
) -> None:
    old = key(app, Scope.DECIDE, per_second=1000.0)
    halves = read_key(old)
    assert halves is not None
    with writing(app) as connection:
        new = rotate_key(connection, halves.key_id, timedelta(hours=1), actor="test")
    keyring_of(app).refresh()
    assert [decide(client, old), decide(client, str(new))] == [200, 200]
    with writing(app) as connection:
        old_row = api_keys.c.key_id == halves.key_id
        left = connection.scalar(
            api_keys.select().where(old_row).with_only_columns(api_keys.c.expires_at_us)
        )
        assert 3590e6 < left - time.time() * 1e6 < 3610e6
        again = rotate_key(connection, new.key_id, timedelta(0), actor="test")
    keyring_of(app).refresh()
    assert [decide(client, str(new)), decide(client, str(again))] == [401, 200]


def test_a_revoked_key_is_refused_within_a_second(app: Flask, client: FlaskClient) -> None:
    other, ended = key(app, Scope.DECIDE), key(app, Scope.DECIDE)
    assert decide(client, ended) == 200
    halves = read_key(ended)
    assert halves is not None
    with writing(app) as connection:
        revoke_key(connection, halves.key_id, actor="test", reason="was in a log")
    assert soon(lambda: decide(client, ended) == 401)
    assert decide(client, other) == 200


def test_when_the_last_key_is_revoked_nobody_may_ask(app: Flask, client: FlaskClient) -> None:
    only = read_key(key(app, Scope.DECIDE))
    assert only is not None
    with writing(app) as connection:
        revoke_key(connection, only.key_id, actor="test")
    keyring_of(app).refresh()
    assert decide(client, None) == 401


def test_keys_are_known_while_the_store_is_away(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app:
        good = key(app, Scope.DECIDE)
        secret = read_key(good)
        assert secret is not None
    (tmp_path / "authopt.db").write_bytes(b"this is no database, and it is long enough" * 50)
    copy = tmp_path / "authopt.db.spool.keys"
    assert copy.stat().st_mode & 0o077 == 0
    assert secret.secret not in copy.read_text()
    with running(settings) as app:
        client = app.test_client()
        assert [decide(client, good), decide(client, None)] == [200, 401]


def test_where_nobody_knows_the_keys_that_there_are_nobody_may_ask(tmp_path: Path) -> None:
    (tmp_path / "authopt.db").write_bytes(b"this is no database, and it is long enough" * 50)
    with running(settings_in(tmp_path, keys_required=True)) as app:
        assert decide(app.test_client(), None) == 401
    (tmp_path / "authopt.db.spool.keys").write_bytes(b"{")
    with running(settings_in(tmp_path)) as app:
        assert decide(app.test_client(), None) == 401


def test_a_store_that_fails_takes_no_key_away(app: Flask, client: FlaskClient) -> None:
    good = key(app, Scope.DECIDE)
    with writing(app) as connection:
        connection.execute(text("ALTER TABLE api_keys RENAME TO away"))
        connection.execute(
            text(
                "INSERT INTO changes (tenant, changed_at_us, actor, kind, subject,"
                " value, reason) VALUES ('t', 0, 'a', 'key', 's', '{}', '')"
            )
        )
    assert keyring_of(app).refresh() is False
    assert decide(client, good) == 200
    with writing(app) as connection:
        connection.execute(text("ALTER TABLE away RENAME TO api_keys"))
        connection.execute(update(api_keys).values(revoked_at_us=1))
    assert keyring_of(app).refresh() is True
    assert decide(client, good) == 401


def test_no_secret_is_in_the_store(app: Flask, tmp_path: Path) -> None:
    halves = read_key(key(app, Scope.DECIDE))
    assert halves is not None
    recorder_of(app).close()
    for file in tmp_path.iterdir():
        assert halves.secret.encode() not in file.read_bytes()
