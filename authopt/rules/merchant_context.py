"""What the merchant's rules read of a batch, with what is not known kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from authopt.batch import (
    BoolArray,
    Categorical,
    CodeArray,
    DecisionBatch,
    FloatArray,
    IntArray,
    TimeArray,
)

Found: TypeAlias = npt.NDArray[np.int8]
"""int8[m], which of a rule's texts says why an action is forbidden; -1 where it is allowed. A rule
may answer None where it is plain at once that it forbids nothing."""

ALLOWED = -1
BROKEN = 0
NOT_KNOWN = 1

PER_HOUR = np.timedelta64(1, "h")


def number(batch: DecisionBatch, name: str) -> FloatArray:
    """float64[n], a context column; NaN where it is missing."""
    column = batch.context.get(name)
    missing = column is None or isinstance(column, Categorical)
    return np.full(batch.n, np.nan) if missing else np.asarray(column, np.float64)


def place(batch: DecisionBatch, name: str, values: Sequence[str]) -> CodeArray:
    """int32[n], the place of a context column's value among ``values``.

    -1 where it is another value, -2 where it is missing.
    """
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.full(batch.n, -2, np.int32)
    codes = column.recode(values)
    codes[column.codes < 0] = -2
    return codes


def feature(batch: DecisionBatch, name: str) -> FloatArray:
    """float64[m], a feature of the actions; NaN where it is missing."""
    column = batch.action_features.get(name)
    missing = column is None or isinstance(column, Categorical)
    return np.full(batch.m, np.nan) if missing else np.asarray(column, np.float64)


def by_route(batch: DecisionBatch, route: str) -> BoolArray:
    """bool[m], where the action takes the route."""
    code = batch.routes.index(route) if route in batch.routes else -1
    return np.asarray(batch.action_route == code)


def attempt_at(batch: DecisionBatch, rows: IntArray) -> TimeArray:
    """datetime64[us][rows], when the attempts of some actions would be sent, UTC."""
    decided_at = batch.decided_at[batch.decision_of_action[rows]]
    return decided_at + batch.action_delay_s[rows] * np.timedelta64(1_000_000, "us")


def found(broken: BoolArray, not_known: BoolArray | None = None) -> Found:
    """``BROKEN`` where a rule is broken, else ``NOT_KNOWN`` where it cannot be told."""
    result = np.full(len(broken), ALLOWED, np.int8)
    if not_known is not None:
        result[not_known] = NOT_KNOWN
    result[broken] = BROKEN
    return result
