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
