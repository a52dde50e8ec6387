"""The token bucket: never more than granted, and what is granted comes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.security.rate_limit import RateLimits


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.floats(0.1, 50.0),
    workers=st.integers(1, 4),
    pauses=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=80),
)
def test_no_more_is_granted_than_a_burst_and_what_time_brings(
    rate: float, workers: int, pauses: list[float]
) -> None:
    clock = Clock()
    limits = RateLimits(workers, clock)
    granted = 0
    for pause in pauses:
        clock.now += pause
        granted += limits.wait_s("k", rate) == 0.0
    share = rate / workers
    assert granted <= max(1.0, share) + share * clock.now + 1e-6


@given(rate=st.floats(0.1, 50.0), asked=st.integers(1, 60))
def test_the_wait_that_is_told_is_enough(rate: float, asked: int) -> None:
    clock = Clock()
    limits = RateLimits(1, clock)
    for _ in range(asked):
        wait_s = limits.wait_s("k", rate)
    if wait_s > 0.0:
        clock.now += wait_s + 1e-9
        assert limits.wait_s("k", rate) == 0.0


def test_keys_have_limits_of_their_own() -> None:
    limits = RateLimits(1, Clock())
    assert limits.wait_s("a", 1.0) == 0.0
    assert limits.wait_s("a", 1.0) == pytest.approx(1.0)
    assert limits.wait_s("b", 1.0) == 0.0
