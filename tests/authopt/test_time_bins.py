"""Sums along time in bounded memory."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from authopt.time_bins import MOST_BINS, TimeBins

SECONDS = st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=60)


def bins_of(seconds: list[int], unit: int = 1) -> TimeBins:
    times = np.array(seconds, np.int64).astype("M8[s]")
    bins = TimeBins(2, maxima=1, unit=unit)
    values = np.array(seconds, np.float64)
    bins.add(times, np.stack([np.ones(len(seconds)), values]), values[None, :])
    return bins


@given(SECONDS, st.sampled_from([1, 60, 3600]))
def test_every_row_is_in_the_bin_that_its_time_is_in(seconds: list[int], unit: int) -> None:
    bins = bins_of(seconds, unit)
    starts, ends = bins.starts.astype(np.int64), bins.ends.astype(np.int64)
    for start, end, rows in zip(starts, ends, bins.sums[:, 0], strict=True):
        assert rows == sum(start <= second < end for second in seconds)
    assert bins.sums[:, 1].sum() == sum(seconds)


@given(SECONDS, SECONDS)
def test_bins_of_parts_add_up_to_the_bins_of_the_whole(left: list[int], right: list[int]) -> None:
    whole, parts = bins_of(left + right), bins_of(right) + bins_of(left)
    assert (parts.starts == whole.starts).all()
    assert np.allclose(parts.sums, whole.sums)
    assert (parts.largest == whole.largest).all()
    assert (parts.first, parts.last) == (whole.first, whole.last)


def test_bins_widen_until_they_are_few_enough() -> None:
    bins = bins_of([10 * second for second in range(3 * MOST_BINS)])
    assert MOST_BINS / 2 < len(bins) <= MOST_BINS
    assert bins.sums[:, 0].sum() == 3 * MOST_BINS


def test_merging_widens_bins_in_any_order() -> None:
    narrow = bins_of(list(range(3_000)))
    wide = bins_of([1_000 * second for second in range(5_000)])
    for merged in (narrow + wide, wide + narrow):
        assert len(merged) == len(wide) <= MOST_BINS
        assert merged.sums[:, 0].sum() == 8_000
        assert merged.sums[:, 1].sum() == sum(range(3_000)) + 1_000 * sum(range(5_000))


def test_stretches_hold_about_equally_many_rows() -> None:
    bins = bins_of(list(range(1_000)))
    stretches = bins.equal_rows(7, 1.0)
    rows = [bins.sums[some, 0].sum() for some in stretches]
    assert len(rows) == 7
    assert max(rows) - min(rows) <= 2


def test_there_is_no_stretch_with_too_few_rows() -> None:
    assert len(bins_of(list(range(250))).equal_rows(8, 100.0)) == 2


def test_bins_come_back_from_their_state() -> None:
    bins = bins_of([5, 70, 4_000], unit=60)
    again = TimeBins.from_state(bins.state())
    assert (again.starts == bins.starts).all()
    assert (again.sums == bins.sums).all()
    assert (again.first, again.last, again.unit) == (bins.first, bins.last, 60)


def test_nothing_added_up_has_no_stretches() -> None:
    bins = TimeBins(1)
    assert len(bins) == 0
    assert bins.equal_rows(8, 1.0) == []
    assert (bins + bins).first is None
