"""Whatever the description allows or forbids, and however bodies are damaged: no failure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from authopt.card_numbers import contains_card_number
from benchmarks._fuzz_campaign import (
    Findings,
    card_numbers_on_disk,
    send_described,
    send_raw,
    watching,
)
from benchmarks._fuzz_inputs import card_number
from service.openapi.operations import OPERATIONS
from tests.service.in_process import running, settings_in


@pytest.fixture
def findings() -> Iterator[Findings]:
    findings = Findings()
    with watching(findings):
        yield findings


def test_what_the_description_allows_and_forbids_is_answered_as_it_says(
    app: Flask, findings: Findings
) -> None:
    send_described(app, findings, each=1)
    assert findings.faults == []
    assert sum(findings.sent.values()) > len(OPERATIONS)
    assert {200, 422} <= set(findings.statuses)


def test_damaged_requests_are_refused_and_leave_no_card_number(
    tmp_path: Path, findings: Findings
) -> None:
    with running(settings_in(tmp_path)) as app:
        send_raw(app, findings, 300)
    assert findings.faults == []
    assert {200, 400, 422} <= set(findings.statuses)
    assert len(findings.pans) > 20
    assert card_numbers_on_disk(tmp_path, findings.pans) == []


def test_a_failure_and_a_card_number_on_disk_would_be_seen(
    tmp_path: Path, findings: Findings
) -> None:
    with running(settings_in(tmp_path)) as app:

        @app.before_request
        def fail() -> None:
            raise RuntimeError("broken")

        send_raw(app, findings, 3)
    assert len(findings.faults) >= 6
    (tmp_path / "log").write_text("paid with 4111 1111 1111 1111")
    assert card_numbers_on_disk(tmp_path, {"4111111111111111"}) == ["log"]


def test_generated_card_numbers_are_taken_for_card_numbers() -> None:
    draw = random.Random(1)
    assert all(contains_card_number(card_number(draw)) for _ in range(200))
