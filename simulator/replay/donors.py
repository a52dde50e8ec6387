"""What the log tells of attempts like one that it did not make: a donor row (hot deck).

A model says with which chance an attempt is approved. What else comes back with it (codes, time
taken), and how the payment goes on, is copied as a whole from one logged attempt of the same end
and as like as can be found, so that it fits together. Donors are drawn among the rows of the first
of several classes, narrow to wide, that has enough of them (random hot-deck imputation: Andridge
and Little, "A Review of Hot Deck Imputation for Survey Non-response", 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, Categorical, FloatArray, IntArray, LoggedBatch
from authopt.hashing import UIntArray

ENOUGH = 5
"""Rows that a class has to have, unless it is the widest."""

DECLINES = (
    "route network currency initiator merchant_id issuer attempt previous_response_code",
    "route network currency initiator attempt previous_response_code",
    "network currency initiator attempt previous_response_code",
    "network currency initiator attempt",
    "network currency initiator",
    "network currency",
    "currency",
    "",
)
APPROVALS = ("route network currency merchant_id", "route network", "route", "")
"""Columns whose values are the same throughout a class, narrow classes first."""

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """One way to class rows: the keys of the donors in order, and the row of each."""

    columns: tuple[str, ...]
    keys: UIntArray
    rows: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Donors:
    """Rows of a log, by classes.

    Attributes
    ----------
    log
        whose rows they are.
    levels
        classes, narrow ones first.
    """

    log: LoggedBatch
    levels: tuple[_Level, ...]

    def draw(self, batch: LoggedBatch, uniform: FloatArray) -> IntArray:
        """int64[k], a row of the log for every decision with its action; -1 if there is none.

        Parameters
        ----------
        batch
            k decisions and what was done.
        uniform
            float64[k] in [0, 1), which of a class is taken.
        """
        found = np.full(batch.n, -1, np.int64)
        for number, level in enumerate(self.levels):
            open_ = np.flatnonzero(found < 0)
            if not len(open_):
                break
            keys = _keys(self.log, batch, level.columns)[open_]
            begin = np.searchsorted(level.keys, keys, side="left")
            count = np.searchsorted(level.keys, keys, side="right") - begin
            enough = count >= (1 if number == len(self.levels) - 1 else ENOUGH)
            at = begin + (uniform[open_] * count).astype(np.int64)
            found[open_[enough]] = level.rows[at[enough]]
        return found


def donors_among(log: LoggedBatch, rows: BoolArray, classes: tuple[str, ...]) -> Donors:
    """The rows of a log where ``rows`` (bool[n]) holds, by classes."""
    those = np.flatnonzero(rows)
    levels = []
    for names in classes:
        columns = tuple(names.split())
        keys = _keys(log, log, columns)[those]
        order = np.argsort(keys, kind="stable")
        levels.append(_Level(columns, keys[order], those[order]))
    return Donors(log, tuple(levels))


def _keys(log: LoggedBatch, batch: LoggedBatch, columns: tuple[str, ...]) -> UIntArray:
    """uint64[k], the class of every decision; vocabularies are the log's."""
    keys = np.zeros(batch.n, np.uint64)
    for name in columns:
        keys = (keys ^ _codes(log, batch, name).astype(np.uint64)) * _ODD
    return keys


def _codes(log: LoggedBatch, batch: LoggedBatch, name: str) -> IntArray:
    if name == "attempt":
        return batch.attempt.astype(np.int64)
    if name == "route":
        taken = batch.action_route[batch.chosen_action]
        return Categorical(taken, batch.routes).recode(log.routes).astype(np.int64)
    known, column = log.context.get(name), batch.context.get(name)
    if not isinstance(known, Categorical) or not isinstance(column, Categorical):
        return np.zeros(batch.n, np.int64)
    return column.recode(known.categories).astype(np.int64)
