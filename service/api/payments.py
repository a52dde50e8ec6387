"""``GET /v1/payments/{payment_id}``: all that is known of a payment, in the order of its attempts.

Every decision with the actions it had and their probabilities, those that the rules removed and
why, what was drawn and done, and every outcome in the order in which it arrived. Decisions that
still wait in the spool are among them; outcomes are not before they are in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from operator import attrgetter
from typing import Any

import msgspec
from flask import Blueprint, Response
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from service.api.forms import ChosenAction, DecisionAnswer, OutcomeRequest
from service.api.problems import Problem
from service.security.caller import caller
from service.store.group_commit import GroupCommit
from service.store.joining import JoinRules, Told, joined
from service.store.records import DecisionRecord, microseconds, moment
from service.store.tables import activations, decisions, outcomes

JSON = "application/json"
MOST_DECISIONS = 1_000
_ANSWER = msgspec.json.Decoder(DecisionAnswer)
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)


class ArrivedOutcome(msgspec.Struct, frozen=True):
    """An outcome as it was sent, and when it arrived."""

    received_at: datetime
    outcome: OutcomeRequest


class Activation(msgspec.Struct, frozen=True):
    """What the caller did with a ranking; ``propensity`` is null where it is not known."""

    activated_at: datetime
    action: ChosenAction
    propensity: float | None


class PaymentDecision(msgspec.Struct, frozen=True):
    """One decision of the payment.

    ``context`` is what was asked with, ``answer`` what was answered. Of a deferred decision the
    ``activation`` says what was done; null: nothing yet. ``known`` is what the outcomes together
    say: each field as it was given last.
    """

    answer: DecisionAnswer
    context: dict[str, Any]
    deferred: bool
    activation: Activation | None
    outcomes: list[ArrivedOutcome]
    known: OutcomeRequest | None


class Payment(msgspec.Struct, frozen=True):
    """A payment; ``approved`` is null while no outcome says so of any attempt."""

    payment_id: str
    approved: bool | None
    attempts: int
    decisions: list[PaymentDecision]


def payments_blueprint(recorder: GroupCommit) -> Blueprint:
    """The endpoint, for an app with this recorder."""
    blueprint = Blueprint("payments", __name__)

    @blueprint.get("/v1/payments/<payment_id>")
    def payment(payment_id: str) -> Response:
        tenant, spool = caller().tenant, recorder.spool
        with suppress(OSError):
            spool.catch_up()
        waiting = spool.of_payment(payment_id, tenant)
        try:
            with recorder.store.engine.connect() as connection:
                found = read_payment(connection, tenant, payment_id, waiting)
        except SQLAlchemyError:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "the store could not be read; ask again"
            ) from None
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no decision of this payment is known")
        return Response(msgspec.json.encode(found), content_type=JSON)

    return blueprint


def read_payment(
    connection: Connection,
    tenant: str,
    payment_id: str,
    waiting: Sequence[DecisionRecord] = (),
) -> Payment | None:
    """A payment of a merchant; None where none of its decisions is on record.

    Parameters
    ----------
    connection, tenant, payment_id
        to the store, and whose payment.
    waiting
        decisions of it that may not be in the store yet.
    """
    rows: list[Any] = list(
        connection.execute(
            select(decisions)
            .where(decisions.c.tenant == tenant, decisions.c.payment_id == payment_id)
            .order_by(decisions.c.attempt, decisions.c.number)
            .limit(MOST_DECISIONS)
        ).all()
    )
    stored = {row.decision_id for row in rows}
    rows += [each for each in waiting if each.decision_id not in stored]
    if not rows:
        return None
    rows.sort(key=attrgetter("attempt"))
    ids = [row.decision_id for row in rows]
    told: dict[str, list[Told]] = {each: [] for each in ids}
    for row in connection.execute(
        select(outcomes)
        .where(outcomes.c.tenant == tenant, outcomes.c.decision_id.in_(ids))
        .order_by(outcomes.c.number)
    ):
        told[row.decision_id].append(Told(row.received_at_us, _OUTCOME.decode(row.outcome)))
    done = {
        row.decision_id: row
        for row in connection.execute(
            select(activations).where(
                activations.c.tenant == tenant, activations.c.decision_id.in_(ids)
            )
        )
    }
    now_us = microseconds(datetime.now(UTC))
    found = []
    for row in rows:
        due_us = row.decided_at_us + row.delay_s * 1_000_000
        came = told[row.decision_id]
        found.append(
            PaymentDecision(
                answer=_ANSWER.decode(row.answer),
                context=msgspec.json.decode(row.request).get("context", {}),
                deferred=row.deferred,
                activation=_activation(done.get(row.decision_id)),
                outcomes=[
                    ArrivedOutcome(moment(each.received_at_us), each.outcome) for each in came
                ],
                known=joined(row.decision_id, due_us, came, JoinRules(), now_us).outcome,
            )
        )
    said = [each.known.approved for each in found if each.known is not None]
    known = [each for each in said if each is not None]
    return Payment(payment_id, any(known) if known else None, len(found), found)


def _activation(row: Any) -> Activation | None:
    if row is None:
        return None
    action = ChosenAction(row.route, row.delay_s)
    return Activation(moment(row.activated_at_us), action, row.propensity)
