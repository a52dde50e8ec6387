"""All that stands between a request and the endpoints, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from flask import Flask
from sqlalchemy import Engine

from service.people.admission import CONSOLE, admission
from service.security.caller import Caller, Scope
from service.security.guard import CALLER, Scopes, caller_by_key, guard
from service.security.headers import guard_headers
from service.security.keyring import Keyring
from service.security.rate_limit import RateLimits
from service.settings import Settings

KEYRING = "authopt.keyring"
"""Key of ``app.extensions`` under which the keyring stands; close it when the app is done."""

MayDecide: TypeAlias = Callable[[dict[str, Any]], Caller]
"""Who asks, by the environment of a request; raises a Problem unless they may ask for decisions."""


def protect(app: Flask, settings: Settings, engine: Engine, scopes: Scopes) -> MayDecide:
    """Limit heads, set headers, and ask for keys, or at the console for people.

    Parameters
    ----------
    engine
        of the store that holds the keys.
    scopes
        what a key must be good for, by method and path.

    Returns
    -------
    MayDecide
        asked by who answers before Flask.
    """
    guard_headers(app)
    copy = settings.spool.with_name(settings.spool.name + ".keys")
    keyring = Keyring(engine, copy, required=settings.keys_required)
    keyring.follow()
    app.extensions[KEYRING] = keyring
    tenants = settings.served()
    people = CONSOLE, admission(engine, tenants)
    limits = RateLimits(settings.workers)
    guard(app, keyring, limits, scopes, tenants, people)

    def may_decide(environ: dict[str, Any]) -> Caller:
        found = caller_by_key(environ, keyring, limits, tenants, Scope.DECIDE)
        environ[CALLER] = found
        return found

    return may_decide
