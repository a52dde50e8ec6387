"""Limits of a mean whose expectation moves from row to row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import FloatArray
from authopt.evaluation.replay.limits import betting, normal
from authopt.evaluation.replay.sums import BASES, CapitalSums, CurveSums, RatioSums


def capital(outcomes: FloatArray, largest: float = 0.0) -> CapitalSums:
    sums = CapitalSums(np.asarray(BASES + largest))
    sums.add(outcomes, outcomes)
    return sums


def improving(rng: np.random.Generator, n: int) -> tuple[FloatArray, float]:
    """Coins of a learner that feeds on its luck: the more heads so far, the better it gets."""
    outcomes, values = np.zeros(n), np.zeros(n)
    heads = 0.0
    for row in range(n):
        values[row] = 0.3 + 0.6 * heads / (row + 1)
        outcomes[row] = rng.random() < values[row]
        heads += outcomes[row]
    return outcomes, float(values.mean())


def test_betting_limits_cover_the_mean_of_values_that_depend_on_the_past() -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(300):
        outcomes, truth = improving(rng, 150)
        lower, upper = betting(capital(outcomes), 150, 1.0, 0.9)
        missed += not lower <= truth <= upper
    # Binomial(300, 0.1) exceeds 45 with probability 0.003.
    assert missed <= 45


def test_betting_limits_cover_with_few_rows_and_heavy_weights() -> None:
    rng = np.random.default_rng(4)
    largest, rows, n = 40.0, 300, 400
    missed = widths = 0.0
    for _ in range(n):
        weight = np.where(rng.random(rows) < 1.0 / largest, largest, 0.0)
        outcomes = weight * (rng.random(rows) < 0.9)
        lower, upper = betting(capital(outcomes, largest), rows, largest, 0.95)
        missed += not lower <= 0.9 <= upper
        widths += (upper - lower) / n
    # Binomial(400, 0.05) exceeds 34 with probability 0.001.
    assert missed <= 34
    assert widths < 0.95


def test_normal_limits_cover_with_many_rows() -> None:
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(300):
        outcomes, truth = improving(rng, 400)
        sums = RatioSums()
        sums.add(outcomes, np.ones(400), outcomes)
        limits = normal(sums, 0.9, gain=False)
        assert limits is not None
        missed += not limits[0] <= truth <= limits[1]
    assert missed <= 45


def test_betting_limits_are_not_much_wider_than_normal_ones_with_many_rows() -> None:
    outcomes = (np.random.default_rng(6).random(20_000) < 0.7).astype(np.float64)
    lower, upper = betting(capital(outcomes), 20_000, 1.0, 0.95)
    sums = RatioSums()
    sums.add(outcomes, np.ones(20_000), outcomes)
    limits = normal(sums, 0.95, gain=False)
    assert limits is not None
    assert upper - lower < 1.6 * (limits[1] - limits[0])


def test_with_one_base_the_limits_have_a_closed_form() -> None:
    outcomes = (np.arange(200) % 5 > 0).astype(np.float64)
    base, n, against = 8.0, 200, np.log(2.0 / 0.05)
    sums = CapitalSums(np.array([base]))
    sums.add(outcomes, outcomes)
    lower, upper = betting(sums, None, 1.0, 0.95)
    heads, tails = (np.log1p(each / base).sum() for each in (outcomes, 1.0 - outcomes))
    assert lower == pytest.approx(base * np.expm1((heads - against) / n), abs=1e-9)
    assert upper == pytest.approx(1.0 - base * np.expm1((tails - against) / n), abs=1e-9)


def test_without_rows_nothing_is_ruled_out() -> None:
    assert betting(capital(np.zeros(0)), 100, 1.0, 0.95) == (0.0, 1.0)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60), st.floats(0.5, 0.999))
def test_limits_lie_within_the_range_hold_the_mean_and_have_a_width(
    outcomes: list[float], confidence: float
) -> None:
    lower, upper = betting(capital(np.array(outcomes)), 50, 1.0, confidence)
    assert 0.0 <= lower < upper <= 1.0
    assert lower - 1e-9 <= np.mean(outcomes) <= upper + 1e-9


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60))
def test_limits_of_mirrored_outcomes_are_mirrored(outcomes: list[float]) -> None:
    lower, upper = betting(capital(np.array(outcomes)), 50, 1.0, 0.95)
    mirrored = betting(capital(1.0 - np.array(outcomes)), 50, 1.0, 0.95)
    assert mirrored == pytest.approx((1.0 - upper, 1.0 - lower), abs=1e-9)


def test_more_of_the_same_narrows_the_limits() -> None:
    outcomes = (np.arange(100) % 4 > 0).astype(np.float64)
    widths = []
    for times in (1, 4, 16):
        lower, upper = betting(capital(np.tile(outcomes, times)), 100 * times, 1.0, 0.95)
        widths.append(upper - lower)
    assert widths == sorted(widths, reverse=True)
    assert widths[2] < 0.4 * widths[0]


def test_constant_rows_have_no_normal_limits() -> None:
    sums = RatioSums()
    sums.add(np.ones(50), np.ones(50), np.ones(50))
    assert normal(sums, 0.95, gain=False) is None


def test_the_gain_of_what_was_logged_itself_is_nothing_and_does_not_vary() -> None:
    reward = (np.arange(50) % 3 > 0).astype(np.float64)
    sums = RatioSums()
    sums.add(reward, np.ones(50), reward)
    assert normal(sums, 0.95, gain=True) is None
    assert normal(sums, 0.95, gain=False) is not None


@given(st.integers(1, 5000), st.integers(1, 7))
def test_a_curve_keeps_every_row_in_bounded_memory(accepted: int, pieces: int) -> None:
    before = np.arange(accepted, dtype=np.int64)
    curve = CurveSums()
    for part in np.array_split(before, pieces):
        curve.add(part, np.ones(len(part)), np.full(len(part), 2.0))
    whole = CurveSums()
    whole.add(before, np.ones(accepted), np.full(accepted, 2.0))
    assert curve.size == whole.size
    assert np.array_equal(curve.sums, whole.sums)
    assert curve.sums[:, 0].sum() == accepted
    assert len(curve.sums) == 20
