"""How many different values there are: exact while they are few, close when they are many."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.distinct import DistinctCount
from authopt.hashing import UIntArray, salted


def hashes(start: int, stop: int) -> UIntArray:
    return salted(np.arange(start, stop).astype(np.uint64), "distinct")


def test_distinct_values_are_counted_exactly_up_to_a_limit() -> None:
    count = DistinctCount()
    for _ in range(3):
        count.add(hashes(0, 20_000))
    assert count.exact
    assert count.count() == 20_000


def test_beyond_the_limit_the_count_is_within_two_percent_and_says_so() -> None:
    left, right = DistinctCount(), DistinctCount()
    left.add(hashes(0, 300_000))
    for start in range(200_000, 500_000, 10_000):
        right.add(hashes(start, start + 10_000))
    merged = left + right
    assert not merged.exact
    assert merged.count() == pytest.approx(500_000, rel=0.02)


@pytest.mark.parametrize("size", [20_000, 300_000])
def test_a_count_goes_on_from_its_state(size: int) -> None:
    whole, begun = DistinctCount(), DistinctCount()
    whole.add(hashes(0, size))
    begun.add(hashes(0, size // 2))
    resumed = DistinctCount.from_state(begun.state())
    assert resumed.exact == begun.exact
    resumed.add(hashes(size // 2, size))
    assert resumed.count() == whole.count()


def test_many_repetitions_of_few_values_are_counted_exactly() -> None:
    count = DistinctCount()
    for _ in range(20):
        count.add(np.tile(hashes(0, 50), 2_000))
    count.add(hashes(0, 30_000))
    assert count.exact
    assert count.count() == 30_000


def test_the_order_of_the_values_makes_no_difference() -> None:
    values = hashes(0, 200_000)
    counts = []
    for ordered in (values, np.sort(values), np.sort(values)[::-1]):
        count = DistinctCount()
        for part in np.array_split(ordered, 7):
            count.add(part)
        counts.append(count.count())
    assert len(set(counts)) == 1
