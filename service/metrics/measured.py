"""How long every request of an app takes."""

from __future__ import annotations

import time

from flask import Flask, Response, request

from service.metrics.counts import request_seconds

_BEGAN = "authopt.began"


def measure(app: Flask) -> None:
    """Time every request of an app by endpoint, method and status; call it first of all."""

    @app.before_request
    def _begin() -> None:
        request.environ[_BEGAN] = time.perf_counter()

    @app.after_request
    def _end(answer: Response) -> Response:
        asked = request
        # The rule, not the address, which may hold anything.
        rule = asked.url_rule
        endpoint = "none" if rule is None else rule.rule
        # Without a rule a method may be any word as well.
        method = "none" if rule is None else asked.method
        took = time.perf_counter() - asked.environ[_BEGAN]
        request_seconds(endpoint, method, answer.status_code).observe(took)
        return answer
