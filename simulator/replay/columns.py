"""Columns from rows of another column, and columns with some of their rows replaced."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, IntArray


def rows_or_missing(column: Column, rows: IntArray) -> Column:
    """The chosen rows of a column of at least one row; a missing value where a row is -1."""
    missing, at = rows < 0, np.maximum(rows, 0)
    if isinstance(column, Categorical):
        return Categorical(np.where(missing, -1, column.codes[at]), column.categories)
    if isinstance(column, pa.Array):
        return column.take(pa.array(at, mask=missing))
    nothing = np.datetime64("NaT") if column.dtype.kind == "M" else np.nan
    return np.where(missing, nothing, column[at])


def replaced(column: Column, rows: IntArray, values: Column) -> Column:
    """The column with ``values`` at ``rows``; vocabularies are united."""
    if isinstance(column, Categorical) and isinstance(values, Categorical):
        categories = tuple(dict.fromkeys([*column.categories, *values.categories]))
        codes = column.codes.copy()
        codes[rows] = values.recode(categories)
        return Categorical(codes, categories)
    if isinstance(column, np.ndarray) and isinstance(values, np.ndarray):
        changed = column.copy()
        changed[rows] = values
        return changed
    raise TypeError("only columns of names, numbers and times can be replaced in part")
