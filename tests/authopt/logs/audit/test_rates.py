"""Wilson's interval, by its published values and what must always hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from authopt.logs.audit.rates import wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (7, 10), (81, 263), (10, 10), (1, 1)])
def test_it_agrees_with_scipy(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    lower, upper = wilson(successes, trials)
    assert lower == pytest.approx(expected.low, abs=1e-12)
    assert upper == pytest.approx(expected.high, abs=1e-12)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_lies_within_0_and_1_around_the_rate(numbers: tuple[int, int]) -> None:
    successes, trials = numbers
    lower, upper = wilson(successes, trials)
    assert 0.0 <= lower <= successes / trials <= upper <= 1.0
    assert lower < upper


def test_nothing_has_no_interval() -> None:
    with pytest.raises(ValueError, match="no interval"):
        wilson(0, 0)
