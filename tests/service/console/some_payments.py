"""Payments that were decided by an app and told of, for tests of the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

from service.store.records import microseconds
from service.summaries.adding_up import Step, add_step
from tests.service.in_process import ask, recorder_of, tell


def decide(app: Flask, decision_id: str, payment_id: str, ago_s: float = 60.0, **more: Any) -> Any:
    """Ask for a decision as of some seconds ago."""
    context = {"network": "visa", "currency": "EUR", "amount_minor": 1999, "token": True}
    body = {
        "decision_id": decision_id,
        "payment_id": payment_id,
        "attempt": more.pop("attempt", 1),
        "decided_at": (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat(),
        "context": context | more,
    }
    answer = ask(app.test_client(), body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json


def came_out(app: Flask, decision_id: str, approved: bool, **more: Any) -> None:
    """Tell an outcome."""
    code = "00" if approved else "51"
    body = {"decision_id": decision_id, "approved": approved, "response_code": code} | more
    answer = tell(app.test_client(), body)
    assert answer.status_code == 200, answer.get_data(as_text=True)


def many(app: Flask, n: int) -> None:
    """Payments ``order-0`` and on, of two issuers; every third one is declined."""
    client = app.test_client()
    now = datetime.now(UTC).isoformat()
    asked = [
        {
            "decision_id": f"d{number}",
            "payment_id": f"order-{number}",
            "attempt": 1,
            "decided_at": now,
            "context": {"issuer": f"Bank {number % 2}", "currency": "EUR", "amount_minor": 1999},
        }
        for number in range(n)
    ]
    assert client.post("/v1/decisions/batch", json={"decisions": asked}).status_code == 200
    told = [{"decision_id": f"d{number}", "approved": number % 3 > 0} for number in range(n)]
    assert client.post("/v1/outcomes/batch", json={"outcomes": told}).status_code == 200


def add_up(app: Flask) -> None:
    """Add everything up, as ``authopt watch`` does."""
    engine = recorder_of(app).store.engine
    while add_step(engine, "default", microseconds(datetime.now(UTC))) is Step.BEHIND:
        pass
