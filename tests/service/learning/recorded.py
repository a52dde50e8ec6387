"""Decisions and outcomes on record, as a learner finds them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from service.api.forms import (
    ChosenAction,
    DecisionAnswer,
    DecisionRequest,
    EligibleAction,
    OutcomeRequest,
    PolicyName,
)
from service.store.records import (
    ActivationRecord,
    DecisionRecord,
    OutcomeRecord,
    decision_record,
    microseconds,
    outcome_record,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
START_US = microseconds(START)
HOUR_US = 3_600_000_000
ROUTES = ("adyen", "braintree")
APPROVED = {"adyen": 0.9, "braintree": 0.6}


def decision(
    number: int,
    *,
    at: timedelta | None = None,
    route: str = "adyen",
    deferred: bool = False,
    tenant: str = "default",
    **context: Any,
) -> DecisionRecord:
    decided_at = START + (timedelta(minutes=number) if at is None else at)
    name = f"d{number}"
    request = DecisionRequest(
        payment_id=f"p{number}",
        attempt=1,
        decision_id=name,
        decided_at=decided_at,
        context={"network": "visa", "amount_minor": 1000 + number, **context},
    )
    answer = DecisionAnswer(
        decision_id=name,
        payment_id=request.payment_id,
        attempt=1,
        action=ChosenAction(route, 0),
        propensity=0.5,
        policy=PolicyName("uniform", None),
        fallback=None,
        actions=[EligibleAction(each, 0, 0.5) for each in ROUTES],
        removed=[],
        decided_at=decided_at,
    )
    return decision_record(request, answer, tenant, deferred)


def outcome(
    number: int, *, at: timedelta | None = None, tenant: str = "default", **fields: Any
) -> OutcomeRecord:
    received_at = START + (timedelta(minutes=number, seconds=2) if at is None else at)
    record = outcome_record(OutcomeRequest(f"d{number}", **fields), tenant)
    return msgspec.structs.replace(record, received_at_us=microseconds(received_at))


def activation(
    number: int, route: str = "adyen", propensity: float | None = None
) -> ActivationRecord:
    at_us = START_US + number * 60_000_000
    return ActivationRecord(f"d{number}", at_us, route, 0, propensity)


def traffic(n: int, seed: int = 0) -> Iterable[DecisionRecord | OutcomeRecord]:
    """Decisions by chance, nearly all with an outcome; outcomes come out of order."""
    rng = np.random.default_rng(seed)
    waiting: list[OutcomeRecord] = []
    for number in range(n):
        route = ROUTES[int(rng.random() < 0.5)]
        yield decision(number, route=route, issuer_country=("DE", "FR")[int(rng.random() < 0.5)])
        if rng.random() < 0.95:
            waiting.append(outcome(number, approved=bool(rng.random() < APPROVED[route])))
        while waiting and rng.random() < 0.5:
            yield waiting.pop(int(rng.integers(len(waiting))))
    yield from waiting
