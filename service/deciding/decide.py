"""Decide some questions at once, so that one that fails takes no other with it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from authopt.decision import decide_by_priority, decide_safely
from service.active_policy import NOT_LOADED
from service.api.context import MixedKinds
from service.deciding.answers import Answer, answers_of
from service.deciding.columns import batch_of
from service.deciding.question import Question
from service.deciding.sound_policy import SoundPolicy
from service.live.serving import Serving

_log = logging.getLogger(__name__)

FEW = 11
"""Fewer questions than these are faster one by one: numpy's calls cost more than they save."""


def without_policy(serving: Serving) -> str | None:
    """Why the static priority decides whatever the policy would say; None where it does not."""
    if serving.killed is not None:
        return serving.killed
    return NOT_LOADED if serving.active.policy is None else None


def decide_together(questions: Sequence[Question]) -> list[Answer]:
    """Answer questions that have their merchant's state in common, in their order.

    A question is answered in the same words whatever others are asked with it.
    """
    if len(questions) < FEW:
        return [_decide_one(question) for question in questions]
    serving = questions[0].serving
    policy = serving.active.policy
    assert policy is not None
    try:
        decided = decide_safely(
            batch_of(questions), SoundPolicy(policy), serving.routes, rules=serving.rules
        )
    except MixedKinds:
        return [_decide_one(question) for question in questions]
    except Exception:
        _log.exception("%d decisions failed together; they are made one by one", len(questions))
        return [_decide_one(question) for question in questions]
    if decided.fell_back.all():
        # One of them may have failed the policy for all.
        return [_decide_one(question) for question in questions]
    return answers_of(questions, decided)


def decide_without_policy(questions: Sequence[Question], why: str) -> list[Answer]:
    """Answer by the static priority, with ``why`` as the reason.

    The rules hold as ever. Where they leave nothing, the answer is ``stop``.
    """
    if len(questions) >= FEW:
        try:
            return _by_priority(questions, why)
        except MixedKinds:
            pass
    return [answer for question in questions for answer in _by_priority([question], why)]


def _by_priority(questions: Sequence[Question], why: str) -> list[Answer]:
    serving = questions[0].serving
    batch = batch_of(questions)
    return answers_of(
        questions, decide_by_priority(batch, serving.routes, why, rules=serving.rules)
    )


def _decide_one(question: Question) -> Answer:
    serving = question.serving
    policy = serving.active.policy
    assert policy is not None
    batch = batch_of([question])
    decided = decide_safely(batch, SoundPolicy(policy), serving.routes, rules=serving.rules)
    return answers_of([question], decided)[0]
