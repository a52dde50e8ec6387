"""What tests look up in the store of an app."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import Engine

from service.store.changes import Change, history
from tests.service.in_process import recorder_of


def engine_of(app: Flask) -> Engine:
    return recorder_of(app).store.engine


def last(app: Flask, kind: str, subject: str, tenant: str = "default") -> Change:
    """The change that holds."""
    with engine_of(app).connect() as connection:
        told = history(connection, tenant, kind, subject)
    assert told, f"nothing was recorded of {kind} {subject}"
    return told[-1]


def number_of(app: Flask, kind: str, subject: str) -> int:
    """How often it was changed."""
    with engine_of(app).connect() as connection:
        return len(history(connection, "default", kind, subject))
