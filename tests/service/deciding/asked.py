"""Questions, without a service around them."""

from __future__ import annotations

from typing import Any

import msgspec

from authopt.policies.protocol import Policy
from authopt.rules import load_rules
from service.active_policy import ActivePolicy
from service.api.forms import DecisionRequest
from service.deciding.question import Question, question_of
from service.live.serving import Serving
from service.tenants import DEFAULT_TENANT
from tests.service.in_process import ROUTES

RULES = load_rules()


def serving(policy: Policy, **changes: Any) -> Serving:
    state: dict[str, Any] = {
        "tenant": DEFAULT_TENANT,
        "active": ActivePolicy(policy.name, policy=policy),
        "routes": ROUTES,
        "delays": (0, 3600),
        "rules": RULES,
    }
    return Serving(**state | changes)


def question(state: Serving, number: int = 0, ranked: bool = False, **body: Any) -> Question:
    asked = {
        "payment_id": f"p{number}",
        "attempt": 1,
        "decided_at": "2026-03-01T12:00:00Z",
        **body,
    }
    return question_of(state, msgspec.convert(asked, DecisionRequest), f"d{number}", ranked)
