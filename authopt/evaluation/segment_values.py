"""Which segment a decision is in: any column, amount bands, or several of them crossed."""

from __future__ import annotations

import itertools

import numpy as np

from authopt.batch import Categorical, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, Kind

MOST_SEGMENTS = 500
"""More values of a column than a reader could look at, or a correction for looking survive."""

MISSING = "(missing)"
CROSS = "+"
BETWEEN = " / "
ATTEMPT, AMOUNT_BAND = "attempt", "amount_band"

BANDS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000)
"""Lower ends of the amount bands, in minor units of the payment's currency."""

Segments = tuple[IntArray, tuple[str, ...]]
"""int64[n], index of each decision's segment, and the names of the segments."""


def segments_of(batch: LoggedBatch, name: str) -> Segments:
    """The segments of n decisions by a column, or by several (``network+attempt``).

    Parameters
    ----------
    batch
        n decisions.
    name
        ``attempt``, ``amount_band`` or a context column: names, flags, or whole numbers. Joined by
        ``+``, every combination is a segment.

    Raises
    ------
    UserError
        If there is no such column, or its values are no segments (references, fractions).
    """
    parts = [_used(*_single(batch, part.strip())) for part in name.split(CROSS)]
    codes, labels = parts[0]
    for more, names in parts[1:]:
        crossed = tuple(left + BETWEEN + right for left in labels for right in names)
        codes, labels = _used(codes * len(names) + more, crossed)
    return codes, labels


def _used(codes: IntArray, labels: tuple[str, ...]) -> Segments:
    """Without the labels that no decision has: a vocabulary may hold more than the rows do."""
    used = np.bincount(codes, minlength=len(labels)) > 0
    place = np.cumsum(used) - 1
    return place[codes], tuple(label for label, there in zip(labels, used, strict=True) if there)


def _single(batch: LoggedBatch, name: str) -> Segments:
    if name == ATTEMPT:
        return _numbers(batch.attempt.astype(np.float64), name)
    if name == AMOUNT_BAND:
        return _bands(_column(batch, "amount_minor", name))
    column = _column(batch, name, name)
    known = CONTEXT_BY_NAME.get(name)
    if isinstance(column, Categorical):
        codes = column.codes.astype(np.int64)
        if (codes < 0).any():
            return np.where(codes < 0, len(column.categories), codes), (
                *column.categories,
                MISSING,
            )
        return codes, column.categories
    if known is not None and known.kind is Kind.FLAG:
        codes = np.where(np.isnan(column), 2.0, column).astype(np.int64)
        return codes, ("no", "yes", MISSING)
    return _numbers(np.asarray(column, np.float64), name)


def _column(batch: LoggedBatch, name: str, asked: str) -> Categorical | FloatArray:
    column = batch.context.get(name)
    if column is None:
        raise UserError(
            f"the log has no column {name!r} to form segments by {asked!r}. Columns that it has: "
            f"{ATTEMPT}, {AMOUNT_BAND} (from amount_minor), {', '.join(batch.context)}"
        )
    if not isinstance(column, Categorical | np.ndarray) or (
        isinstance(column, np.ndarray) and column.dtype.kind == "M"
    ):
        raise UserError(
            f"cannot form segments by {name!r}: it is a reference or a time. Expected a column of "
            "names, flags or whole numbers"
        )
    return column if isinstance(column, Categorical) else np.asarray(column, np.float64)


def _numbers(values: FloatArray, name: str) -> Segments:
    missing = np.isnan(values)
    if not (missing | (values == np.floor(values))).all():
        raise UserError(
            f"cannot form segments by {name!r}: it has fractions. Add a column of bands to the log "
            "(x_...), and form segments by that"
        )
    used, codes = np.unique(values, return_inverse=True)
    return codes, tuple(MISSING if np.isnan(value) else f"{value:.0f}" for value in used.tolist())


def _bands(amount: Categorical | FloatArray) -> Segments:
    values = np.asarray(amount, np.float64)
    codes = np.searchsorted(np.array(BANDS, np.float64), values, side="right")
    codes[np.isnan(values)] = len(BANDS) + 1
    names = [f"under {BANDS[0]:,}"]
    names += [f"{low:,} to {high - 1:,}" for low, high in itertools.pairwise(BANDS)]
    return codes.astype(np.int64), (*names, f"{BANDS[-1]:,} and more", MISSING)
