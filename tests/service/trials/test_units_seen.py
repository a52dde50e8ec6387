"""Units count once, and their arms in the right shares even where not all are remembered."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from authopt.experiments.assignment import Assignment
from authopt.hashing import hash_strings
from service.trials.units_seen import MOST_UNITS, UnitsSeen


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 1)), max_size=30), st.data())
def test_what_is_saved_goes_on_as_it_was(units: list[tuple[int, int]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(units)))
    whole, part = UnitsSeen(), UnitsSeen()
    whole.add(units)
    part.add(units[:cut])
    part = UnitsSeen.restored(part.saved())
    part.add(units[cut:])
    assert whole == part


def test_a_unit_counts_once() -> None:
    seen = UnitsSeen()
    for _ in range(3):
        seen.add([(5, 0), (6, 1), (7, 1)])
    assert seen.counts(2).tolist() == [1, 2]


def test_many_units_are_remembered_in_part_and_in_the_planned_shares() -> None:
    units = pa.array([f"card-{number}" for number in range(50_000)], pa.string())
    arms = Assignment("s", ("a", "b"), (3, 1)).arms_of(units)
    seen = UnitsSeen()
    seen.add(zip(hash_strings(units).tolist(), arms.tolist(), strict=True))
    counts = seen.counts(2)
    assert MOST_UNITS / 4 < counts.sum() <= MOST_UNITS
    assert stats.chisquare(counts, counts.sum() * np.array([0.75, 0.25])).pvalue > 0.001
