"""Whatever is sent, the answer is 200 or a 4xx problem, and a row is written whole or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from authopt.payments import CONTEXT_FIELDS
from service.store.tables import decisions, outcomes
from tests.service.in_process import ROUTES, recorder_of, running, settings_in

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["visa", "EUR", "411111", "00", "2026-03-01T00:00:00Z", *ROUTES, "stop"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from([field.name for field in CONTEXT_FIELDS]) | st.from_regex(
    r"x_[a-z]{1,5}", fullmatch=True
)
DECISION = {
    "payment_id": st.text(min_size=1, max_size=8) | ANYTHING,
    "attempt": st.integers(1, 3) | ANYTHING,
}
MORE = {
    "decision_id": st.text(min_size=1, max_size=4) | ANYTHING,
    "decided_at": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | ANYTHING,
    "context": st.dictionaries(NAMES, SCALARS, max_size=4) | ANYTHING,
    "actions": st.lists(
        st.fixed_dictionaries({"route": st.sampled_from([*ROUTES, "stop"])}), max_size=4
    )
    | ANYTHING,
}
OUTCOME = {"decision_id": st.text(min_size=1, max_size=4) | ANYTHING}
RESULTS = ("approved", "response_code", "latency_ms", "fee_minor", "outcome_at", "reward")
RESULT = dict.fromkeys(RESULTS, SCALARS)
BODIES = st.one_of(
    st.tuples(st.just("/v1/decisions"), st.fixed_dictionaries(DECISION, optional=MORE)),
    st.tuples(st.just("/v1/outcomes"), st.fixed_dictionaries(OUTCOME, optional=RESULT)),
    st.tuples(st.sampled_from(["/v1/decisions", "/v1/outcomes"]), ANYTHING),
)
BYTES = st.binary(max_size=60)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with running(settings_in(folder)) as app:
        yield app


def rows(app: Flask) -> int:
    with recorder_of(app).store.engine.connect() as connection:
        return sum(
            connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (decisions, outcomes)
        )


def check(app: Flask, path: str, data: bytes) -> None:
    before = rows(app)
    answer = app.test_client().post(path, data=data, content_type="application/json")
    written = rows(app) - before
    body: dict[str, Any] = json.loads(answer.get_data())
    if answer.status_code == 200:
        assert body["recorded"] is True
        assert written in (0, 1)
        if path == "/v1/decisions":
            assert sum(each["probability"] for each in body["actions"]) == pytest.approx(1.0)
    else:
        assert 400 <= answer.status_code < 500
        assert answer.content_type == "application/problem+json"
        assert body["errors"]
        assert written == 0


@given(sent=BODIES)
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_answered_or_refused(shared: Flask, sent: tuple[str, Any]) -> None:
    path, body = sent
    check(shared, path, json.dumps(body).encode())


@given(data=BYTES)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_answered_or_refused(shared: Flask, data: bytes) -> None:
    check(shared, "/v1/decisions", data)
