"""Figures of a service of two workers are those of both, one of which may have died."""

from __future__ import annotations

import json
import os
import signal
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from benchmarks._service_stack import Stack
from tests.service.metrics.readings import total

pytestmark = pytest.mark.acceptance

WITHIN_S = 60.0


def asked(port: int, method: str, path: str, body: object = None) -> str:
    """The answer to one request on a connection of its own, so that any worker may take it."""
    until = time.monotonic() + WITHIN_S
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read().decode()
            assert answer.status == 200, said
            return said
        except (OSError, HTTPException):
            # A connection that the dead worker had accepted.
            assert time.monotonic() < until
        finally:
            connection.close()


def decide(port: int, name: str, number: int) -> None:
    context = {"network": "visa", "currency": "EUR", "amount_minor": 1999}
    for at in range(number):
        ids = {"decision_id": f"{name}{at}", "payment_id": f"p{name}{at}", "attempt": 1}
        asked(port, "POST", "/v1/decisions", {**ids, "context": context})


def test_counts_add_up_over_workers_and_outlive_one_that_is_killed(tmp_path: Path) -> None:
    stack = Stack("SQLite", tmp_path, f"sqlite:///{tmp_path / 'authopt.db'}", tmp_path)
    try:
        stack.start()
        decide(stack.port, "a", 40)
        said = {asked(stack.port, "GET", "/metrics") for _ in range(6)}
        assert {total(each, "authopt_decisions_total") for each in said} == {40.0}
        os.kill(stack.workers()[0], signal.SIGKILL)
        decide(stack.port, "b", 40)
        after = asked(stack.port, "GET", "/metrics")
    finally:
        stack.kill_all()
    made = total(after, "authopt_decisions_total")
    again = total(after, "authopt_decisions_repeated_total")
    # Of a request that the dead worker had counted and not answered, the repetition counts too.
    assert 80 <= made + again <= 81
    assert total(after, "authopt_request_seconds_count", endpoint="/v1/decisions") >= 80
