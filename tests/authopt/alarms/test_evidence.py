"""Evidence that a share has risen: bounded false alarms, and alarms when it has."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.alarms.evidence import Evidence, log_ratio

BOUND, OTHERS = 0.2, [0.3, 0.6]


@given(st.floats(0.01, 0.98), st.data())
def test_a_ratio_has_an_expectation_of_at_most_one_for_any_values_of_a_small_enough_mean(
    bound, data
):
    other = data.draw(st.floats(bound, 0.99))
    values = data.draw(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6))
    mean = sum(values) / len(values)
    if mean > bound:
        values = [each * bound / mean for each in values]

    ratios = [math.exp(log_ratio(1.0, each, bound, other)) for each in values]

    assert sum(ratios) / len(ratios) <= 1.0 + 1e-9


def _minutes_to(threshold, rng, share, most=4_000):
    evidence = Evidence()
    for minute in range(1, most + 1):
        n = int(rng.integers(0, 12))
        bad = float(rng.binomial(n, share))
        evidence.add(minute, float(n), bad, 0.1, BOUND, OTHERS, math.log(threshold) / 2)
        if evidence.total >= threshold:
            return minute
    return most


def test_the_mean_time_to_a_false_alarm_is_at_least_the_threshold():
    rng = np.random.default_rng(1)

    times = [_minutes_to(100.0, rng, BOUND) for _ in range(60)]

    assert np.mean(times) >= 100.0


def test_a_share_that_has_risen_is_found_within_minutes():
    rng = np.random.default_rng(2)

    times = [_minutes_to(1e6, rng, 0.7) for _ in range(20)]

    assert max(times) <= 12


def test_no_single_minute_raises_an_alarm_alone():
    evidence = Evidence()

    evidence.add(0, 1e6, 1e6, 0.1, BOUND, OTHERS, math.log(1e6) / 2)

    assert evidence.total == pytest.approx(1e3)


def test_a_change_is_dated_to_its_first_minute():
    evidence = Evidence()
    for minute in range(50):
        evidence.add(minute, 10.0, 1.0 if minute < 45 else 8.0, 0.1, BOUND, OTHERS, 7.0)

    assert evidence.since.start_us == 45
    assert (evidence.since.n, evidence.since.bad) == (50.0, 40.0)
    assert evidence.since.usual == pytest.approx(5.0)
