"""Records, and what a database holds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select

from service.store.engine import open_engine
from service.store.records import ActivationRecord, DecisionRecord, OutcomeRecord
from service.store.tables import activations, decisions, outcomes


def decision(decision_id: str = "d1", **changes: Any) -> DecisionRecord:
    values: dict[str, Any] = {
        "decision_id": decision_id,
        "payment_id": "p1",
        "attempt": 1,
        "decided_at_us": 1_700_000_000_123_456,
        "route": "adyen",
        "delay_s": 0,
        # No float32, and no number of few digits.
        "propensity": 0.1 + 0.2,
        "policy": "uniform",
        "model_sha256": None,
        "fallback": None,
        "salt": "authopt",
        "request": '{"payment_id":"p1"}',
        "answer": f'{{"decision_id":"{decision_id}","note":"zażółć \\"\\\\ \\u0000 🂡"}}',
    }
    return DecisionRecord(**(values | changes))


def outcome(decision_id: str = "d1", sha256: str = "a" * 64, **changes: Any) -> OutcomeRecord:
    return OutcomeRecord(decision_id, sha256, 1_700_000_000_500_000, "{}", **changes)


def activation(decision_id: str = "d1", route: str = "adyen") -> ActivationRecord:
    return ActivationRecord(decision_id, 1_700_000_000_400_000, route, 0, None)


def rows(url: str, table: Table) -> list[Any]:
    """All rows, in the order of their numbers."""
    engine = open_engine(url)
    with engine.connect() as connection:
        found = list(connection.execute(select(table).order_by(table.c.number)))
    engine.dispose()
    return found


def ids(url: str) -> list[str]:
    """The ids of the decisions, in the order of their numbers."""
    return [row.decision_id for row in rows(url, decisions)]


def counts(url: str) -> tuple[int, int, int]:
    """Rows of decisions, outcomes and activations."""
    a, b, c = (len(rows(url, table)) for table in (decisions, outcomes, activations))
    return a, b, c
