"""Payments of one kind: the combinations of context values that a bandit keeps apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from authopt.batch import (
    BoolArray,
    Categorical,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
    TimeArray,
)
from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, Kind
from authopt.policies.best_route import is_shortest_delay

Key: TypeAlias = tuple[str | None, ...]
"""One value per dimension; None where it is missing."""

_BITS = 31
"""Routes whose presence goes into one number: with the row's own number it fits into 63 bits."""


def check_dimensions(policy: str, dimensions: tuple[str, ...]) -> None:
    """Refuse what is no column of names.

    Raises
    ------
    UserError
        If a dimension is named twice, or is neither a category of the log's own nor a column that
        the user adds.
    """
    for name in dimensions:
        known = CONTEXT_BY_NAME.get(name)
        if not name.startswith(CUSTOM_PREFIX) and (not known or known.kind != Kind.CATEGORY):
            names = [each.name for each in CONTEXT_BY_NAME.values() if each.kind == Kind.CATEGORY]
            raise UserError(
                f"{policy} cannot have the dimension {name!r}; expected one of "
                f"{', '.join(names)}, or a column {CUSTOM_PREFIX}... of your own"
            )
    twice = sorted({name for name in dimensions if dimensions.count(name) > 1})
    if twice:
        raise UserError(f"{policy} has the dimension {', '.join(twice)} more than once")


def check_keys(policy: str, keys: Sequence[Key], dimensions: tuple[str, ...]) -> None:
    """Refuse the segments of a file that do not fit its dimensions.

    Raises
    ------
    UserError
        If one has another number of values, or is there twice.
    """
    for key in keys:
        if len(key) != len(dimensions):
            raise UserError(
                f"a segment of {policy} has {len(key)} values; expected one for each of "
                f"{', '.join(dimensions) or 'no dimension'}"
            )
    if len(set(keys)) < len(keys):
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise UserError(f"the segment {twice} of {policy} is there twice")


def keys_of(batch: DecisionBatch, dimensions: tuple[str, ...]) -> tuple[list[Key], IntArray]:
    """The combinations of values that occur, and int64[n], which of them each decision has.

    A dimension that the batch lacks, or holds as numbers, is missing in every decision.
    """
    found = [batch.context.get(name) for name in dimensions]
    columns = [column if isinstance(column, Categorical) else None for column in found]
    combined = np.zeros(batch.n, np.int64)
    for column in columns:
        # Renumbered after every column, so that the product of vocabularies cannot overflow.
        size = 1 if column is None else len(column.categories) + 1
        code = 0 if column is None else column.codes.astype(np.int64) + 1
        combined = np.unique(combined * size + code, return_inverse=True)[1].reshape(-1)
    _, first, row = np.unique(combined, return_index=True, return_inverse=True)
    values = [[None] * len(first) if each is None else each[first].values() for each in columns]
    return list(zip(*values, strict=True)) if values else [()] * len(first), row.reshape(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What became known of attempts, oldest first: r outcomes.

    Attributes
    ----------
    keys
        combinations of values; may hold some that no outcome has.
    segment
        int64[r], index into ``keys``.
    routes
        vocabulary of routes.
    route
        int64[r], index into ``routes``.
    reward
        float64[r].
    decided_at
        datetime64[us][r].
    """

    keys: list[Key]
    segment: IntArray
    routes: tuple[str, ...]
    route: IntArray
    reward: FloatArray
    decided_at: TimeArray

    def __len__(self) -> int:
        return len(self.reward)


def outcomes_of(batch: LoggedBatch, dimensions: tuple[str, ...]) -> Outcomes:
    """The known outcomes of a batch; ``stop``, and rows without a reward, teach nothing."""
    known = np.isfinite(batch.reward) & ~batch.is_stop[batch.chosen_action]
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(batch.decided_at[rows], kind="stable")]
    keys, segment = keys_of(batch, dimensions)
    route = batch.action_route[batch.chosen_action[rows]].astype(np.int64)
    return Outcomes(
        keys, segment[rows], batch.routes, route, batch.reward[rows], batch.decided_at[rows]
    )


def unit_outcomes_of(policy: str, batch: LoggedBatch, dimensions: tuple[str, ...]) -> Outcomes:
    """As :func:`outcomes_of`, for a policy that counts successes.

    Raises
    ------
    UserError
        If a reward is below 0 or above 1.
    """
    outcomes = outcomes_of(batch, dimensions)
    wrong = np.flatnonzero((outcomes.reward < 0.0) | (outcomes.reward > 1.0))
    if len(wrong):
        raise UserError(
            f"{policy} counts successes: it takes rewards from 0 to 1, and an attempt has "
            f"{outcomes.reward[wrong[0]]:g}. Let it learn from approvals"
        )
    return outcomes


@dataclass(frozen=True, slots=True, eq=False)
class Contexts:
    """The c different questions that a batch asks: a segment and the routes it may take.

    Attributes
    ----------
    keys
        combinations of values.
    key
        int64[c], index into ``keys``.
    eligible
        bool[c, R] over the batch's vocabulary of routes; ``stop`` only where nothing else is.
    context
        int64[n], the question that each decision asks.
    """

    keys: list[Key]
    key: IntArray
    eligible: BoolArray
    context: IntArray


def contexts_of(batch: DecisionBatch, dimensions: tuple[str, ...]) -> Contexts:
    """What the decisions of a batch have in common, so that each question is answered once."""
    keys, row = keys_of(batch, dimensions)
    present = np.zeros((batch.n, len(batch.routes)), np.bool_)
    decision = batch.decision_of_action
    stop = batch.is_stop
    present[decision[~stop], batch.action_route[~stop]] = True
    routed = np.asarray(present.any(axis=1))
    only_stop = stop & ~routed[decision]
    present[decision[only_stop], batch.action_route[only_stop]] = True
    combined = row
    for start in range(0, len(batch.routes), _BITS):
        some = present[:, start : start + _BITS]
        bits = some @ (np.int64(1) << np.arange(some.shape[1], dtype=np.int64))
        combined = np.unique((combined << _BITS) + bits, return_inverse=True)[1].reshape(-1)
    _, first, context = np.unique(combined, return_index=True, return_inverse=True)
    return Contexts(keys, row[first], present[first], context.reshape(-1))


def spread(batch: DecisionBatch, contexts: Contexts, share: FloatArray) -> FloatArray:
    """float64[m]: each route's share (float64[c, R]) on its shortest delay."""
    context = np.repeat(contexts.context, batch.counts)
    return np.asarray(share[context, batch.action_route] * is_shortest_delay(batch))


def best_shares(score: FloatArray, eligible: BoolArray) -> FloatArray:
    """float64[c, R], 1 on each row's best eligible route, shared where several are equally good.

    Parameters
    ----------
    score
        float64[c, R]; higher is better, may be infinite, not NaN.
    eligible
        bool[c, R], at least one in each row.
    """
    score = np.where(eligible, score, -np.inf)
    best = (score == score.max(axis=1, keepdims=True)) & eligible
    return np.asarray(best / best.sum(axis=1, keepdims=True))
