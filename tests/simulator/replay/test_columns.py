"""Columns made of rows of others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Categorical
from simulator.replay.columns import replaced, rows_or_missing

ROWS = np.array([2, -1, 0])


def test_a_row_that_is_not_there_is_missing_in_every_kind_of_column() -> None:
    numbers = rows_or_missing(np.array([1.0, 2.0, 3.0]), ROWS)
    assert np.array_equal(np.asarray(numbers), [3.0, np.nan, 1.0], equal_nan=True)
    names = rows_or_missing(Categorical.from_values(["a", "b", "c"]), ROWS)
    assert isinstance(names, Categorical)
    assert names.values() == ["c", None, "a"]
    ids = rows_or_missing(pa.array(["a", "b", "c"]), ROWS)
    assert isinstance(ids, pa.Array)
    assert ids.to_pylist() == ["c", None, "a"]
    times = np.array(["2026-01-01", "2026-01-02", "2026-01-03"], "M8[us]")
    assert np.isnat(np.asarray(rows_or_missing(times, ROWS))).tolist() == [False, True, False]


def test_replaced_rows_bring_their_own_names() -> None:
    before = Categorical.from_values(["a", "b", None])
    after = replaced(before, np.array([0, 2]), Categorical.from_values(["z", "b"]))
    assert isinstance(after, Categorical)
    assert after.values() == ["z", "b", "b"]
    assert before.values() == ["a", "b", None]


def test_columns_of_different_kinds_do_not_mix() -> None:
    with pytest.raises(TypeError, match="replaced in part"):
        replaced(Categorical.from_values(["a"]), np.array([0]), np.array([1.0]))
