"""One payment: what was decided, when, of what, and what came of it; and why, for each decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response, request, url_for
from msgspec import UNSET
from sqlalchemy import Connection, select

from authopt.errors import UserError
from service.api.explain import explanation
from service.api.forms import DecisionAnswer, OutcomeRequest
from service.api.operating import refusals
from service.api.payments import ArrivedOutcome, Payment, PaymentDecision, read_payment
from service.api.problems import FieldError, Problem
from service.console.backing import Backing
from service.console.explained import explained
from service.console.frame import page
from service.console.pages.payments import outcome_word, payment_address
from service.console.tables import Column, Row, Table
from service.live.routes import weights_at
from service.models.recorded_policy import RecordedPolicies
from service.models.refusals import NotThere
from service.security.caller import caller
from service.store.joining import Told
from service.store.records import microseconds
from service.store.tables import decisions

_SAID = ("approved", "response_code", "advice_code", "latency_ms", "fee_minor", "refunded_minor")
_SAID_LATER = ("charged_back", "reward", "outcome_at", "corrected_at")


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""
    policies = RecordedPolicies()

    def shown(payment_id: str) -> Response:
        with refusals("path"), backing.engine.connect() as connection:
            numbers, payment = _read(connection, caller().tenant, payment_id)
        steps = [_step(numbers[each.answer.decision_id], each) for each in payment.decisions]
        first = payment.decisions[0]
        return page(
            "payment.html",
            title=f"Payment {payment_id}",
            here="payments",
            tables=_tables(numbers, payment.decisions),
            outcome=outcome_word(payment.approved),
            attempts=payment.attempts,
            facts=_facts(first.context),
            steps=steps,
        )

    @blueprint.get("/payments/<path:payment_id>", endpoint="payment")
    def payment(payment_id: str) -> Response:
        return shown(payment_id)

    @blueprint.get("/payment", endpoint="payment_by_id")
    def payment_by_id() -> Response:
        return shown(request.args.get("id", ""))

    @blueprint.get("/decisions/<int:number>", endpoint="decision")
    def decision(number: int) -> Response:
        tenant = caller().tenant
        with refusals("path"), backing.engine.connect() as connection:
            row = connection.execute(
                select(decisions).where(decisions.c.tenant == tenant, decisions.c.number == number)
            ).one_or_none()
            if row is None:
                raise _not_there("number", f"there is no decision {number} on record")
            numbers, payment = _read(connection, tenant, row.payment_id)
            one = next(
                (each for each in payment.decisions if numbers[each.answer.decision_id] == number),
                None,
            )
            if one is None:
                raise _not_there("number", f"payment {row.payment_id} has too many decisions")
            try:
                policy = policies.of(connection, tenant, row, backing.live.started(tenant))
                told = [Told(microseconds(each.received_at), each.outcome) for each in one.outcomes]
                weights = weights_at(connection, tenant, row.decided_at_us)
                why, fault = explanation(row, policy, told, weights), None
            except (NotThere, UserError) as error:
                why, fault = None, str(error)
        made = explained(why)
        return page(
            "decision.html",
            title=f"Decision {one.answer.decision_id}",
            here="payments",
            tables=(*_tables(numbers, [one]), *(() if made is None else made.tables)),
            step=_step(number, one),
            payment_id=row.payment_id,
            back=payment_address(row.payment_id),
            context=one.context,
            salt=row.salt,
            made=made,
            why=why,
            fault=fault,
        )


@dataclass(frozen=True, slots=True)
class _Action:
    """An action of a decision: eligible with a probability, or removed with a reason."""

    route: str
    delay_s: int
    probability: float | None
    reason: str | None
    marks: str


@dataclass(frozen=True, slots=True)
class _Step:
    """A decision as the timeline shows it."""

    number: int
    address: str
    answer: DecisionAnswer
    trial: str | None
    actions: tuple[_Action, ...]
    outcome: str | None
    outcomes: tuple[Mapping[str, Any], ...]
    known: OutcomeRequest | None
    deferred: bool
    activation: Any


def _read(connection: Connection, tenant: str, payment_id: str) -> tuple[dict[str, int], Payment]:
    """The numbers of a payment's decisions by their ids, and the payment."""
    payment = read_payment(connection, tenant, payment_id)
    if payment is None:
        raise _not_there("payment_id", f"no decision of a payment {payment_id[:64]!r} is known")
    rows = connection.execute(
        select(decisions.c.decision_id, decisions.c.number).where(
            decisions.c.tenant == tenant, decisions.c.payment_id == payment_id
        )
    )
    return {row.decision_id: row.number for row in rows}, payment


