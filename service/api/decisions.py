"""``POST /v1/decisions``: decide, record, answer.

An answer is given once its row is on disk, in the store or, while that fails, in the spool. Where
neither takes it, a payment is worth more than a row: the static priority answers, with
``"recorded": false``. Only where a row may yet reach the disk (its write has begun and hangs) is
the drawn action answered unrecorded, so that the row, if it comes, says what was done.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus

import msgspec
from flask import Blueprint, Response, request

from service.api.bodies import read_body
from service.api.forms import DecisionAnswer, DecisionRequest
from service.api.problems import FieldError, Problem
from service.deciding import Decider
from service.store.group_commit import GroupCommit
from service.store.records import DecisionRecord, canonical, decision_record

JSON = "application/json"
NOT_RECORDED = "the decision could not be recorded"

_USED = "was used before for a request with another body"


def decisions_blueprint(decider: Decider, recorder: GroupCommit) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("decisions", __name__)

    @blueprint.post("/v1/decisions")
    def decide() -> Response:
        asked = read_body(request, DecisionRequest)
        decision_id = asked.decision_id or str(uuid.uuid4())
        try:
            answer = decider.answer(asked, decision_id)
        except Problem:
            # Sound when it was first asked, perhaps: the routes may have changed since.
            earlier = recorder.decision(asked.decision_id) if asked.decision_id else None
            if earlier is None:
                raise
            return _repeated(earlier, canonical(asked))
        record = decision_record(asked, answer)
        kept = recorder.keep(record)
        if kept.durable and kept.decision is not None:
            return _repeated(kept.decision, record.request)
        if kept.decision is None:
            answer = decider.answer_by_priority(asked, decision_id, NOT_RECORDED)
        return Response(_unrecorded(answer), content_type=JSON)

    return blueprint


def _repeated(decision: DecisionRecord, asked: str) -> Response:
    """The answer on record, if it was given to the same request, in canonical form."""
    if decision.request != asked:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"decision_id {_USED}",
            FieldError("decision_id", _USED),
        )
    return Response(decision.answer, content_type=JSON)


def _unrecorded(answer: DecisionAnswer) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(answer, recorded=False))
