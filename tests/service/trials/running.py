"""Trials put into the store by hand, and payments that go through them."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from service.store.changes import changing, record_change
from service.tenants import DEFAULT_TENANT
from service.trials.trial import CANARY, EXPERIMENT, Arm, Trial, canary_arms
from tests.service.in_process import ask, request_body
from tests.service.live.test_following import live_of

FIRST_ROUTE = "priority:routes=checkout,epsilon=0.2"


def experiment(*arms: Arm, **changes: Any) -> Trial:
    """An A/A test, unless other arms are given."""
    made: dict[str, Any] = {
        "kind": EXPERIMENT,
        "name": "e1",
        "state": "running",
        "arms": arms or (Arm("a", "live"), Arm("b", "live")),
        "unit": "payment",
        "share": 1.0,
        "salt": "s",
    }
    return Trial(**made | changes)


def canary(share: float = 0.5, spec: str = FIRST_ROUTE, **changes: Any) -> Trial:
    arms = canary_arms(spec, None, share)
    return experiment(*arms, **{"kind": CANARY, "name": CANARY, "share": share} | changes)


def put(engine: Engine, trial: Trial, tenant: str = DEFAULT_TENANT) -> None:
    """As an operator would."""
    with changing(engine) as connection:
        record_change(connection, tenant, "tests", trial.kind, trial.subject, trial.value(), "")


def run(app: Flask, engine: Engine, trial: Trial) -> None:
    put(engine, trial)
    live_of(app).refresh(engine)


def decide(client: FlaskClient, payment: int, **body: Any) -> dict[str, Any]:
    """The answer to an attempt of a payment."""
    answer = ask(client, request_body(None, payment_id=f"pay-{payment}", **body))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())
