"""``POST /v1/outcomes`` and ``/v1/outcomes/batch``: what came back, at least once, in any order."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta

from service.api.bodies import read_body
from service.api.forms import OutcomeAnswer, OutcomeRequest
from service.api.moments import in_utc
from service.api.problems import FieldError, Problem
from service.metrics.counts import count_outcomes
from service.security.caller import caller
from service.settings import MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from service.store.group_commit import GroupCommit
from service.store.records import outcome_record

JSON = "application/json"
_NOTHING = "says nothing of the outcome; expected at least one field beside decision_id"


class OutcomeBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/outcomes/batch``."""

    outcomes: Annotated[list[OutcomeRequest], Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]


class OutcomeBatchAnswer(msgspec.Struct, frozen=True):
    """One for each outcome, in their order."""

    outcomes: list[OutcomeAnswer]


def outcomes_blueprint(recorder: GroupCommit) -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("outcomes", __name__)

    @blueprint.post("/v1/outcomes")
    def tell() -> Response:
        told = read_body(request, OutcomeRequest)
        _check(told, "")
        tenant = caller().tenant
        kept = recorder.keep(outcome_record(told, tenant))
        if not kept.durable:
            raise _not_recorded("outcome")
        count_outcomes(tenant, 1)
        answer = OutcomeAnswer(told.decision_id, recorded=True)
        return Response(msgspec.json.encode(answer), content_type=JSON)

    @blueprint.post("/v1/outcomes/batch")
    def tell_all() -> Response:
        request.max_content_length = MAX_BATCH_BYTES
        told = read_body(request, OutcomeBatch).outcomes
        for at, each in enumerate(told):
            _check(each, f"outcomes[{at}]")
        tenant = caller().tenant
        kept = recorder.keep_all([outcome_record(each, tenant) for each in told])
        if not all(each.durable for each in kept):
            raise _not_recorded("outcomes")
        count_outcomes(tenant, len(told))
        answer = OutcomeBatchAnswer([OutcomeAnswer(each.decision_id, True) for each in told])
        return Response(msgspec.json.encode(answer), content_type=JSON)

    return blueprint


def _check(told: OutcomeRequest, where: str) -> None:
    """Refuse an outcome that says nothing, or names a moment that no calendar of ours has."""
    if told == OutcomeRequest(told.decision_id):
        field = where or "body"
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{where or 'the body'} {_NOTHING}",
            FieldError(field, _NOTHING),
        )
    for name in ("outcome_at", "corrected_at"):
        moment = getattr(told, name)
        if moment is not None:
            in_utc(f"{where}.{name}".lstrip("."), moment)


def _not_recorded(what: str) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, f"the {what} could not be recorded; send it again"
    )
