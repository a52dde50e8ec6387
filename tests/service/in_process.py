"""An application in this process, on a database of its own, that is closed afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.active_policy import ActivePolicy
from service.app import LIVE, RECORDER, TIMELY, create_app
from service.security.protect import KEYRING
from service.settings import Settings
from service.store.engine import open_engine, sqlite_file
from service.store.group_commit import GroupCommit
from service.store.migrate import migrate

ROUTES = ("adyen", "braintree", "checkout")


def settings_in(folder: Path, **changes: Any) -> Settings:
    settings = Settings(
        policy="uniform",
        routes=ROUTES,
        database=f"sqlite:///{folder / 'authopt.db'}",
        spool=folder / "authopt.db.spool",
        busy_timeout_s=0.2,
        store_within_s=10.0,
        deadline_ms=10_000,
    )
    return replace(settings, **changes)


@cache
def _with_tables() -> bytes:
    """An empty SQLite store; making the tables anew takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "authopt.db"
        engine = open_engine(f"sqlite:///{path}")
        migrate(engine)
        engine.dispose()
        return path.read_bytes()


@contextmanager
def running(settings: Settings, active: ActivePolicy | None = None) -> Iterator[Flask]:
    path = sqlite_file(settings.database)
    if path is not None and not path.exists() and path.parent.is_dir():
        path.write_bytes(_with_tables())
    app = create_app(settings, active)
    try:
        yield app
    finally:
        app.extensions[LIVE].close()
        app.extensions[TIMELY].close()
        app.extensions[KEYRING].close()
        recorder_of(app).close()


def recorder_of(app: Flask) -> GroupCommit:
    recorder = app.extensions[RECORDER]
    assert isinstance(recorder, GroupCommit)
    return recorder


def request_body(decision_id: str | None = "d1", **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "payment_id": "p1",
        "attempt": 1,
        "context": {"network": "visa", "currency": "EUR", "amount_minor": 1999, "token": True},
    }
    if decision_id is not None:
        body["decision_id"] = decision_id
    return body | changes


def ask(client: FlaskClient, body: Any) -> TestResponse:
    return client.post("/v1/decisions", json=body)


def tell(client: FlaskClient, body: Any) -> TestResponse:
    return client.post("/v1/outcomes", json=body)


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The body of an error, which must be a problem and say so."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    body = json.loads(response.get_data())
    assert body["status"] == status
    assert body["title"]
    assert isinstance(body["errors"], list)
    return dict(body)
