"""Headers of every answer, and how large the head of a request may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, request

from service.api.problems import FieldError, Problem

MAX_URL = 4096
MAX_HEADERS = 64
MAX_HEADER_BYTES = 16 * 1024

_CSP = "Content-Security-Policy"
_SAME = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # Otherwise the server names itself, and with it what to try on it.
    ("Server", "authopt"),
)
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
HEADERS = (*_SAME, (_CSP, _NOTHING))
"""Of every answer that brings none of its own."""

_TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def guard_headers(app: Flask) -> None:
    """Refuse heads that are too large, and set the headers of every answer.

    A page may bring a Content-Security-Policy of its own, and with it others of these headers; all
    else gets one that allows nothing.
    """

    @app.before_request
    def _limit() -> None:
        refuse_large_head(request.environ)

    app.wsgi_app = _with_headers(app.wsgi_app)  # type: ignore[method-assign]


def _with_headers(wsgi: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Below Flask, whose headers cost a seventh of a request where each is set by itself."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def starting(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            own = any(name == _CSP for name, _ in headers)
            return start(status, [*headers, *(_not_in(headers) if own else HEADERS)], *exc_info)

        return wsgi(environ, starting)

    return app


def _not_in(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    own = {name for name, _ in headers}
    return [pair for pair in _SAME if pair[0] not in own]


def refuse_large_head(environ: Mapping[str, Any]) -> None:
    """Refuse an address or headers that are too large.

    Raises
    ------
    Problem
        414 or 431.
    """
    if len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", "")) > MAX_URL:
        raise Problem(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"the address is too long; expected at most {MAX_URL} characters",
            FieldError("path", f"expected at most {MAX_URL} characters with its query"),
        )
    sizes = [len(name) + len(value) for name, value in environ.items() if name.startswith("HTTP_")]
    if len(sizes) > MAX_HEADERS:
        raise Problem(
            _TOO_LARGE,
            f"too many headers; expected at most {MAX_HEADERS}",
            FieldError("headers", f"expected at most {MAX_HEADERS}"),
        )
    if sum(sizes) > MAX_HEADER_BYTES:
        raise Problem(
            _TOO_LARGE,
            f"the headers are too large; expected at most {MAX_HEADER_BYTES} bytes",
            FieldError("headers", f"expected at most {MAX_HEADER_BYTES} bytes together"),
        )
