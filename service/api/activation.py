"""``POST /v1/decisions/{decision_id}/activation``: what a caller did after a ranking.

The first activation of a decision stays; the same one again is answered alike, another is refused.
An evaluation needs the probability with which the action was taken. For the drawn action it is on
record; a caller that takes another one by a random rule of its own gives it. A caller that takes
the drawn action at times and its own choice at other times, without saying how probably, makes a
log in which the drawn actions that it took are no fair sample: let it give the propensity always.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

import msgspec
from flask import Blueprint, Response, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from service.api.bodies import read_body
from service.api.forms import ActivationAnswer, ActivationRequest, RankAnswer
from service.api.problems import FieldError, Problem
from service.security.caller import caller
from service.store.group_commit import GroupCommit
from service.store.records import ActivationRecord, DecisionRecord, microseconds
from service.store.tables import activations

JSON = "application/json"

_RANKING = msgspec.json.Decoder(RankAnswer)
_NOT_DEFERRED = "was no ranking; what it answered is what counts as done"
_NOT_ELIGIBLE = "was not among the eligible actions of the ranking"
_DONE = "another action was activated before; the first one stays"


def activation_blueprint(recorder: GroupCommit) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("activation", __name__)

    @blueprint.post("/v1/decisions/<decision_id>/activation")
    def activate(decision_id: str) -> Response:
        told = read_body(request, ActivationRequest)
        tenant = caller().tenant
        decision = _decision(recorder, decision_id, tenant)
        record = ActivationRecord(
            decision_id=decision_id,
            activated_at_us=microseconds(datetime.now(UTC)),
            route=told.route,
            delay_s=told.delay_s,
            propensity=_propensity(decision, told),
            tenant=tenant,
        )
        if not recorder.keep(record).durable:
            raise _unavailable("the activation could not be recorded; send it again")
        first = _first(recorder, record)
        if first != _said(record):
            raise _refused("route", _DONE)
        return Response(msgspec.json.encode(first), content_type=JSON)

    return blueprint


def _decision(recorder: GroupCommit, decision_id: str, tenant: str) -> DecisionRecord:
    try:
        found = recorder.spool.decision(decision_id, tenant) or recorder.store.decision(
            decision_id, tenant
        )
    except SQLAlchemyError:
        raise _unavailable("the store does not answer; send it again") from None
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no decision with this id")
    if not found.deferred:
        raise _refused("decision_id", _NOT_DEFERRED)
    return found


def _propensity(decision: DecisionRecord, told: ActivationRequest) -> float | None:
    """As the caller gives it; for the drawn action, what is on record; else not known."""
    taken = told.route, told.delay_s
    eligible = _RANKING.decode(decision.answer).actions
    if taken not in [(each.route, each.delay_s) for each in eligible]:
        raise _refused("route", _NOT_ELIGIBLE)
    if told.propensity is None and taken == (decision.route, decision.delay_s):
        return decision.propensity
    return told.propensity


def _first(recorder: GroupCommit, record: ActivationRecord) -> ActivationAnswer:
    """The activation on record; the one just kept where the store cannot be asked."""
    wanted = select(
        activations.c.decision_id,
        activations.c.route,
        activations.c.delay_s,
        activations.c.propensity,
    ).where(activations.c.tenant == record.tenant, activations.c.decision_id == record.decision_id)
    try:
        with recorder.store.engine.connect() as connection:
            row = connection.execute(wanted).first()
    except SQLAlchemyError:
        row = None
    return _said(record) if row is None else ActivationAnswer(*row)


def _said(record: ActivationRecord) -> ActivationAnswer:
    return ActivationAnswer(record.decision_id, record.route, record.delay_s, record.propensity)


def _refused(field: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {message}", FieldError(field, message)
    )


def _unavailable(detail: str) -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
