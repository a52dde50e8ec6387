"""Forms that another site cannot send: a token bound to the cookie, and where the form came from.

The token is an HMAC under the cookie's own secret, so that nothing has to be kept for it, and who
does not hold the cookie cannot make it (OWASP Cross-Site Request Forgery Prevention Cheat Sheet,
'signed double-submit cookie').
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Request

from service.api.problems import FieldError, Problem

FIELD = "csrf"
"""Of every form."""

_PURPOSE = b"authopt console form"
_OWN = "same-origin"
_STALE = "this form is of another visit; open its page again, and send it from there"
_NO_COOKIE = (
    "your browser sent no cookie; the console needs HTTPS, or an address of the service's own "
    "machine such as http://127.0.0.1:8000, and cookies to be allowed"
)
_FOREIGN = "forms are taken from the console's own pages alone"


def form_token(secret: str) -> str:
    """The token of the forms that belong to a cookie."""
    digest = hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_form(asked: Request, secret: str | None) -> None:
    """Refuse a form that does not come from a page of ours.

    Parameters
    ----------
    secret
        of the cookie that the request came with; None: it came without one.

    Raises
    ------
    Problem
        403.
    """
    if not _from_here(asked):
        raise Problem(HTTPStatus.FORBIDDEN, _FOREIGN, FieldError("header Origin", _FOREIGN))
    if secret is None:
        raise Problem(HTTPStatus.FORBIDDEN, _NO_COOKIE, FieldError("header Cookie", _NO_COOKIE))
    sent = asked.form.get(FIELD, "")
    if not hmac.compare_digest(sent.encode(), form_token(secret).encode()):
        raise Problem(HTTPStatus.FORBIDDEN, _STALE, FieldError(FIELD, _STALE))


def _from_here(asked: Request) -> bool:
    """What the browser says of itself; a client that says nothing has the token to show."""
    site = asked.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == _OWN
    origin = asked.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == asked.host
    except ValueError:
        return False
