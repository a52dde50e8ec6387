"""People who are signed in to the console of an app that runs."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from service.people.roles import Role
from service.people.users import add_user
from service.store.changes import changing
from service.store.tables import users
from tests.service.in_process import recorder_of

PASSWORD = "four quiet green lamps"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


def add(app: Flask, username: str, role: str = "operator", tenant: str = "default") -> None:
    """A person of the store of an app, whose password is ``PASSWORD``."""
    with changing(recorder_of(app).store.engine) as connection:
        if connection.scalar(select(users.c.username).where(users.c.username == username)) is None:
            add_user(connection, username, tenant, Role(role), PASSWORD, actor="test")


def token_of(page: TestResponse) -> str:
    """Of the forms of a page."""
    found = _TOKEN.search(page.get_data(as_text=True))
    assert found is not None, "the page has no form"
    return found[1]


def try_password(client: FlaskClient, username: str, password: str, **more: Any) -> TestResponse:
    """Fill in the form of the sign-in, and send it."""
    token = token_of(client.get("/console/sign-in", **more))
    fields = {"csrf": token, "username": username, "password": password}
    return client.post("/console/sign-in", data=fields, **more)


def signed_in(app: Flask, role: str = "operator", tenant: str = "default") -> FlaskClient:
    """A browser of a person of this role and merchant."""
    username = f"{tenant}.{role}"
    add(app, username, role, tenant)
    client = app.test_client()
    answer = try_password(client, username, PASSWORD)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return client


def post(client: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """Send a form with the token of this visit."""
    token = token_of(client.get("/console/password"))
    return client.post(path, data={"csrf": token, **fields})
