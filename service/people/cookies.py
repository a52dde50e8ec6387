"""The cookies of the console: how they are named and which browsers send them where."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Request, Response

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_BYTES = 32
# A browser takes the prefix for a promise: secure, of this host alone, for all of its addresses.
_PREFIX = "__Host-"


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that no script can read.

    Attributes
    ----------
    name
        without the prefix that it bears where it is secure.
    same_site
        ``Strict``, or ``Lax`` where it must come along when somebody follows a link from a mail.
    """

    name: str
    same_site: str

    def read(self, asked: Request) -> str | None:
        """What the request brought."""
        return asked.cookies.get(self._name(asked))

    def token(self, asked: Request) -> str | None:
        """What the request brought, if it has the form of :func:`new_token`."""
        text = self.read(asked)
        return text if text is not None and _TOKEN.fullmatch(text) else None

    def write(self, asked: Request, answer: Response, value: str, seconds: int | None) -> None:
        """Give it to the browser, for so long or until it is closed."""
        answer.set_cookie(
            self._name(asked),
            value,
            max_age=seconds,
            path="/",
            secure=not is_local(asked),
            httponly=True,
            samesite=self.same_site,
        )

    def clear(self, asked: Request, answer: Response) -> None:
        """Take it from the browser."""
        self.write(asked, answer, "", 0)

    def _name(self, asked: Request) -> str:
        return self.name if is_local(asked) else _PREFIX + self.name


SESSION = Cookie("authopt-session", "Lax")
"""Who is signed in. Lax, since alarms bring links; a look changes nothing, and every form bears a
token."""

FORM = Cookie("authopt-form", "Strict")
"""What the forms of those who are not signed in are bound to."""


def new_token() -> str:
    """256 random bits in base64url: of hexadecimal digits, too many could look like a card."""
    return secrets.token_urlsafe(_BYTES)


def is_local(asked: Request) -> bool:
    """Whether the browser runs on this machine, where there is no TLS and no need of it.

    Behind a proxy the address that the service is asked by is often one of this machine too, though
    the browser is elsewhere; so whatever was forwarded is not local.
    """
    if asked.scheme == "https" or any(name in asked.headers for name in _FORWARDED):
        return False
    try:
        name = urlsplit(f"//{asked.host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
