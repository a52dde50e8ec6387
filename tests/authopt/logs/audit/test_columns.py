"""Columns: which there are, how much is missing, how many different values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical
from authopt.logs.audit.columns import ColumnSums
from tests.authopt.logs.audit.faulty import with_context, with_outcome
from tests.factories import logged_batch


def test_missing_and_distinct_values_are_counted_over_chunks() -> None:
    batch = with_context(
        logged_batch(6),
        issuer=Categorical.from_values(["a", None, "b", "a", None, "c"]),
        card_ref=pa.array(["x", "y", None, "x", "z", "z"]),
        local_hour=np.array([1.0, np.nan, 2.0, 3.0, 4.0, np.nan]),
    )
    batch = with_outcome(batch, outcome_at=np.array([batch.decided_at[0]] * 5 + ["NaT"], "M8[us]"))
    batch = replace(batch, action_features={"rate": np.r_[np.full(batch.m - 2, 0.5), [np.nan] * 2]})
    whole, left, right = ColumnSums(), ColumnSums(), ColumnSums()
    whole.add(batch)
    left.add(batch.take(slice(0, 2)))
    right.add(batch.take(slice(2, 6)))
    assert (right + left).report() == whole.report()
    found = {column.name: column for column in whole.report()}
    assert (found["issuer"].missing, found["issuer"].distinct) == (2, 3)
    assert (found["card_ref"].missing, found["card_ref"].distinct) == (1, 3)
    assert (found["local_hour"].missing, found["local_hour"].distinct) == (2, None)
    assert found["outcome_at"].missing == 1
    assert (found["eligible_rate"].missing, found["eligible_rate"].rows) == (2, batch.m)
    assert "bin" in whole.absent()
    assert "issuer" not in whole.absent()


def test_a_column_that_a_part_lacks_is_missing_there() -> None:
    one, two = ColumnSums(), ColumnSums()
    one.add(with_context(logged_batch(4), mcc=Categorical.from_values(["5411"] * 4)))
    two.add(logged_batch(10))
    found = {column.name: column for column in (one + two).report()}
    assert (found["mcc"].rows, found["mcc"].missing) == (14, 10)
