"""The client: what it asks of a real service, and what it does when there is none."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from service.client import Client, Refused, Unavailable
from service.security.caller import Scope
from service.store.tables import activations, decisions, outcomes
from tests.service.client.servers import listening, scripted, silent, unused_port
from tests.service.in_process import ROUTES, recorder_of, running, settings_in
from tests.service.security.keys import key

EXAMPLE = Path(__file__).parents[3] / "examples" / "checkout.py"
CONTEXT = {"network": "visa", "amount_minor": 1999}
ANSWER = json.dumps(
    {
        "decision_id": "d",
        "action": {"route": "adyen", "delay_s": 0},
        "propensity": 0.5,
        "fallback": None,
        "recorded": True,
    }
).encode()


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    with listening(app) as url:
        yield url


def rows(app: Flask, *columns: object) -> list[tuple[object, ...]]:
    with recorder_of(app).store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*columns))]


def patient(url: str, **more: object) -> Client:
    return Client(url, timeout_s=20.0, **more)


def test_a_decision_and_its_outcome_arrive(app: Flask, url: str) -> None:
    with patient(url) as client:
        decision = client.decide("p1", 2, CONTEXT, decision_id="d1")
        moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
        assert client.outcome("d1", approved=True, response_code="00", outcome_at=moment)
        again = client.decide("p1", 2, CONTEXT, decision_id="d1")
    assert again == decision
    assert (decision.local, decision.fallback, decision.recorded) == (None, None, True)
    assert decision.propensity == 0.25
    assert decision.answer["policy"]["name"] == "uniform"
    assert rows(app, decisions.c.decision_id, decisions.c.route) == [("d1", decision.route)]
    assert rows(app, outcomes.c.decision_id) == [("d1",)]


def test_a_batch_is_decided_in_order_and_what_is_unsound_falls_back(app: Flask, url: str) -> None:
    asked = [
        {"payment_id": "p1", "attempt": 1},
        {"payment_id": "p2", "attempt": 0},
        {"payment_id": "p3", "attempt": 1, "actions": [{"route": "checkout"}]},
    ]
    with patient(url, fallback=["braintree"]) as client:
        first, second, third = client.decide_batch(asked)
        assert client.outcomes([{"decision_id": first.decision_id, "approved": False}])
    assert first.route in ROUTES
    assert (second.route, third.route) == ("braintree", "checkout")
    assert "attempt" in (second.local or "")
    assert (first.local, third.local) == (None, None)
    with patient(url) as client, pytest.raises(Refused, match="attempt"):
        client.decide_batch(asked)
    assert len(rows(app, outcomes.c.decision_id)) == 1


def test_a_ranking_counts_once_it_is_activated(app: Flask, url: str) -> None:
    with patient(url) as client:
        ranked = client.rank("p1", context=CONTEXT, decision_id="a b%c")
        assert {each["route"] for each in ranked["actions"]} == set(ROUTES)
        assert client.activate("a b%c", "adyen", propensity=0.5)
    done = rows(app, activations.c.decision_id, activations.c.route, activations.c.propensity)
    assert done == [("a b%c", "adyen", 0.5)]


def test_a_key_is_sent_and_a_wrong_one_is_told(app: Flask, url: str) -> None:
    good = key(app, Scope.DECIDE)
    with patient(url, key=good) as client:
        assert client.decide("p1").local is None
        with pytest.raises(Refused) as refused:
            client.outcome("d1", approved=True)
    assert (refused.value.status, good in str(refused.value)) == (403, False)


def test_a_refusal_names_the_field_and_costs_no_payment(url: str) -> None:
    with patient(url) as client, pytest.raises(Refused) as refused:
        client.decide("p1", context={"network": "nonsense"})
    assert refused.value.problem["errors"][0]["field"] == "context.network"
    with patient(url, fallback=["adyen"]) as client:
        decision = client.decide("p1", context={"network": "nonsense"})
        assert decision.route == "adyen"
        assert "context.network" in (decision.local or "")
        # It would be refused again.
        assert client.waiting == 0


@pytest.mark.parametrize("statuses", [[503, 200], [0, 200], [429, 502, 200]])
def test_what_may_pass_is_asked_again_with_the_same_id(statuses: list[int]) -> None:
    with scripted(statuses, ANSWER) as script, Client(script.url, timeout_s=10.0) as client:
        assert client.decide("p1").route == "adyen"
    assert len(script.bodies) == len(statuses)
    assert len(set(script.bodies)) == 1
    assert json.loads(script.bodies[0])["decision_id"]
    assert all(0 < limit <= 8_000 for limit in script.limits_ms)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_what_will_not_pass_is_asked_once(status: int) -> None:
    with scripted([status], b"{}") as script, Client(script.url, timeout_s=10.0) as client:
        with pytest.raises((Refused, Unavailable)):
            client.decide("p1")
        assert len(script.bodies) == 1


def test_tries_end_and_a_long_wait_is_not_begun() -> None:
    with scripted([503], b"") as script, Client(script.url, retries=3, timeout_s=10.0) as client:
        with pytest.raises(Unavailable, match="503"):
            client.decide("p1")
        assert len(script.bodies) == 4
    with scripted([429], b"", Retry_After="60") as script:
        with Client(script.url, timeout_s=10.0) as client, pytest.raises(Unavailable):
            client.decide("p1")
        assert len(script.bodies) == 1


def test_an_answer_that_is_not_the_services_is_none() -> None:
    with scripted([200], b"<html>") as script, Client(script.url, fallback=["a"]) as client:
        assert client.decide("p1").route == "a"
        assert client.waiting == 1
        script.statuses = [404]


def test_a_service_that_says_nothing_costs_the_time_limit_and_no_more() -> None:
    with silent() as url:
        client = Client(url, timeout_s=0.2, fallback=["adyen", "checkout"])
        start = time.monotonic()
        decision = client.decide("p1")
        took = time.monotonic() - start
    assert (decision.route, decision.propensity, decision.recorded) == ("adyen", 1.0, False)
    assert decision.decision_id.endswith("~local")
    assert took < 2.0


def test_without_a_route_to_fall_back_on_it_raises() -> None:
    with (
        Client(f"http://127.0.0.1:{unused_port()}", timeout_s=0.2) as client,
        pytest.raises(Unavailable),
    ):
        client.decide("p1")


def test_the_fallback_is_the_first_route_that_is_offered_and_allowed() -> None:
    address = f"http://127.0.0.1:{unused_port()}"
    client = Client(
        address,
        timeout_s=0.05,
        retries=0,
        fallback=["a", "b", "c"],
        allowed=lambda route, asked: (route, asked["context"].get("currency")) != ("b", "EUR"),
        report_every_s=3600.0,
    )
    offered = [{"route": "b"}, {"route": "c", "delay_s": 60}, {"route": "c", "delay_s": 30}]
    assert client.decide("p1").route == "a"
    decision = client.decide("p1", context={"currency": "EUR"}, actions=offered)
    assert (decision.route, decision.delay_s) == ("c", 30)
    assert client.decide("p1", context={"currency": "GBP"}, actions=offered).route == "b"
    nothing = [{"route": "z"}]
    with pytest.raises(Unavailable):
        client.decide("p1", 2, actions=nothing)
    assert client.decide("p1", 2, actions=[*nothing, {"route": "stop"}]).route == "stop"
    assert client.close() == 4


def test_what_was_decided_and_told_meanwhile_is_reported_once_the_service_is_back(
    tmp_path: Path,
) -> None:
    port = unused_port()
    client = Client(
        f"http://127.0.0.1:{port}",
        timeout_s=0.1,
        retries=0,
        fallback=["checkout"],
        report_every_s=0.05,
    )
    decision = client.decide("p1", context=CONTEXT, decision_id="d1")
    assert client.outcome(decision.decision_id, approved=True) is False
    assert client.waiting == 2
    with running(settings_in(tmp_path)) as app, listening(app, port):
        end = time.monotonic() + 30.0
        while client.waiting and time.monotonic() < end:
            time.sleep(0.02)
        done = rows(
            app,
            activations.c.decision_id,
            activations.c.route,
            activations.c.propensity,
        )
        told = rows(app, outcomes.c.decision_id)
        asked = rows(app, decisions.c.decision_id, decisions.c.deferred)
        assert client.close() == 0
    assert done == [("d1~local", "checkout", 1.0)]
    assert told == [("d1~local",)]
    assert asked == [("d1~local", True)]


def test_a_report_that_is_refused_is_given_up_and_blocks_no_other(tmp_path: Path) -> None:
    port = unused_port()
    client = Client(
        f"http://127.0.0.1:{port}",
        timeout_s=0.1,
        retries=0,
        fallback=["nowhere"],
        report_every_s=3600.0,
    )
    decision = client.decide("p1", context=CONTEXT)
    client.outcome(decision.decision_id, approved=True)
    with running(settings_in(tmp_path)) as app, listening(app, port):
        assert client.close() == 0
        assert rows(app, outcomes.c.decision_id) == [(decision.decision_id,)]
    assert client.given_up == 1


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://", "http://a?b=c"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Client(url)


def test_the_example_takes_payments(
    app: Flask, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), url, key(app, Scope.DECIDE, Scope.OUTCOME)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [
        "approved",
        "declined",
    ]
    assert len(rows(app, outcomes.c.decision_id)) == 2
    lines = EXAMPLE.read_text().split('"""', 2)[2].splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20


def test_the_client_loads_the_standard_library_alone() -> None:
    code = (
        "import sys, service.client; "
        "print(*{n.partition('.')[0] for n in sys.modules} - set(sys.stdlib_module_names))"
    )
    ended = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=EXAMPLE.parents[1],
    )
    assert {name for name in ended.stdout.split() if not name.startswith("__")} == {"service"}
