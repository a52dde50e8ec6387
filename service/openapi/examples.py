"""Bodies as they are sent and answered; tests send every one of them."""

from __future__ import annotations

from typing import Any

CONTEXT: dict[str, Any] = {
    "network": "visa",
    "bin": "411111",
    "currency": "EUR",
    "amount_minor": 1999,
    "issuer_country": "DE",
}

DECISION: dict[str, Any] = {
    "decision_id": "d-7001",
    "payment_id": "p-7001",
    "attempt": 1,
    "context": CONTEXT,
}

DECISION_ANSWER: dict[str, Any] = {
    "decision_id": "d-7001",
    "payment_id": "p-7001",
    "attempt": 1,
    "action": {"route": "adyen", "delay_s": 0},
    "propensity": 0.9,
    "policy": {"name": "priority", "sha256": None},
    "fallback": None,
    "actions": [
        {"route": "adyen", "delay_s": 0, "probability": 0.9},
        {"route": "checkout", "delay_s": 0, "probability": 0.1},
    ],
    "removed": [],
    "decided_at": "2026-03-01T12:00:00Z",
    "recorded": True,
}

OUTCOME: dict[str, Any] = {
    "decision_id": "d-7001",
    "approved": True,
    "response_code": "00",
    "latency_ms": 412.0,
    "outcome_at": "2026-03-01T12:00:01Z",
}
