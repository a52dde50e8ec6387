"""``POST /v1/decisions/batch``: many decisions at once, recorded together.

What is wrong with one item is answered in its place and takes no other with it. Only what cannot be
laid at an item's door, such as a card number or a body that is no JSON, refuses the whole.
"""

from __future__ import annotations

import time
from collections import defaultdict
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta

from service.api import deadline, idempotency
from service.api.bodies import fitted, plain_body
from service.api.forms import DecisionAnswer, DecisionRequest
from service.api.fresh_ids import fresh_id
from service.api.problems import Problem, ProblemBody
from service.deciding.question import Question, question_of
from service.deciding.timely import Timely, Told
from service.live.live import Live
from service.live.serving import Serving
from service.metrics.counts import count_repeated, count_told
from service.security.caller import caller
from service.settings import MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from service.store.group_commit import GroupCommit
from service.store.records import DecisionRecord, canonical

JSON = "application/json"
_LONGEST_KEY = 120


class DecisionBatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/decisions/batch``."""

    decisions: Annotated[list[DecisionRequest], Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]


class _AnyItems(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same, with items that may be anything still."""

    decisions: Annotated[list[Any], Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]


class BatchItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one decision: it was made, or the problem says why not."""

    decision: DecisionAnswer | None = None
    problem: ProblemBody | None = None


class DecisionBatchAnswer(msgspec.Struct, frozen=True):
    """One item for each decision that was asked for, in their order."""

    items: list[BatchItem]


def batch_blueprint(
    live: Live, timely: Timely, recorder: GroupCommit, deadline_s: float
) -> Blueprint:
    """The endpoint, for an app; parameters as of ``service.api.decisions``."""
    blueprint = Blueprint("batch", __name__)

    @blueprint.post("/v1/decisions/batch")
    def decide_all() -> Response:
        started = time.monotonic()
        request.max_content_length = MAX_BATCH_BYTES
        headers = request.headers
        within_s = deadline.deadline_s(headers.get(deadline.HEADER), deadline_s)
        key = idempotency.key_of(headers.get(idempotency.HEADER), _LONGEST_KEY)
        serving = live.serving(caller().tenant)
        found = _questions(plain_body(request), serving, key, recorder)
        questions = [each for each in found if isinstance(each, Question)]
        answers = iter(_answers(timely, questions, started, within_s) if questions else ())
        items = [next(answers) if isinstance(each, Question) else each for each in found]
        return Response(b'{"items":[' + b",".join(items) + b"]}", content_type=JSON)

    return blueprint


def _questions(
    plain: Any, serving: Serving, key: str | None, recorder: GroupCommit
) -> list[Question | bytes]:
    """A question for each item, or the item's answer where there is nothing to be decided."""
    try:
        asked: list[Any] = msgspec.convert(plain, DecisionBatchRequest).decisions
    except msgspec.ValidationError:
        asked = fitted(plain, _AnyItems).decisions
    found: list[Question | bytes] = []
    for at, each in enumerate(asked):
        try:
            one = each if isinstance(each, DecisionRequest) else fitted(each, DecisionRequest)
            if one.decision_id is None and key is not None:
                one = idempotency.identified(one, f"{key}/{at}")
            found.append(_question(serving, one, recorder))
        except Problem as problem:
            found.append(_problem(problem))
    return found


def _question(serving: Serving, one: DecisionRequest, recorder: GroupCommit) -> Question | bytes:
    try:
        return question_of(serving, one, one.decision_id or fresh_id())
    except Problem:
        # Sound when it was first asked, perhaps: the routes may have changed since.
        known = one.decision_id and recorder.decision(one.decision_id, serving.tenant)
        if not known:
            raise
        count_repeated(serving.tenant)
        return _on_record(known, canonical(one))


def _answers(
    timely: Timely, questions: list[Question], started: float, within_s: float
) -> list[bytes]:
    arms: dict[int, list[int]] = defaultdict(list)
    for at, question in enumerate(questions):
        arms[id(question.serving)].append(at)
    # All arms of a trial are asked before the first one is waited for.
    begun = [
        timely.begin([questions[at] for at in places], started, within_s, batch=True)
        for places in arms.values()
    ]
    answers = [b""] * len(questions)
    for places, each in zip(arms.values(), begun, strict=True):
        told = timely.end(each)
        count_told(each.questions[0].serving.tenant, told)
        for at, answer in zip(places, _answers_of(told), strict=True):
            answers[at] = answer
    return answers


def _answers_of(told: Told) -> list[bytes]:
    if told.unrecorded:
        return [_decision(msgspec.json.encode(answer)) for answer in told.unrecorded]
    return [
        _on_record(kept, asked.request) for kept, asked in zip(told.kept, told.asked, strict=True)
    ]


def _on_record(decision: DecisionRecord, asked: str) -> bytes:
    if decision.request != asked or decision.deferred:
        return _problem(idempotency.used_before())
    return _decision(decision.answer.encode())


def _decision(answer: bytes) -> bytes:
    return b'{"decision":' + answer + b"}"


def _problem(problem: Problem) -> bytes:
    status = HTTPStatus(problem.status)
    body = ProblemBody(status.phrase, status.value, problem.detail, errors=list(problem.errors))
    return b'{"problem":' + msgspec.json.encode(body) + b"}"
