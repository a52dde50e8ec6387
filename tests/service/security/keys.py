"""Keys for the tests: made in the store of an app that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import Connection

from service.security.api_keys import create_key
from service.security.caller import Scope
from service.security.keyring import Keyring
from service.security.protect import KEYRING
from service.store.changes import changing
from tests.service.in_process import recorder_of

ALL = tuple(Scope)


@contextmanager
def writing(app: Flask) -> Iterator[Connection]:
    with changing(recorder_of(app).store.engine) as connection:
        yield connection


def keyring_of(app: Flask) -> Keyring:
    keyring = app.extensions[KEYRING]
    assert isinstance(keyring, Keyring)
    return keyring


def key(app: Flask, *scopes: Scope, tenant: str = "default", **more: Any) -> str:
    """A new key that the app knows of."""
    with writing(app) as connection:
        made = create_key(
            connection, tenant, more.pop("name", f"{tenant}'s"), scopes, actor="test", **more
        )
    keyring_of(app).refresh()
    return str(made)


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
