"""The frame of every page: templates, navigation, who is signed in, headers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Response, current_app, redirect, request, url_for
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from authopt import __version__
from service.api.problems import FieldError
from service.console.exports import exported
from service.console.stylesheet import THEMES, stylesheet
from service.console.tables import TAGS, Table
from service.console.wording import SHOWN, shown
from service.people.admission import form_secret, signed_in
from service.people.cookies import Cookie
from service.people.csrf import form_token
from service.people.needs import needed
from service.people.roles import SCOPES, Role
from service.security.caller import Scope

NAVIGATION = (
    ("overview", "Overview"),
    ("routes", "Routes"),
    ("payments", "Payments"),
    ("policies", "Policies"),
    ("experiments", "Experiments"),
    ("reports", "Reports"),
    ("alarms", "Alarms"),
    ("audit", "Audit"),
    ("users", "Users"),
)
"""Endpoints of the console and their names, in the order of the day's work. Who signs in is shown
those that they may see."""

THEME = Cookie("authopt-theme", "Lax")
NOTICE = Cookie("authopt-notice", "Lax")
"""What was done, for the page that is shown after a form."""

HTML = "text/html; charset=utf-8"
_NOTICE_S = 60
_LONGEST_NOTICE = 400
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    # Otherwise a browser would not say where a form comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= SHOWN


def page(
    template: str | Template,
    *,
    title: str,
    here: str,
    tables: Sequence[Table] = (),
    status: int = HTTPStatus.OK,
    **values: Any,
) -> Response:
    """A page of the console; or its tables, where they are asked for as CSV or JSON.

    Parameters
    ----------
    template
        of ``service/console/templates``, or compiled by :data:`ENVIRONMENT`; it extends
        ``base.html``.
    title
        its heading.
    here
        the endpoint of :data:`NAVIGATION` under which it stands; another word: under none.
    tables
        those that may be taken as CSV and JSON; in the template by name as ``tables.NAME``.
    values
        for the template.
    """
    if status == HTTPStatus.OK:
        export = exported(request, tables, here)
        if export is not None:
            return export
    by_name = {table.name: table for table in tables}
    html = ENVIRONMENT.get_template(template).render(
        title=title, here=here, tables=by_name, **_around(), **values
    )
    answer = Response(html, status, content_type=HTML, headers=_HEADERS)
    if NOTICE.read(request):
        NOTICE.clear(request, answer)
    return answer


def refusal(status: int, title: str, detail: str, errors: Sequence[FieldError] = ()) -> Response:
    """A page that says why there is none."""
    return page(
        "refusal.html", title=title, here="refusal", status=status, detail=detail, errors=errors
    )


def done(notice: str, where: str) -> Response:
    """Go to a page after a form, which then says what was done.

    Parameters
    ----------
    notice
        one sentence; it stands at the top of the page, this once.
    where
        an address of the console.
    """
    answer = redirect(where, HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)
    kept = base64.urlsafe_b64encode(notice[:_LONGEST_NOTICE].encode()).decode()
    NOTICE.write(request, answer, kept, _NOTICE_S)
    return answer


def home() -> str:
    """The address of the first page that everybody may see."""
    known = _navigation(SCOPES[Role.VIEWER])
    return str(known[0][2]) if known else url_for("console.password")


def asked_with(**changed: str | int | None) -> str:
    """The present address with other values in its query; None takes one out."""
    values: dict[str, Any] = {**request.args.to_dict(), **(request.view_args or {}), **changed}
    assert request.endpoint is not None
    # Names that begin so have a meaning of their own for Flask, such as another host.
    kept = {k: v for k, v in values.items() if v is not None and not k.startswith("_")}
    return url_for(request.endpoint, **kept)


def _around() -> dict[str, Any]:
    found = signed_in()
    scopes = frozenset() if found is None else SCOPES[found.role]
    secret = form_secret()
    theme = THEME.read(request)
    return {
        "navigation": _navigation(scopes) if found else [],
        "person": found,
        "may": {scope.value: scope in scopes for scope in Scope},
        "csrf": "" if secret is None else form_token(secret),
        "theme": theme if theme in THEMES else THEMES[0],
        "themes": THEMES,
        "sheet": stylesheet()[1],
        "notice": _notice(),
        "version": __version__,
        "url_for": url_for,
        "asked_with": asked_with,
        "address": request.full_path.rstrip("?") if request.method == "GET" else home(),
        "shown": shown,
        "tags": TAGS,
    }


def _navigation(scopes: Collection[Scope]) -> list[tuple[str, str, str]]:
    """Endpoint, name and address of the pages that there are for who is good for these scopes."""
    views = current_app.view_functions
    return [
        (endpoint, name, url_for(f"console.{endpoint}"))
        for endpoint, name in NAVIGATION
        if (view := views.get(f"console.{endpoint}")) and needed(view, "GET") in scopes
    ]


def _notice() -> str | None:
    kept = NOTICE.read(request)
    if not kept:
        return None
    try:
        return base64.urlsafe_b64decode(kept.encode()).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
