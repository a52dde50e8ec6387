"""Questions as the columns that rules and policies read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, DecisionBatch, TimeArray
from service.api.action_features import feature_columns, features_of_one
from service.api.context import context_columns, context_of_one
from service.deciding.question import Question
from service.store.records import microseconds

_MICROSECONDS = np.dtype("datetime64[us]")
_NO_FEATURES: Mapping[str, Any] = {}


def batch_of(questions: Sequence[Question]) -> DecisionBatch:
    """n decisions, in the order of the questions.

    Raises
    ------
    MixedKinds
        If a column of the callers' own is text in one question and a number in another.
    """
    if len(questions) == 1:
        return _batch_of_one(questions[0])
    offered = [question.offered for question in questions]
    distinct = {id(each): each for each in offered}.values()
    routes = tuple(dict.fromkeys(name for each in distinct for name in each.vocabulary))
    codes = {
        id(each): each.codes
        if each.vocabulary == routes[: len(each.vocabulary)]
        else Categorical(each.codes, each.vocabulary).recode(routes)
        for each in distinct
    }
    ends = np.cumsum([0, *(len(each.codes) for each in offered)], dtype=np.int64)
    return DecisionBatch(
        decision_id=pa.array([each.decision_id for each in questions], pa.string()),
        payment_id=pa.array([each.request.payment_id for each in questions], pa.string()),
        attempt=np.array([each.request.attempt for each in questions], np.int32),
        decided_at=_moments([microseconds(each.decided_at) for each in questions]),
        context=context_columns([each.request.context for each in questions]),
        routes=routes,
        action_route=np.concatenate([codes[id(each)] for each in offered]),
        action_delay_s=np.concatenate([each.delay_s for each in offered]),
        offsets=ends,
        action_features=_features(questions),
    )


def _batch_of_one(question: Question) -> DecisionBatch:
    request, offered = question.request, question.offered
    # An array costs more to make than to cut in two.
    ids = pa.array([question.decision_id, request.payment_id], pa.string())
    return DecisionBatch(
        decision_id=ids[:1],
        payment_id=ids[1:],
        attempt=np.array([request.attempt], np.int32),
        decided_at=_moments([microseconds(question.decided_at)]),
        context=context_of_one(request.context),
        routes=offered.vocabulary,
        action_route=offered.codes,
        action_delay_s=offered.delay_s,
        offsets=offered.ends,
        action_features=features_of_one(offered.features) if offered.features else {},
    )


def _moments(microseconds_utc: list[int]) -> TimeArray:
    return np.array(microseconds_utc, np.int64).view(_MICROSECONDS)


def _features(questions: Sequence[Question]) -> dict[str, Column]:
    if not any(question.offered.features for question in questions):
        return {}
    return feature_columns(
        [
            each
            for question in questions
            for each in question.offered.features or [_NO_FEATURES] * len(question.offered.codes)
        ]
    )
