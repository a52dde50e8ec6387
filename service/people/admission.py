"""Who may see the console: a person with a cookie, never a key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote

import msgspec
from flask import Response, current_app, g, redirect, request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.api.card_guard import refuse_in_body
from service.api.problems import FieldError, Problem
from service.people.cookies import FORM, SESSION
from service.people.csrf import check_form
from service.people.needs import needed
from service.people.roles import SCOPES
from service.people.sessions import SignedIn, find, see
from service.security.caller import Caller
from service.store.changes import writing
from service.tenants import DEFAULT_TENANT

_log = logging.getLogger(__name__)

CONSOLE = "/console"
"""Where all that people see begins."""

SIGN_IN = f"{CONSOLE}/sign-in"

_NOBODY = Caller(DEFAULT_TENANT, "nobody", frozenset())
_FORMS = "application/x-www-form-urlencoded"
_FIELD_ROLE = FieldError("role", "may not do this")
_SAFE = ("GET", "HEAD", "OPTIONS")


def admission(engine: Engine, tenants: Collection[str]) -> Callable[[], Response | None]:
    """What runs before every endpoint of the console.

    It sets the caller, refuses forms that another site may have sent or that hold a card number,
    and shows the way to the sign-in where nobody is signed in.

    Parameters
    ----------
    engine
        of the store that holds people and their visits.
    tenants
        the merchants that are served.
    """

    def admit() -> Response | None:
        assert request.endpoint is not None
        view = current_app.view_functions[request.endpoint]
        found = g.signed_in = _signed_in(engine)
        g.caller = (
            _NOBODY if found is None else Caller(found.tenant, found.username, SCOPES[found.role])
        )
        sent = request.method not in _SAFE
        if sent:
            _refuse_in_form()
        scope = needed(view, request.method)
        if scope is not None and found is None:
            return _to_sign_in()
        if sent:
            check_form(request, form_secret())
        if scope is None or found is None:
            return None
        if found.tenant not in tenants:
            raise Problem(HTTPStatus.FORBIDDEN, "your merchant is not served here")
        if scope not in g.caller.scopes:
            raise Problem(
                HTTPStatus.FORBIDDEN, f"this needs more than a {found.role} may do", _FIELD_ROLE
            )
        return None

    return admit


def signed_in() -> SignedIn | None:
    """Who is signed in, of the present request."""
    found = g.get("signed_in")
    assert found is None or isinstance(found, SignedIn)
    return found


def form_secret() -> str | None:
    """What the forms of the present request are bound to: the visit, or a cookie before it."""
    found = signed_in()
    if found is not None:
        return found.token
    new: str | None = g.get("form_secret")
    return FORM.token(request) if new is None else new


def _signed_in(engine: Engine) -> SignedIn | None:
    token = SESSION.token(request)
    if token is None:
        return None
    now = datetime.now(UTC)
    try:
        with engine.connect() as connection:
            found = find(connection, token, now)
    except SQLAlchemyError:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "the store could not be read; ask again"
        ) from None
    if found is not None and found.stale:
        _note(engine, token, now)
    return found


def _note(engine: Engine, token: str, now: datetime) -> None:
    try:
        with writing(engine) as connection:
            see(connection, token, now)
    except SQLAlchemyError:
        # A look at the console must not fail because the store is busy; the next one notes it.
        _log.warning("a visit could not be noted")


def _refuse_in_form() -> None:
    if request.mimetype != _FORMS:
        message = f"expected a form, as {_FORMS}"
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            message,
            FieldError("header Content-Type", message),
        )
    form = request.form.to_dict(flat=False)
    refuse_in_body(msgspec.json.encode(form), form)


def _to_sign_in() -> Response:
    asked = request.full_path.rstrip("?") if request.method == "GET" else CONSOLE
    answer = redirect(f"{SIGN_IN}?next={quote(asked, safe='/')}", HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)
    return answer
