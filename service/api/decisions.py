"""``POST /v1/decisions`` and ``POST /v1/rank``: decide, record, answer.

An answer is given once its row is on disk, in the store or, while that fails, in the spool. Where
neither takes it in time, a payment is worth more than a row: the static priority answers, with
``"recorded": false``. Only where a row may yet reach the disk (its write has begun and hangs) is
the drawn action answered unrecorded, so that the row, if it comes, says what was done.

A ranking is a decision that the caller makes: it is recorded with the action that was drawn, but
counts only once its activation says what was done.
"""

from __future__ import annotations

import time

import msgspec
from flask import Blueprint, Response, request

from service.api import deadline, idempotency
from service.api.bodies import read_body
from service.api.forms import DecisionRequest
from service.api.fresh_ids import fresh_id
from service.api.problems import Problem
from service.deciding.question import question_of
from service.deciding.timely import Timely
from service.live.live import Live
from service.metrics.counts import count_repeated, count_told
from service.security.caller import caller
from service.store.group_commit import GroupCommit
from service.store.records import DecisionRecord, canonical

JSON = "application/json"


def decisions_blueprint(
    live: Live, timely: Timely, recorder: GroupCommit, deadline_s: float
) -> Blueprint:
    """The endpoints, for an app.

    Parameters
    ----------
    live
        the state of the merchants.
    timely
        decides.
    recorder
        knows the decisions that were made before.
    deadline_s
        longest time to an answer.
    """
    blueprint = Blueprint("decisions", __name__)

    @blueprint.post("/v1/decisions")
    def decide() -> Response:
        return _decided(ranked=False)

    @blueprint.post("/v1/rank")
    def rank() -> Response:
        return _decided(ranked=True)

    def _decided(ranked: bool) -> Response:
        started = time.monotonic()
        headers = request.headers
        within_s = deadline.deadline_s(headers.get(deadline.HEADER), deadline_s)
        key = idempotency.key_of(headers.get(idempotency.HEADER))
        asked = idempotency.identified(read_body(request, DecisionRequest), key)
        serving = live.serving(caller().tenant)
        try:
            question = question_of(serving, asked, asked.decision_id or fresh_id(), ranked)
        except Problem:
            # Sound when it was first asked, perhaps: the routes may have changed since.
            earlier = (
                None
                if asked.decision_id is None
                else recorder.decision(asked.decision_id, serving.tenant)
            )
            if earlier is None:
                raise
            count_repeated(serving.tenant)
            return answer_on_record(earlier, canonical(asked), ranked)
        told = timely.decide([question], started, within_s)
        count_told(serving.tenant, told)
        if told.unrecorded:
            return Response(msgspec.json.encode(told.unrecorded[0]), content_type=JSON)
        return answer_on_record(told.kept[0], told.asked[0].request, ranked)

    return blueprint


def answer_on_record(decision: DecisionRecord, asked: str, ranked: bool) -> Response:
    """The answer on record, if it was given to the same request, in canonical form."""
    if decision.request != asked or decision.deferred != ranked:
        raise idempotency.used_before()
    return Response(decision.answer, content_type=JSON)