def _step(number: int, each: PaymentDecision) -> _Step:
    answer, act = each.answer, each.activation
    done = answer.action if act is None else act.action
    trial = None
    if answer.experiment is not UNSET:
        arm = "" if answer.arm is UNSET else answer.arm
        trial = f"{answer.experiment}: {arm}"
    actions = []
    for action in answer.actions:
        here = (action.route, action.delay_s)
        marks = ["drawn"] if here == (answer.action.route, answer.action.delay_s) else []
        if act is not None and here == (done.route, done.delay_s):
            marks.append("done")
        actions.append(_Action(*here, action.probability, None, ", ".join(marks)))
    actions += [_Action(gone.route, gone.delay_s, None, gone.reason, "") for gone in answer.removed]
    known = each.known
    return _Step(
        number,
        url_for("console.decision", number=number),
        answer,
        trial,
        tuple(actions),
        None if known is None else outcome_word(known.approved),
        tuple(_said(place, came) for place, came in enumerate(each.outcomes)),
        known,
        each.deferred,
        act,
    )


def _said(place: int, came: ArrivedOutcome) -> Mapping[str, Any]:
    """What an outcome says: only what it gives, in words."""
    given = msgspec.structs.asdict(came.outcome)
    said = {name: given[name] for name in (*_SAID, *_SAID_LATER) if given[name] is not None}
    return {"received_at": came.received_at, "is_correction": place > 0, "said": said}


def _facts(context: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What is told of a payment at the top: who, how much."""
    names = ("merchant_id", "amount_minor", "currency", "network", "funding", "issuer")
    every = (*names, "issuer_country", "initiator")
    return [(name, context[name]) for name in every if context.get(name) is not None]


def _tables(numbers: Mapping[str, int], made: Sequence[PaymentDecision]) -> tuple[Table, ...]:
    actions: list[Row] = []
    came: list[Row] = []
    for each in made:
        step = _step(numbers[each.answer.decision_id], each)
        common = {"decision": step.number, "attempt": step.answer.attempt}
        actions += [
            common
            | {
                "route": action.route,
                "delay_s": action.delay_s,
                "probability": action.probability,
                "removed": action.reason,
                "drawn": "drawn" in action.marks,
            }
            for action in step.actions
        ]
        for outcome in each.outcomes:
            said = msgspec.structs.asdict(outcome.outcome)
            came.append(common | {"received_at": outcome.received_at} | said)
    of = (Column("decision", "number", "count"), Column("attempt", "attempt", "count"))
    return (
        Table(
            "actions",
            "Actions of each decision",
            (
                *of,
                Column("route", "route", "code"),
                Column("delay_s", "after", "span"),
                Column("probability", "probability", "chance"),
                Column("removed", "removed because"),
                Column("drawn", "drawn"),
            ),
            actions,
        ),
        Table(
            "outcomes",
            "Outcomes in the order of their arrival",
            (
                *of,
                Column("received_at", "received (UTC)", "moment_s"),
                *(Column(name, name) for name in (*_SAID, *_SAID_LATER)),
            ),
            came,
            "Nothing was told of it yet.",
        ),
    )


def _not_there(field: str, message: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, message, FieldError(field, message))
