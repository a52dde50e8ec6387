"""Who may ask for what: looked up before any endpoint runs, by one table of addresses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from flask import Flask, Response, g, request

from service.api.problems import FieldError, Problem
from service.security.caller import ANYBODY, Caller, Scope
from service.security.key_text import read_key
from service.security.keyring import Keyring
from service.security.rate_limit import RateLimits
from service.tenants import DEFAULT_TENANT

Scopes: TypeAlias = Mapping[tuple[str, str], Scope | None]
"""What a key must be good for, by method and path as OpenAPI writes it; None: open to all."""

NOBODY = Caller(DEFAULT_TENANT, "nobody", frozenset())
"""The caller without a key where keys are asked for: sees only what is open to all."""

CALLER = "authopt.caller"
"""Under this name the environment of a request holds its caller, where that is known already."""

_BEARER = "Bearer "
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="authopt"'}
_VARIABLE = re.compile(r"<(?:[^<>:]*:)?([^<>]+)>")
_FIELD = "header Authorization"


Admission: TypeAlias = tuple[str, Callable[[], Response | None]]
"""How the rules begin at which people are admitted instead of keys, and what admits them: it sets
the caller, and raises, or answers itself, where it lets nobody in."""


def guard(
    app: Flask,
    keyring: Keyring,
    limits: RateLimits,
    scopes: Scopes,
    tenants: Collection[str],
    admission: Admission,
) -> None:
    """Set the caller of every request, and refuse what it may not do.

    An endpoint that the table does not name needs every scope's strongest, ``admin``: whoever
    forgets a line locks others out, and lets nobody in.

    Parameters
    ----------
    tenants
        the merchants that are served; a key of another one is refused.
    admission
        for people; there no key counts, and a service without keys is not open.
    """
    for_people, admit = admission
    needed: dict[tuple[str, str], Scope | None] = {}

    def scope_of(method: str, rule: str) -> Scope | None:
        asked = "GET" if method == "HEAD" else method
        if (asked, rule) not in needed:
            needed[asked, rule] = scopes.get((asked, path_of(rule)), Scope.ADMIN)
        return needed[asked, rule]

    @app.before_request
    def _check() -> Response | None:
        rule = request.url_rule
        if rule is not None and rule.rule.startswith(for_people):
            return admit()
        if CALLER in request.environ:
            g.caller = request.environ[CALLER]
            return None
        if keyring.open:
            g.caller = ANYBODY
            return None
        if rule is None or request.method == "OPTIONS":
            g.caller = NOBODY
            return None
        scope = scope_of(request.method, rule.rule)
        g.caller = caller_by_key(request.environ, keyring, limits, tenants, scope)
        return None


def path_of(rule: str) -> str:
    """A rule of Flask as OpenAPI writes it: ``/v1/payments/{payment_id}``."""
    return _VARIABLE.sub(r"{\1}", rule)


def caller_by_key(
    environ: Mapping[str, Any],
    keyring: Keyring,
    limits: RateLimits,
    tenants: Collection[str],
    scope: Scope | None,
) -> Caller:
    """Whose key a request came with; one that keeps to a rate has made a request by it.

    Raises
    ------
    Problem
        401, 403 or 429, unless the key is good for ``scope``, or none is asked for.
    """
    if keyring.open:
        return ANYBODY
    found = _caller(environ, keyring, limits, tenants, required=scope is not None)
    if scope is not None and scope not in found.scopes:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"this key lacks the scope {scope}",
            FieldError(_FIELD, f"the key has {', '.join(sorted(found.scopes))}"),
        )
    return found


def _caller(
    environ: Mapping[str, Any],
    keyring: Keyring,
    limits: RateLimits,
    tenants: Collection[str],
    *,
    required: bool,
) -> Caller:
    sent = environ.get("HTTP_AUTHORIZATION", "")
    text = read_key(sent[len(_BEARER) :].strip()) if sent.startswith(_BEARER) else None
    known = None if text is None else keyring.find(text)
    if known is None and not required:
        # What stands there may be meant for another: providers of webhooks send such headers.
        return NOBODY
    if known is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "expected a key that is good, as: Authorization: Bearer ak_...",
            FieldError(_FIELD, "names no good key" if sent else "is missing"),
            headers=_CHALLENGE,
        )
    if known.tenant not in tenants:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "the merchant of this key is not served here",
            FieldError(_FIELD, "is a key of a merchant that is not served here"),
        )
    if known.per_second is not None:
        wait_s = limits.wait_s(known.key_id, known.per_second)
        if wait_s > 0.0:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"this key may make {known.per_second:g} requests per second",
                FieldError(_FIELD, "has used up what it may; see Retry-After"),
                headers={"Retry-After": str(math.ceil(wait_s))},
            )
    return Caller(known.tenant, known.name, known.scopes)
