"""The short way: requests for one decision that are sound in everything are answered before Flask.

Flask's routing, contexts and hooks cost more than the decision itself. So what nearly all requests
are takes the same steps (head, key, body, decision, count) by the same functions without them.
Whatever is not plainly sound is left to Flask, as if it had not been looked at: each error has one
place where it is said, and each rule one function that holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any, TypeAlias

from flask import Flask

from service.api.bodies import plain_of
from service.api.card_guard import refuse_in_head
from service.api.decisions import DECISIONS, JSON, Deciding, answer_told, asked_by
from service.metrics.counts import count_told, request_seconds
from service.security.headers import HEADERS, refuse_large_head
from service.security.protect import MayDecide
from service.tracing import TRACING

Environ: TypeAlias = dict[str, Any]

_LONGEST_LENGTH = 10


def take_short_way(app: Flask, may_decide: MayDecide, deciding: Deciding) -> None:
    """Let an app answer what it can by the short way; all that guards it must be set up before.

    Parameters
    ----------
    may_decide
        asks for the key of a request.
    deciding
        decides.
    """
    longest, traced = app.config["MAX_CONTENT_LENGTH"], app.extensions

    def answered(environ: Environ) -> bytes | None:
        # Spans begin and end in Flask's hooks.
        if TRACING in traced:
            return None
        return _answered(environ, may_decide, deciding, longest)

    app.wsgi_app = _before(app.wsgi_app, answered)  # type: ignore[method-assign]


def _before(
    flask: Callable[..., Iterable[bytes]], answered: Callable[[Environ], bytes | None]
) -> Callable[..., Iterable[bytes]]:
    def wsgi(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == DECISIONS and environ["REQUEST_METHOD"] == "POST":
            try:
                answer = answered(environ)
            except Exception:
                # Flask meets the same, and says it in the form that all errors have.
                answer = None
            if answer is not None:
                start(
                    "200 OK",
                    [("Content-Type", JSON), ("Content-Length", str(len(answer))), *HEADERS],
                )
                return (answer,)
        return flask(environ, start)

    return wsgi


def _answered(
    environ: Environ, may_decide: MayDecide, deciding: Deciding, longest: int
) -> bytes | None:
    began, started = time.perf_counter(), time.monotonic()
    length = environ.get("CONTENT_LENGTH", "")
    if (
        environ.get("QUERY_STRING")
        or environ.get("CONTENT_TYPE") != JSON
        or environ.get("HTTP_TRANSFER_ENCODING")
        or not (length.isascii() and length.isdigit() and len(length) < _LONGEST_LENGTH)
        or int(length) > longest
    ):
        return None
    refuse_large_head(environ)
    refuse_in_head(environ, DECISIONS, b"")
    caller = may_decide(environ)
    body = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    if len(body) != int(length):
        return None
    asked = asked_by(environ, plain_of(body), deciding.deadline_s)
    question = asked.question(deciding.live.serving(caller.tenant), ranked=False)
    told = deciding.timely.decide([question], started, asked.within_s)
    answer = answer_told(told, ranked=False)
    if answer is None:
        return None
    count_told(caller.tenant, told)
    request_seconds(DECISIONS, "POST", 200).observe(time.perf_counter() - began)
    return answer.encode() if isinstance(answer, str) else answer
