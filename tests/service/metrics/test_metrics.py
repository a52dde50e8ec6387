"""``GET /metrics`` of one worker: what is counted, and who may read it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.active_policy import ActivePolicy
from service.app import LIVE
from service.live.live import Live
from service.security.caller import Scope
from service.settings import TenantSettings
from tests.service.in_process import ask, request_body, running, settings_in, tell
from tests.service.metrics.readings import figures, total
from tests.service.security.keys import bearing, key

ACME = TenantSettings(policy="uniform", routes=("one", "two"))
IDS = (f"m{number}" for number in itertools.count())


def read(client: FlaskClient, headers: dict[str, str] | None = None) -> str:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=1.0.0")
    return answer.get_data(as_text=True)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    with running(settings_in(tmp_path, batch_deadline_ms=60_000)) as app:
        yield app


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Flask]:
    with running(settings_in(tmp_path, tenants={"acme": ACME})) as app:
        yield app


def test_a_decision_counts_once_and_its_repetition_apart(client: FlaskClient) -> None:
    before = read(client)
    body = request_body(next(IDS))
    for _ in range(3):
        assert ask(client, body).status_code == 200
    after = read(client)

    def more(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    assert more("authopt_decisions_total", tenant="default", policy="uniform", fallback="") == 1
    assert more("authopt_decisions_repeated_total", tenant="default") == 2
    assert more("authopt_request_seconds_count", endpoint="/v1/decisions", status="200") == 3


def test_every_decision_of_a_batch_and_every_outcome_counts(client: FlaskClient) -> None:
    before = read(client)
    bodies = [request_body(next(IDS), payment_id=f"p{at}") for at in range(5)]
    answer = client.post("/v1/decisions/batch", json={"decisions": [*bodies, bodies[0]]})
    assert answer.status_code == 200
    outcomes = [{"decision_id": each["decision_id"], "approved": True} for each in bodies]
    assert client.post("/v1/outcomes/batch", json={"outcomes": outcomes}).status_code == 200
    assert tell(client, outcomes[0]).status_code == 200
    after = read(client)
    counted = {"decisions": 5.0, "decisions_repeated": 1.0, "outcomes": 6.0}
    for name, expected in counted.items():
        name = f"authopt_{name}_total"
        assert total(after, name) - total(before, name) == expected


def test_a_fallback_counts_by_its_kind_and_the_model_counts_as_missing(tmp_path: Path) -> None:
    with running(settings_in(tmp_path), ActivePolicy("vw", fault="no file /secret")) as app:
        client = app.test_client()
        assert ask(client, request_body(next(IDS))).status_code == 200
        said = read(client)
    assert total(said, "authopt_decisions_total", fallback="the policy could not be loaded") >= 1
    assert total(said, "authopt_policy_loaded", tenant="default") == 0
    assert "/secret" not in said


def test_an_unknown_address_makes_no_series_of_its_own(client: FlaskClient) -> None:
    series = len(figures(read(client)))
    client.get("/no-such-4111111111111111")
    client.open("/no-such-page", method="WHATEVER")
    after = read(client)
    for word in ("no-such", "WHATEVER"):
        assert word not in after
    client.get("/another")
    assert len(figures(read(client))) <= max(len(figures(after)), series + 40)


def test_a_merchant_reads_its_own_figures_alone_and_the_operator_reads_all(shared: Flask) -> None:
    client = shared.test_client()
    acme = bearing(key(shared, Scope.READ, Scope.ADMIN, Scope.DECIDE, tenant="acme"))
    own = bearing(key(shared, Scope.READ, Scope.DECIDE))
    operator = bearing(key(shared, Scope.READ, Scope.ADMIN))
    assert client.get("/metrics").status_code == 401
    for headers in (acme, own):
        body = request_body(next(IDS))
        assert client.post("/v1/decisions", json=body, headers=headers).status_code == 200
    assert {dict(labels).get("tenant") for _, labels in figures(read(client, acme))} == {"acme"}
    assert {dict(labels).get("tenant") for _, labels in figures(read(client, own))} == {"default"}
    everything = read(client, operator)
    for name in ("default", "acme"):
        assert total(everything, "authopt_decisions_total", tenant=name) >= 1
    assert total(everything, "authopt_request_seconds_count") >= 2


def test_a_kill_switch_shows(app: Flask, client: FlaskClient) -> None:
    assert total(read(client), "authopt_killed", tenant="default") == 0
    assert client.post("/v1/policies/kill", json={"reason": "drill"}).status_code == 200
    live = app.extensions[LIVE]
    assert isinstance(live, Live)
    while live.serving("default").killed is None:
        pass
    ask(client, request_body(next(IDS)))
    said = read(client)
    assert total(said, "authopt_killed", tenant="default") == 1
    assert total(said, "authopt_decisions_total", fallback="the kill switch is on") >= 1
    assert "drill" not in said
