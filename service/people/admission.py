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
from service.people.uploads import largest_file
from service.security.caller import Caller, Scope
from service.store.changes import writing
from service.tenants import DEFAULT_TENANT

_log = logging.getLogger(__name__)

CONSOLE = "/console"
"""Where all that people see begins."""

SIGN_IN = f"{CONSOLE}/sign-in"

_NOBODY = Caller(DEFAULT_TENANT, "nobody", frozenset())
_FORMS = "application/x-www-form-urlencoded"
_WITH_FILE = "multipart/form-data"
_FIELDS_BYTES = 64 * 1024
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
        scope = needed(view, request.method)
        if scope is not None:
            if found is None:
                return _to_sign_in()
            # Before the form is read: a file in it may be large.
            _refuse_unless_good_for(scope, found, tenants)
        if request.method not in _SAFE:
            _refuse_in_form(largest_file(view))
            check_form(request, form_secret())
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


def _refuse_unless_good_for(scope: Scope, found: SignedIn, tenants: Collection[str]) -> None:
    if found.tenant not in tenants:
        raise Problem(HTTPStatus.FORBIDDEN, "your merchant is not served here")
    if scope not in SCOPES[found.role]:
        raise Problem(
            HTTPStatus.FORBIDDEN, f"this needs more than a {found.role} may do", _FIELD_ROLE
        )


def _refuse_in_form(largest: int | None) -> None:
    """Refuse a form of the wrong kind or size, or with a card number in a field.

    Parameters
    ----------
    largest
        how large the file in it may be, bytes; None where it brings none.
    """
    expected = _FORMS if largest is None else _WITH_FILE
    if request.mimetype != expected:
        message = f"expected a form, as {expected}"
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            message,
            FieldError("header Content-Type", message),
        )
    if largest is not None:
        request.max_content_length = largest + _FIELDS_BYTES
        if (request.content_length or 0) > request.max_content_length:
            message = f"at most {largest / 2**20:,.0f} MiB are taken"
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the file is too large; {message}",
                FieldError("file", message),
            )
    form = request.form.to_dict(flat=False)
    refuse_in_body(msgspec.json.encode(form), form)


def _to_sign_in() -> Response:
    asked = request.full_path.rstrip("?") if request.method == "GET" else CONSOLE
    answer = redirect(f"{SIGN_IN}?next={quote(asked, safe='/')}", HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)
    return answer
