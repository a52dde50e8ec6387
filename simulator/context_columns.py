"""Context columns of a batch as arrays of places and numbers, as the worlds read them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray


def codes_of(batch: DecisionBatch, name: str, values: Sequence[str]) -> IntArray:
    """int64[n], a context column of names as places in ``values``; -1 where it is none of them."""
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.full(batch.n, -1, np.int64)
    return places_in(column, values)


def places_in(column: Categorical, values: Sequence[str]) -> IntArray:
    """int64[n], the places of a column's names in ``values``; -1 where it is none of them."""
    # A world's own columns share its vocabularies, which saves making a table.
    same = column.categories is values
    return (column.codes if same else column.recode(values)).astype(np.int64)


def numbers_of(batch: DecisionBatch, name: str) -> FloatArray:
    """float64[n], a context column of numbers; NaN where it is missing."""
    column = batch.context.get(name)
    return np.full(batch.n, np.nan) if column is None else np.asarray(column, np.float64)
