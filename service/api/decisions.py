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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from service.api import deadline, idempotency
from service.api.bodies import fitted, plain_body
from service.api.forms import DecisionRequest
from service.api.fresh_ids import fresh_id
from service.api.problems import Problem
from service.deciding.question import Question, question_of
from service.deciding.timely import Timely, Told
from service.live.live import Live
from service.live.serving import Serving
from service.metrics.counts import count_repeated, count_told
from service.security.caller import caller
from service.store.group_commit import GroupCommit
from service.store.records import DecisionRecord, canonical

JSON = "application/json"
DECISIONS = "/v1/decisions"

_DEADLINE = "HTTP_" + deadline.HEADER.upper().replace("-", "_")
_KEY = "HTTP_" + idempotency.HEADER.upper().replace("-", "_")


@dataclass(frozen=True, slots=True)
class Deciding:
    """What decides.

    Attributes
    ----------
    live
        the state of the merchants.
    timely
        asks their policies.
    deadline_s
        longest time to an answer.
    """

    live: Live
    timely: Timely
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for one decision that was read, and how long its answer may take."""

    request: DecisionRequest
    within_s: float

    def question(self, serving: Serving, ranked: bool) -> Question:
        """What is to be decided.

        Raises
        ------
        Problem
            422 if the moment, the context or the actions are unsound.
        """
        decision_id = self.request.decision_id or fresh_id()
        return question_of(serving, self.request, decision_id, ranked)


def asked_by(environ: Mapping[str, Any], plain: Any, deadline_s: float) -> Asked:
    """Read a request.

    Parameters
    ----------
    environ
        its headers, as WSGI has them.
    plain
        its body.
    deadline_s
        longest time to an answer.

    Raises
    ------
    Problem
        422 if a header or the body is unsound.
    """
    within_s = deadline.deadline_s(environ.get(_DEADLINE), deadline_s)
    key = idempotency.key_of(environ.get(_KEY))
    return Asked(idempotency.identified(fitted(plain, DecisionRequest), key), within_s)


def decisions_blueprint(deciding: Deciding, recorder: GroupCommit) -> Blueprint:
    """The endpoints, for an app.

    Parameters
    ----------
    deciding
        what decides.
    recorder
        knows the decisions that were made before.
    """
    blueprint = Blueprint("decisions", __name__)

    @blueprint.post(DECISIONS)
    def decide() -> Response:
        return _decided(ranked=False)

    @blueprint.post("/v1/rank")
    def rank() -> Response:
        return _decided(ranked=True)

    def _decided(ranked: bool) -> Response:
        started = time.monotonic()
        asked = asked_by(request.environ, plain_body(request), deciding.deadline_s)
        serving = deciding.live.serving(caller().tenant)
        try:
            question = asked.question(serving, ranked)
        except Problem:
            # Sound when it was first asked, perhaps: the routes may have changed since.
            given = asked.request.decision_id
            earlier = None if given is None else recorder.decision(given, serving.tenant)
            if earlier is None:
                raise
            count_repeated(serving.tenant)
            return answer_on_record(earlier, canonical(asked.request), ranked)
        told = deciding.timely.decide([question], started, asked.within_s)
        answer = answer_told(told, ranked)
        count_told(serving.tenant, told)
        if answer is None:
            raise idempotency.used_before()
        return Response(answer, content_type=JSON)

    return blueprint


def answer_told(told: Told, ranked: bool) -> bytes | str | None:
    """The answer to a request for one decision; None if its id was used for another request."""
    if told.unrecorded:
        return msgspec.json.encode(told.unrecorded[0])
    kept = told.kept[0]
    return kept.answer if _is_of(kept, told.asked[0].request, ranked) else None


def answer_on_record(decision: DecisionRecord, asked: str, ranked: bool) -> Response:
    """The answer on record, if it was given to the same request, in canonical form."""
    if not _is_of(decision, asked, ranked):
        raise idempotency.used_before()
    return Response(decision.answer, content_type=JSON)


def _is_of(decision: DecisionRecord, asked: str, ranked: bool) -> bool:
    """Whether a decision was given to the same request, in canonical form, at the same address."""
    return decision.request == asked and decision.deferred == ranked
