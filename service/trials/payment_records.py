"""All that is on record of some payments: attempts, activations, outcomes and first requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from authopt.actions import STOP_ROUTE
from service.api.forms import DecisionRequest, OutcomeRequest
from service.store.joining import JoinRules, Told, joined
from service.store.reading_on import in_parts
from service.store.tables import activations, decisions, outcomes

_REQUEST = msgspec.json.Decoder(DecisionRequest)
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)
_RULES = JoinRules()

READ = (
    decisions.c.number,
    decisions.c.decision_id,
    decisions.c.payment_id,
    decisions.c.attempt,
    decisions.c.decided_at_us,
    decisions.c.route,
    decisions.c.delay_s,
    decisions.c.fallback,
    decisions.c.deferred,
    decisions.c.experiment,
    decisions.c.arm,
)
"""Columns of the decisions that payments are made of."""


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """What is on record of some payments.

    Attributes
    ----------
    attempts
        their decisions by the payment's id, in the order of recording.
    activated
        ids of deferred decisions that count.
    told
        outcomes by the decision's id, in the order of arrival.
    requests
        of first decisions, by their number.
    """

    attempts: Mapping[str, Sequence[Any]]
    activated: set[str]
    told: Mapping[str, Sequence[Told]]
    requests: Mapping[int, DecisionRequest]

    def counts(self, decision: Any) -> bool:
        """Whether a decision was carried out, as far as is known."""
        return not decision.deferred or decision.decision_id in self.activated

    def made(self, payment: str) -> list[Any]:
        """Decisions of a payment that were carried out, and were not to stop."""
        rows = self.attempts[payment]
        return [each for each in rows if each.route != STOP_ROUTE and self.counts(each)]

    def outcome_of(self, decision: Any) -> OutcomeRequest | None:
        """What came back for a decision; None where nobody told."""
        due_us = int(decision.decided_at_us) + decision.delay_s * 1_000_000
        told = self.told.get(decision.decision_id, ())
        return joined(decision.decision_id, due_us, told, _RULES, 0).outcome


def records_of(
    connection: Connection, tenant: str, firsts: Sequence[Any], through: int | None = None
) -> Records:
    """Look payments up.

    Parameters
    ----------
    connection
        to the store.
    tenant
        whose.
    firsts
        rows (``READ``) of their first decisions.
    through
        number of the last decision that is looked at; None: all are.
    """
    attempts = _attempts(connection, tenant, [row.payment_id for row in firsts], through)
    every = [each for rows in attempts.values() for each in rows]
    deferred = [row.decision_id for row in every if row.deferred]
    return Records(
        attempts,
        _activated(connection, tenant, deferred),
        _told(connection, tenant, [row.decision_id for row in every]),
        _requests(connection, [row.number for row in firsts]),
    )


def _attempts(
    connection: Connection, tenant: str, payments: Sequence[str], through: int | None
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for some in in_parts(list(dict.fromkeys(payments))):
        wanted = (
            select(*READ)
            .where(decisions.c.tenant == tenant, decisions.c.payment_id.in_(some))
            .order_by(decisions.c.number)
        )
        if through is not None:
            wanted = wanted.where(decisions.c.number <= through)
        for row in connection.execute(wanted):
            found[row.payment_id].append(row)
    return found


def _requests(connection: Connection, numbers: Sequence[int]) -> dict[int, DecisionRequest]:
    found: dict[int, DecisionRequest] = {}
    for some in in_parts(numbers):
        wanted = select(decisions.c.number, decisions.c.request).where(decisions.c.number.in_(some))
        for number, text in connection.execute(wanted):
            found[number] = _REQUEST.decode(text)
    return found


def _activated(connection: Connection, tenant: str, names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in in_parts(names):
        found.update(
            connection.scalars(
                select(activations.c.decision_id).where(
                    and_(activations.c.tenant == tenant, activations.c.decision_id.in_(some))
                )
            )
        )
    return found


def _told(connection: Connection, tenant: str, names: Sequence[str]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = defaultdict(list)
    for some in in_parts(names):
        wanted = (
            select(outcomes.c.decision_id, outcomes.c.received_at_us, outcomes.c.outcome)
            .where(and_(outcomes.c.tenant == tenant, outcomes.c.decision_id.in_(some)))
            .order_by(outcomes.c.number)
        )
        for name, received_at_us, text in connection.execute(wanted):
            found[name].append(Told(received_at_us, _OUTCOME.decode(text)))
    return found
