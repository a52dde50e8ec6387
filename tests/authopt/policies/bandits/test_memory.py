from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.policies.bandits.cells import age_in_segment
from authopt.policies.bandits.memory import Discounted, Memory, Windowed
from authopt.policies.bandits.segments import Key, Outcomes
from tests.authopt.policies.batches import START

KEYS: list[Key] = [("visa",), ("amex",), (None,)]
ROUTES = ("a", "b")

Row = tuple[int, int, int]
rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 1)), max_size=40)


def outcomes(given: list[Row]) -> Outcomes:
    segment, route, reward = np.array(given, np.int64).reshape(-1, 3).T
    time = START + np.arange(len(given)) * np.timedelta64(1, "s")
    return Outcomes(KEYS, segment, ROUTES, route, reward.astype(np.float64), time)


def by_the_paper(
    given: list[Row], discount: float, window: int | None
) -> dict[tuple[int, int], tuple[float, float]]:
    """Attempts and successes of each segment and route, summed outcome by outcome."""
    sums = {}
    for segment in range(3):
        rounds = [row for row in given if row[0] == segment]
        last = rounds[-window:] if window else rounds
        for route in range(2):
            weighted = [
                (discount ** (len(last) - 1 - age), reward)
                for age, (_, taken, reward) in enumerate(last)
                if taken == route
            ]
            attempts = sum(weight for weight, _ in weighted)
            sums[segment, route] = attempts, sum(weight * reward for weight, reward in weighted)
    return sums


@pytest.mark.parametrize(("discount", "window"), [(0.8, None), (1.0, None), (1.0, 5), (1.0, 1)])
@given(given_rows=rows, cut=st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_each_segment_counts_its_own_rounds(
    discount: float, window: int | None, given_rows: list[Row], cut: int
) -> None:
    memory: Memory = Windowed(window) if window else Discounted(discount)
    for part in (given_rows[:cut], given_rows[cut:]):
        memory.add(outcomes(part))
    attempts, successes, rounds = memory.read(KEYS, ROUTES)
    expected = by_the_paper(given_rows, discount, window)
    for (segment, route), (tried, approved) in expected.items():
        assert attempts[segment, route] == pytest.approx(tried)
        assert successes[segment, route] == pytest.approx(approved)
    assert rounds == pytest.approx(attempts.sum(axis=1))


@pytest.mark.parametrize("memory", [Discounted(0.5), Windowed(3)])
def test_what_was_never_seen_has_no_attempts(memory: Memory) -> None:
    memory.add(outcomes([(0, 0, 1)]))
    attempts, _, rounds = memory.read([("visa",), ("jcb",)], ("b", "new", "a"))
    assert attempts.tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert rounds.tolist() == [1.0, 0.0]


@given(st.lists(st.integers(0, 3), max_size=30))
def test_ages_count_the_later_rows_of_the_same_segment(segments: list[int]) -> None:
    ages = age_in_segment(np.array(segments, np.int64))
    assert ages.tolist() == [
        segments[place + 1 :].count(segment) for place, segment in enumerate(segments)
    ]


def test_ways_to_forget_have_bounds() -> None:
    for wrong in (0.0, 1.1, float("nan")):
        with pytest.raises(UserError, match="discount"):
            Discounted(wrong)
    with pytest.raises(UserError, match="window"):
        Windowed(0)
