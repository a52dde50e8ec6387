"""``POST /v1/outcomes``: what came back, at least once, in any order."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from flask import Blueprint, Response, request

from service.api.bodies import read_body
from service.api.forms import OutcomeAnswer, OutcomeRequest
from service.api.moments import in_utc
from service.api.problems import FieldError, Problem
from service.store.group_commit import GroupCommit
from service.store.records import outcome_record

JSON = "application/json"
_NOTHING = "says nothing of the outcome; expected at least one field beside decision_id"


def outcomes_blueprint(recorder: GroupCommit) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("outcomes", __name__)

    @blueprint.post("/v1/outcomes")
    def tell() -> Response:
        told = read_body(request, OutcomeRequest)
        if told == OutcomeRequest(told.decision_id):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"the body {_NOTHING}",
                FieldError("body", _NOTHING),
            )
        if told.outcome_at is not None:
            in_utc("outcome_at", told.outcome_at)
        kept = recorder.keep(outcome_record(told))
        answer = msgspec.json.encode(OutcomeAnswer(told.decision_id, kept.durable))
        if kept.durable:
            return Response(answer, content_type=JSON)
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "the outcome could not be recorded; send it again"
        )

    return blueprint
