"""The limits of a canary's difference, by betting on tallies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from authopt.errors import UserError
from authopt.rollout import harm
from authopt.rollout.expected import expected_rates
from authopt.rollout.harm import (
    Tallies,
    log_wealth,
    log_wealth_along,
    lower_limit,
    upper_limit,
)

SHARE = 0.05


def tallies(
    live: tuple[float, float], canary: tuple[float, float], expected: float = 0.93
) -> Tallies:
    return Tallies.of_payments(SHARE, np.array([live]), np.array([canary]), expected)


counts = st.tuples(st.integers(0, 3_000), st.integers(0, 3_000))


@given(live=counts, canary=counts, expected=st.floats(0, 1), theta=st.floats(-1, 1))
def test_the_wealth_is_the_product_over_units_whatever_their_order(
    live: tuple[int, int], canary: tuple[int, int], expected: float, theta: float
) -> None:
    few = tuple(each % 7 for each in (*live, *canary))
    made = tallies(few[:2], few[2:], expected)
    rarer = SHARE / (1.0 + SHARE)
    total = np.zeros(len(harm._FRACTION))
    units = [(0, 0)] * few[0] + [(0, 1)] * few[1] + [(1, 0)] * few[2] + [(1, 1)] * few[3]
    for at in np.random.default_rng(0).permutation(len(units)).tolist():
        z, y = units[at]
        d = z * (y - expected) / SHARE - (1 - z) * (y - expected) / (1 - SHARE)
        total += np.log1p(-harm._FRACTION * rarer * (d - theta))
    assert log_wealth(made, theta, -1.0) == pytest.approx(
        float(logsumexp(total + harm._LOG_SHARE)), abs=1e-9
    )


@given(live=counts, canary=counts, expected=st.floats(0, 1))
def test_the_mean_score_is_always_within_the_limits(
    live: tuple[int, int], canary: tuple[int, int], expected: float
) -> None:
    made = tallies(live, canary, expected)
    beyond = np.array([-expected, 1.0 - expected])
    total = beyond @ np.array(canary) / SHARE - beyond @ np.array(live) / (1.0 - SHARE)
    mean = float(np.clip(total / max(1, sum(live) + sum(canary)), -1.0, 1.0))
    assert -1.0 <= lower_limit(made, 0.05) <= mean <= upper_limit(made, 0.05) <= 1.0


def test_nothing_seen_says_nothing() -> None:
    empty = tallies((0, 0), (0, 0))
    assert (lower_limit(empty, 0.05), upper_limit(empty, 0.05)) == (-1.0, 1.0)
    assert log_wealth(empty, 0.0, -1.0) == pytest.approx(0.0)
    assert empty.difference is None


def test_a_clear_difference_is_found_on_both_sides() -> None:
    worse = tallies((3_500, 46_500), (300, 2_330))
    better = tallies((3_500, 46_500), (60, 2_570))
    assert lower_limit(worse, 0.05) < (worse.difference or 0.0) < upper_limit(worse, 0.05) < 0.0
    assert 0.0 < lower_limit(better, 0.05) < (better.difference or 0.0) < upper_limit(better, 0.05)


def test_what_is_expected_takes_the_luck_of_the_strata_out_of_the_difference() -> None:
    # In both strata the canary does as the live policy; it happened to get more of the poor one.
    live, canary = np.array([[100.0, 900.0], [500.0, 500.0]]), np.array([[4.0, 36.0], [40.0, 40.0]])
    blind = Tallies.of_payments(SHARE, live, canary)
    knowing = Tallies.of_payments(SHARE, live, canary, np.array([0.9, 0.5]))
    assert blind.difference == pytest.approx(-0.0667, abs=1e-3)
    assert knowing.difference == pytest.approx(0.0, abs=1e-12)
    assert knowing.rates == blind.rates


def test_a_good_expectation_finds_harm_sooner() -> None:
    live, canary = (3_500.0, 46_500.0), (230.0, 2_400.0)
    found = [log_wealth(tallies(live, canary, each), 0.0, -1.0) for each in (0.93, 0.5)]
    assert found[0] > found[1] + 1.0


def test_tallies_of_different_shares_add_up() -> None:
    first = tallies((350, 4_650), (20, 240))
    raised = Tallies.of_payments(0.2, np.array([[280.0, 3_720.0]]), np.array([[90.0, 910.0]]), 0.93)
    both = first + raised
    assert both.live.sum() == 9_000
    assert upper_limit(both, 0.05) < upper_limit(first, 0.05)


def test_along_the_way_it_is_the_same_as_at_each_time() -> None:
    whole = tallies((3_500, 46_500), (230, 2_400))
    parts = np.linspace(0.0, 1.0, 5)[:, None]
    found = log_wealth_along(whole, parts * whole.live, parts * whole.canary, 0.0, -1.0)
    expected = [
        log_wealth(tallies((3_500 * p, 46_500 * p), (230 * p, 2_400 * p)), 0.0, -1.0)
        for p in parts[:, 0].tolist()
    ]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_all_or_nothing_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="share"):
        Tallies.of_payments(share, np.ones((1, 2)), np.ones((1, 2)))


def test_an_outcome_beyond_its_bounds_is_refused() -> None:
    one = np.ones(1)
    with pytest.raises(UserError, match="outcome"):
        Tallies(one, 2 * one, 0.5 * one, one, one)


def test_small_strata_are_expected_to_be_like_all() -> None:
    rates = expected_rates(np.array([[1_000.0, 9_000.0], [2.0, 0.0], [0.0, 0.0]]))
    assert rates[0] == pytest.approx(0.9, abs=1e-4)
    assert 0.8 < rates[1] < rates[2] == pytest.approx(0.9, abs=1e-3)
    assert expected_rates(np.zeros((2, 2))).tolist() == [1.0, 1.0]


def ever_over(live: float, canary: float, expected: float, runs: int, looks: int) -> float:
    """Share of runs whose wealth ever exceeds 20, looked at after every 500 payments."""
    chances = np.array(
        [
            (1 - SHARE) * (1 - live),
            (1 - SHARE) * live,
            SHARE * (1 - canary),
            SHARE * canary,
        ]
    )
    seen = np.random.default_rng(5).multinomial(500, chances, (runs, looks)).cumsum(axis=1)
    kinds = tallies((0, 0), (0, 0), expected)
    every = seen.astype(np.float64)
    wealth = log_wealth_along(kinds, every[..., :2], every[..., 2:], 0.0, -1.0)
    return float((wealth >= np.log(20.0)).any(axis=1).mean())


@pytest.mark.parametrize("expected", [0.94, 1.0])
def test_harm_is_found_and_none_is_made_up(expected: float) -> None:
    assert ever_over(0.94, 0.94, expected, 400, 100) <= 0.05
    assert ever_over(0.94, 0.96, expected, 100, 100) <= 0.02
    assert ever_over(0.94, 0.92, expected, 200, 200) >= 0.95
