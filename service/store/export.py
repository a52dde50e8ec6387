"""Decisions and their outcomes as the attempt log that training and evaluation read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, Engine, func, select

from authopt.batch import Categorical, Column, LoggedBatch
from authopt.payments import CONTEXT_BY_NAME, OUTCOME_FIELDS, Kind
from authopt.rewards import DEFAULT_REWARD, Reward
from service.api.forms import DecisionAnswer, DecisionRequest, OutcomeRequest
from service.store.tables import decisions, outcomes

CHUNK_ROWS = 8192

_REQUEST = msgspec.json.Decoder(DecisionRequest)
_ANSWER = msgspec.json.Decoder(DecisionAnswer)
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)

_NO_OUTCOME = OutcomeRequest("none")


def logged_batches(
    engine: Engine, reward: Reward = DEFAULT_REWARD, chunk_rows: int = CHUNK_ROWS
) -> Iterator[LoggedBatch]:
    """All decisions in the order of recording, each joined with its outcome.

    Of several outcomes of a decision each field has the value that was given last, in the order of
    arrival, so that a correction (a refund, a chargeback) need not repeat the rest. An outcome that
    came before in the same words is the same outcome, and changes nothing: a correction that takes
    an earlier one back differs from what it restores by its ``corrected_at``.

    Propensities and probabilities are those that were drawn with, bit for bit. A decision without
    an outcome has a missing one; an outcome without a decision is left for a later export. Every
    batch has the same columns. What is recorded meanwhile is not included.

    Parameters
    ----------
    engine
        of the store.
    reward
        what an outcome is worth.
    chunk_rows
        decisions per batch.
    """
    with engine.connect() as connection:
        last = connection.scalar(select(func.max(decisions.c.number))) or 0
        kinds, features = _columns(connection, last)
        start = 0
        while rows := _rows(connection, start, last, chunk_rows):
            told = _merged_outcomes(connection, start, rows[-1].number)
            yield _batch(rows, told, kinds, features, reward)
            start = rows[-1].number


def _rows(connection: Connection, after: int, last: int, limit: int) -> Sequence[Any]:
    return connection.execute(
        select(decisions)
        .where(decisions.c.number > after, decisions.c.number <= last)
        .order_by(decisions.c.number)
        .limit(limit)
    ).all()


def _merged_outcomes(connection: Connection, after: int, last: int) -> dict[str, OutcomeRequest]:
    """By decision id, of a range of numbers: each field of the outcome as it was given last."""
    wanted = (
        select(outcomes.c.decision_id, outcomes.c.outcome)
        .join(decisions, decisions.c.decision_id == outcomes.c.decision_id)
        .where(decisions.c.number > after, decisions.c.number <= last)
        .order_by(outcomes.c.number)
    )
    merged: dict[str, OutcomeRequest] = {}
    for decision_id, text in connection.execute(wanted):
        told = _OUTCOME.decode(text)
        if decision_id in merged:
            given = {
                field: value
                for field, value in msgspec.structs.asdict(told).items()
                if value is not None
            }
            told = msgspec.structs.replace(merged[decision_id], **given)
        merged[decision_id] = told
    return merged


def _columns(connection: Connection, last: int) -> tuple[dict[str, Kind], dict[str, Kind]]:
    """Every column of the context and of the actions that some request has, and how to hold it.

    A custom column that is a string in any request is a category in all of them.
    """
    kinds: dict[str, Kind] = {}
    features: dict[str, Kind] = {}
    requests = (
        select(decisions.c.request)
        .where(decisions.c.number <= last)
        .execution_options(yield_per=CHUNK_ROWS)
    )
    for text in connection.scalars(requests):
        request = _REQUEST.decode(text)
        for name, value in request.context.items():
            known = CONTEXT_BY_NAME.get(name)
            if known is not None:
                kinds[name] = known.kind
            else:
                _add_custom(kinds, name, value)
        for action in request.actions or ():
            for name, value in action.features.items():
                _add_custom(features, name, value)
    return kinds, features


def _add_custom(kinds: dict[str, Kind], name: str, value: Any) -> None:
    if isinstance(value, str):
        kinds[name] = Kind.CATEGORY
    elif value is not None:
        kinds.setdefault(name, Kind.NUMBER)


def _batch(
    rows: Sequence[Any],
    told: Mapping[str, OutcomeRequest],
    kinds: Mapping[str, Kind],
    features: Mapping[str, Kind],
    reward: Reward,
) -> LoggedBatch:
    answers = [_ANSWER.decode(row.answer) for row in rows]
    requests = [_REQUEST.decode(row.request) for row in rows]
    came_back = [told.get(row.decision_id, _NO_OUTCOME) for row in rows]
    context = {
        name: _column([each.context.get(name) for each in requests], kind)
        for name, kind in kinds.items()
    }
    of_actions = [
        each
        for request, answer in zip(requests, answers, strict=True)
        for each in _features(request, answer)
    ]
    outcome = {
        field.name: _column([getattr(each, field.name) for each in came_back], field.kind)
        for field in OUTCOME_FIELDS
    }
    routes = Categorical.from_values(
        action.route for answer in answers for action in answer.actions
    )
    counts = [len(answer.actions) for answer in answers]
    batch = LoggedBatch(
        decision_id=pa.array([row.decision_id for row in rows], pa.string()),
        payment_id=pa.array([row.payment_id for row in rows], pa.string()),
        attempt=np.array([row.attempt for row in rows], np.int32),
        decided_at=np.array([row.decided_at_us for row in rows], np.int64).view("datetime64[us]"),
        context=context,
        routes=routes.categories,
        action_route=routes.codes,
        action_delay_s=np.array(
            [action.delay_s for answer in answers for action in answer.actions], np.int64
        ),
        action_features={
            name: _column([each.get(name) for each in of_actions], kind)
            for name, kind in features.items()
        },
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        chosen=np.array([_position(answer) for answer in answers], np.int64),
        propensity=np.array([row.propensity for row in rows], np.float64),
        probability=np.array(
            [action.probability for answer in answers for action in answer.actions], np.float64
        ),
        outcome=outcome,
        reward=np.full(len(rows), np.nan),
    )
    return replace(batch, reward=reward.of(batch))


def _features(request: DecisionRequest, answer: DecisionAnswer) -> list[dict[str, Any]]:
    """The features of every eligible action; an action that was not asked for has none."""
    asked = {(each.route, each.delay_s): each.features for each in request.actions or ()}
    return [asked.get((each.route, each.delay_s), {}) for each in answer.actions]


def _position(answer: DecisionAnswer) -> int:
    """Place of the drawn action among the eligible ones."""
    drawn = (answer.action.route, answer.action.delay_s)
    return [(action.route, action.delay_s) for action in answer.actions].index(drawn)


def _column(values: Sequence[Any], kind: Kind) -> Column:
    return _MAKE[kind](values)


def _texts(values: Sequence[Any]) -> Column:
    return Categorical.from_values(None if value is None else str(value) for value in values)


def _numbers(values: Sequence[Any]) -> Column:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _moments(values: Sequence[Any]) -> Column:
    times: pa.Array = pa.array(values, pa.timestamp("us", tz="UTC"))
    return times.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)


def _references(values: Sequence[Any]) -> Column:
    return pa.array(values, pa.string())


_MAKE: Mapping[Kind, Callable[[Sequence[Any]], Column]] = {
    Kind.CATEGORY: _texts,
    Kind.REFERENCE: _references,
    Kind.NUMBER: _numbers,
    Kind.INTEGER: _numbers,
    Kind.FLAG: _numbers,
    Kind.TIME: _moments,
}
