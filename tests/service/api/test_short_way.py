"""Sound requests for one decision are answered before Flask, and no differently."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.security.caller import Scope
from tests.service.in_process import request_body, running, settings_in
from tests.service.security.keys import bearing, key

FLASK = "/v1/decisions?by=flask"
SHORT = "/v1/decisions"

MADE = 5
"""Requests at once, and a second."""


@pytest.fixture
def counted(tmp_path: Path) -> Iterable[tuple[Flask, list[str]]]:
    """An app, and the addresses that Flask has seen."""
    seen: list[str] = []
    with running(settings_in(tmp_path)) as app:
        app.before_request(lambda: seen.append(request.full_path))
        yield app, seen


def test_a_sound_request_does_not_come_to_flask(counted: tuple[Flask, list[str]]) -> None:
    app, seen = counted
    client = app.test_client()
    assert client.post(SHORT, json=request_body()).status_code == 200
    assert seen == []
    assert client.post(FLASK, json=request_body("d2")).status_code == 200
    assert seen == [FLASK]


def test_both_ways_give_the_same_bytes_under_the_same_headers(client: FlaskClient) -> None:
    for first, second in ((SHORT, FLASK), (FLASK, SHORT)):
        body = request_body(f"d-{first}")
        answers = [client.post(path, json=body) for path in (first, second, first)]
        assert {each.status_code for each in answers} == {200}
        assert len({each.get_data() for each in answers}) == 1
        assert len({tuple(sorted(each.headers.items())) for each in answers}) == 1


PANS = st.sampled_from(["4111111111111111", "5500 0000 0000 0004"])
BODIES = st.one_of(
    st.builds(
        json.dumps, st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
    ),
    st.builds(
        lambda changes: json.dumps(request_body("same") | changes),
        st.dictionaries(
            st.sampled_from(["payment_id", "attempt", "context", "actions", "decided_at", "more"]),
            st.none() | st.integers(-2, 3) | st.text(max_size=9) | PANS | st.just({}) | st.just([]),
            min_size=1,
        ),
    ),
    st.just('{"payment_id": "a", "payment_id": "b"}'),
    st.text(max_size=20),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Idempotency-Key", "X-Deadline-Ms", "X-More"]),
    st.sampled_from(["", "k1", "0", "50", "x" * 200, "4111111111111111", "é"]),
)


@given(
    BODIES,
    HEADERS,
    st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain", ""]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_refused_is_refused_alike(
    client: FlaskClient, body: str, headers: dict[str, str], content_type: str
) -> None:
    by_way = [
        client.post(path, data=body.encode(), headers=headers, content_type=content_type)
        for path in (SHORT, FLASK)
    ]
    assert by_way[0].status_code == by_way[1].status_code
    if by_way[0].status_code != 200:
        assert by_way[0].get_data() == by_way[1].get_data()
        assert by_way[0].headers == by_way[1].headers


def test_an_id_that_was_used_for_another_request_is_refused_and_counted_once(
    client: FlaskClient,
) -> None:
    client.post(SHORT, json=request_body())
    for path in (SHORT, FLASK):
        answer = client.post(path, json=request_body(attempt=2))
        assert answer.status_code == 422
        assert "used before" in answer.get_json()["detail"]


@pytest.mark.parametrize("path", [SHORT, FLASK])
def test_a_key_must_be_good_for_decisions_by_either_way(app: Flask, path: str) -> None:
    good, reader = key(app, Scope.DECIDE), key(app, Scope.READ)
    client = app.test_client()
    for bearer, status in ((good, 200), (reader, 403), (None, 401)):
        headers = {} if bearer is None else bearing(bearer)
        assert client.post(path, json=request_body(), headers=headers).status_code == status


def test_a_request_that_is_left_to_flask_counts_once_towards_the_rate_of_its_key(
    app: Flask,
) -> None:
    slow = bearing(key(app, Scope.DECIDE, per_second=MADE))
    client = app.test_client()
    # Not sound, so both ways look at it.
    codes = [client.post(SHORT, json={"attempt": 1}, headers=slow).status_code for _ in range(MADE)]
    assert codes == [422] * MADE
