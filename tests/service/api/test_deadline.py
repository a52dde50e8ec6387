"""X-Deadline-Ms: how long a caller can wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.active_policy import ActivePolicy
from service.api.deadline import HEADER, deadline_s
from service.deciding.timely import LATE
from tests.service.deciding.policies import Hanging
from tests.service.in_process import problem, request_body, running, settings_in


def test_a_deadline_can_be_shortened_and_not_lengthened() -> None:
    assert deadline_s(None, 0.05) == 0.05
    assert deadline_s("20", 0.05) == 0.02
    assert deadline_s("900", 0.05) == 0.05


@pytest.mark.parametrize("given", ["", "0", "-5", "1.5", "soon", "1e3", "9" * 30, "\u0662"])
def test_what_is_no_deadline_is_refused(client: FlaskClient, given: str) -> None:
    answer = client.post("/v1/decisions", json=request_body(), headers={HEADER: given})
    assert problem(answer, 422)["errors"][0]["field"] == f"header {HEADER}"


def test_the_policy_has_the_time_that_the_caller_has(tmp_path: Path) -> None:
    hanging = Hanging()
    with running(settings_in(tmp_path), ActivePolicy("hanging", policy=hanging)) as app:
        asked = app.test_client().post
        answer = asked("/v1/decisions", json=request_body(), headers={HEADER: "2000"}).get_json()
        hanging.let_go.set()
    assert answer["fallback"] == LATE
