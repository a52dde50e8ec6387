"""Shares and their differences, with limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.console.rates import difference, share

TRIALS = st.integers(1, 100_000).flatmap(
    lambda whole: st.tuples(st.integers(0, whole), st.just(whole))
)


@given(TRIALS)
def test_a_share_lies_within_its_limits_and_these_within_0_and_1(trials: tuple[int, int]) -> None:
    found = share(*trials)
    assert found is not None
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@given(TRIALS, TRIALS)
def test_a_difference_turned_round_is_its_negative(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    there, back = difference(*one, *other), difference(*other, *one)
    assert there is not None
    assert back is not None
    assert there.low <= there.value <= there.high
    assert (back.low, back.value, back.high) == pytest.approx(
        (-there.high, -there.value, -there.low), abs=1e-12
    )


def test_the_limits_of_a_difference_are_those_of_the_paper() -> None:
    # Newcombe 1998, table II, (a): 56/70 - 48/80 by method 10.
    found = difference(56, 70, 48, 80)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert found.above
    assert not found.below


def test_nothing_is_said_of_nothing() -> None:
    assert share(0, 0) is None
    assert difference(1, 2, 0, 0) is None
