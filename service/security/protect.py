"""All that stands between a request and the endpoints, put together."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import Engine

from service.security.guard import Scopes, guard
from service.security.headers import guard_headers
from service.security.keyring import Keyring
from service.security.rate_limit import RateLimits
from service.settings import Settings

KEYRING = "authopt.keyring"
"""Key of ``app.extensions`` under which the keyring stands; close it when the app is done."""


def protect(app: Flask, settings: Settings, engine: Engine, scopes: Scopes) -> None:
    """Limit heads, set headers, and ask for keys.

    Parameters
    ----------
    engine
        of the store that holds the keys.
    scopes
        what a key must be good for, by method and path.
    """
    guard_headers(app)
    copy = settings.spool.with_name(settings.spool.name + ".keys")
    keyring = Keyring(engine, copy, required=settings.keys_required)
    keyring.follow()
    app.extensions[KEYRING] = keyring
    guard(app, keyring, RateLimits(settings.workers), scopes, settings.served())
