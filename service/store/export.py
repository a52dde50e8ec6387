"""Decisions and their outcomes as the attempt log that training and evaluation read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, Engine, select

from authopt.batch import Categorical, Column, LoggedBatch
from authopt.logs.trial_columns import ARM, EXPERIMENT
from authopt.payments import CONTEXT_BY_NAME, OUTCOME_FIELDS, Kind
from authopt.rewards import DEFAULT_REWARD, Reward
from service.api.forms import DecisionAnswer, DecisionRequest, OutcomeRequest
from service.store.carried_out import (
    CarriedOut,
    Exported,
    activations_of,
    any_own_propensity,
    carried_out,
    rows_after,
    told_of,
)
from service.store.joining import JoinRules, joined
from service.store.records import microseconds
from service.store.settled import settled
from service.store.tables import decisions
from service.tenants import DEFAULT_TENANT

CHUNK_ROWS = 8192

_REQUEST = msgspec.json.Decoder(DecisionRequest)

_NO_OUTCOME = OutcomeRequest("none")


def logged_batches(
    engine: Engine,
    reward: Reward = DEFAULT_REWARD,
    chunk_rows: int = CHUNK_ROWS,
    *,
    tenant: str = DEFAULT_TENANT,
    rules: JoinRules = JoinRules(),  # noqa: B008
    counts: Exported | None = None,
    now: datetime | None = None,
) -> Iterator[LoggedBatch]:
    """All decisions of a merchant in the order of recording, each joined with its outcome.

    An outcome that came before in the same words is the same outcome, and changes nothing: a
    correction that takes an earlier one back differs from what it restores by its
    ``corrected_at``.

    Propensities and probabilities are those that were drawn with, bit for bit. Where a caller of
    ``rank`` did something else and said with what probability, that is the propensity, and the
    log has no column of all probabilities. Where some decision was part of a trial, there are the
    columns ``x_experiment`` and ``x_arm``. A decision without an outcome has a missing one; an
    outcome without a decision is left for a later export. Every batch has the same columns. What is
    recorded meanwhile is not included.

    Parameters
    ----------
    engine
        of the store.
    reward
        what an outcome is worth.
    chunk_rows
        decisions per batch.
    tenant
        whose decisions.
    rules
        how several outcomes become one, and what none means.
    counts
        takes what was left out or assumed.
    now
        UTC; by default the present.
    """
    counts = Exported() if counts is None else counts
    now_us = microseconds(datetime.now(UTC) if now is None else now)
    last = settled(engine, decisions)
    with engine.connect() as connection:
        kinds, features = _columns(connection, tenant, last)
        tried = _any_trial(connection, tenant, last)
        drawn = not any_own_propensity(connection, tenant)
        start = 0
        while rows := rows_after(connection, tenant, start, last, chunk_rows):
            end = rows[-1].number
            made = carried_out(rows, activations_of(connection, tenant, start, end), counts)
            told = told_of(connection, tenant, start, end)
            start = end
            if not made:
                continue
            came_back = []
            for each in made:
                name = each.row.decision_id
                found = joined(name, each.due_us, told.get(name, ()), rules, now_us)
                counts.decisions += 1
                counts.without_outcome += found.outcome is None
                counts.assumed_declined += found.assumed
                counts.late_outcomes += found.late
                came_back.append(found.outcome or _NO_OUTCOME)
            batch = batch_of(made, came_back, kinds, features, reward, drawn)
            yield _with_arms(batch, made) if tried else batch


def _columns(
    connection: Connection, tenant: str, last: int
) -> tuple[dict[str, Kind], dict[str, Kind]]:
    """Every column of the context and of the actions that some request has, and how to hold it.

    A custom column that is a string in any request is a category in all of them.
    """
    requests = (
        select(decisions.c.request)
        .where(decisions.c.number <= last, decisions.c.tenant == tenant)
        .execution_options(yield_per=CHUNK_ROWS)
    )
    return column_kinds(map(_REQUEST.decode, connection.scalars(requests)))


def column_kinds(
    requests: Iterable[DecisionRequest],
) -> tuple[dict[str, Kind], dict[str, Kind]]:
    """The columns that some requests have, of the context and of the actions, and their kinds."""
    kinds: dict[str, Kind] = {}
    features: dict[str, Kind] = {}
    for request in requests:
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


def batch_of(
    made: Sequence[CarriedOut],
    came_back: Sequence[OutcomeRequest],
    kinds: Mapping[str, Kind],
    features: Mapping[str, Kind],
    reward: Reward,
    drawn: bool,
) -> LoggedBatch:
    """Decisions that were carried out, with what came back, as rows of the log.

    Parameters
    ----------
    made, came_back
        of the same length.
    kinds, features
        the columns that the batch has, see :func:`column_kinds`.
    reward
        what an outcome is worth.
    drawn
        whether every decision took what was drawn, so that the probabilities of all its actions
        are those that it was taken with.
    """
    answers = [each.answer for each in made]
    requests = [each.request for each in made]
    rows = [each.row for each in made]
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
        chosen=np.array([_position(each) for each in made], np.int64),
        propensity=np.array([each.propensity for each in made], np.float64),
        probability=np.array(
            [action.probability for answer in answers for action in answer.actions], np.float64
        )
        if drawn
        else None,
        outcome=outcome,
        reward=np.full(len(rows), np.nan),
    )
    return replace(batch, reward=reward.of(batch))


def _any_trial(connection: Connection, tenant: str, last: int) -> bool:
    wanted = select(decisions.c.number).where(
        decisions.c.number <= last, decisions.c.tenant == tenant, decisions.c.arm.is_not(None)
    )
    return connection.scalar(wanted.limit(1)) is not None


def _with_arms(batch: LoggedBatch, made: Sequence[CarriedOut]) -> LoggedBatch:
    columns = {
        EXPERIMENT: _texts([each.row.experiment for each in made]),
        ARM: _texts([each.row.arm for each in made]),
    }
    return replace(batch, context={**batch.context, **columns})


def _features(request: DecisionRequest, answer: DecisionAnswer) -> list[dict[str, Any]]:
    """The features of every eligible action; an action that was not asked for has none."""
    asked = {(each.route, each.delay_s): each.features for each in request.actions or ()}
    return [asked.get((each.route, each.delay_s), {}) for each in answer.actions]


def _position(made: CarriedOut) -> int:
    """Place of the action that was taken among the eligible ones."""
    eligible = [(action.route, action.delay_s) for action in made.answer.actions]
    return eligible.index((made.route, made.delay_s))


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
