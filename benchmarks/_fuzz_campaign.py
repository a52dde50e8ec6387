"""Sends inputs to the application and judges every answer; then looks for card numbers on disk."""

from __future__ import annotations

import json
import logging
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from benchmarks._fuzz_inputs import card_number, raw_request
from service.api.problems import PROBLEM_JSON

_TRACEBACK = re.compile(r'Traceback|File "[^"]+", line \d|\.py:\d+')
_WITH_PAN = 0.25
load_all_checks()
_CHECKS = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "content_type_conformance",
        "response_schema_conformance",
        "status_code_conformance",
    ]
)


@dataclass(slots=True)
class Findings:
    """What a campaign saw.

    Attributes
    ----------
    sent
        inputs by kind.
    statuses
        answers by status.
    faults
        what was wrong with an answer, as text; none is what is hoped for.
    pans
        card numbers that were sent.
    """

    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    pans: set[str] = field(default_factory=set)


class _Errors(logging.Handler):
    """Failures of requests, which the service logs with their traceback."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(logging.ERROR)
        self._findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._findings.faults.append(f"logged: {record.getMessage()}: {record.exc_info[1]!r}")


@contextmanager
def watching(findings: Findings) -> Iterator[None]:
    """Take what the service logs of its own failures as faults."""
    handler = _Errors(findings)
    logger = logging.getLogger("service")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def send_described(app: Flask, findings: Findings, each: int, number: int = 1) -> None:
    """Send what the description allows, and what it does not: ``each`` of both per operation."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    for result in schema.get_all_operations():
        if not isinstance(result, Ok):
            raise result.err()
        operation = result.ok()
        for mode in schemathesis.GenerationMode:
            _send_cases(operation, mode, each, number, findings)


def _send_cases(operation: Any, mode: Any, each: int, number: int, findings: Findings) -> None:
    @seed(number)
    @settings(
        max_examples=each,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        answer = case.call()
        findings.sent[f"schemathesis, {mode.value}"] += 1
        findings.statuses[answer.status_code] += 1
        name = f"{case.method} {case.path}"
        _judge(name, answer.status_code, answer.headers, answer.text, findings)
        try:
            case.validate_response(answer, checks=_CHECKS)
        except FailureGroup as group:
            findings.faults += [
                f"{name}: {failure.title}: {failure.message[:300]}" for failure in group.exceptions
            ]

    # An operation that takes nothing cannot be asked wrongly.
    with suppress(Unsatisfiable):
        send()


def send_raw(app: Flask, findings: Findings, count: int, number: int = 1) -> None:
    """Send damaged requests, a quarter of them with a card number."""
    draw = random.Random(number)
    pans = [card_number(draw) for _ in range(50)]
    client = app.test_client()
    for _ in range(count):
        pan = draw.choice(pans) if draw.random() < _WITH_PAN else None
        raw = raw_request(draw, pan)
        if pan is not None:
            findings.pans.add(pan)
        answer = client.open(raw.path, method=raw.method, data=raw.body, headers=raw.headers)
        text = answer.get_data(as_text=True)
        findings.sent["raw"] += 1
        findings.statuses[answer.status_code] += 1
        _judge(f"{raw.method} {raw.path}", answer.status_code, answer.headers, text, findings)
        if pan is not None and pan in text:
            findings.faults.append(f"{raw.method}: an answer repeats a card number")


def _judge(name: str, status: int, headers: Any, text: str, findings: Findings) -> None:
    if status >= 500:
        findings.faults.append(f"{name}: {status}: {text[:200]}")
    if _TRACEBACK.search(text):
        findings.faults.append(f"{name}: a traceback in the answer")
    if status >= 400 and text:
        kind = headers.get("content-type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind != PROBLEM_JSON or json.loads(text)["status"] != status:
            findings.faults.append(f"{name}: {status} is no problem: {text[:200]}")


def card_numbers_on_disk(folder: Path, pans: set[str]) -> list[str]:
    """Files of a closed service that hold one of the card numbers, however it is grouped."""
    found = []
    for path in sorted(folder.iterdir()):
        text = path.read_bytes().decode("latin-1")
        close = re.sub(r"(?<=[0-9])[ .-](?=[0-9])", "", text)
        found += [path.name for pan in pans if pan in text or pan in close]
    return found
