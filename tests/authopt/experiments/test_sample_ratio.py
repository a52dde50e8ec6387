"""Whether units came to arms as planned."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from authopt.experiments.sample_ratio import CONCENTRATION, log_bayes_factor, sample_ratio

SHARES = np.array([0.5, 0.3, 0.2])


def test_the_factor_is_the_product_of_what_each_unit_makes_more_likely() -> None:
    prior, seen, factor = CONCENTRATION * SHARES, np.zeros(3), 1.0
    for arm in (0, 2, 2, 1, 2):
        factor *= (prior[arm] + seen[arm]) / (CONCENTRATION + seen.sum()) / SHARES[arm]
        seen[arm] += 1
    assert log_bayes_factor(seen, SHARES) == pytest.approx(np.log(factor))


def test_the_mean_factor_of_a_split_as_planned_is_one() -> None:
    mean = 0.0
    for arms in product(range(3), repeat=5):
        counts = np.bincount(arms, minlength=3).astype(np.float64)
        mean += np.prod(SHARES[list(arms)]) * np.exp(log_bayes_factor(counts, SHARES))
    assert mean == pytest.approx(1.0)


def test_a_mismatch_is_found_and_a_match_is_not() -> None:
    assert sample_ratio((52_000, 48_000), (0.5, 0.5)).mismatch()
    assert not sample_ratio((50_150, 49_850), (0.5, 0.5)).mismatch()
    assert sample_ratio((94_000, 6_000), (0.95, 0.05)).mismatch()


def test_the_fixed_test_beside_it_is_chi_square() -> None:
    found = sample_ratio((510, 280, 210), tuple(SHARES.tolist()))
    assert found.chi_square_p_value == pytest.approx(
        chisquare([510, 280, 210], 1_000 * SHARES).pvalue
    )


def test_without_units_nothing_speaks_against_the_split() -> None:
    found = sample_ratio((0, 0), (0.5, 0.5))
    assert (found.p_value, found.chi_square_p_value) == (1.0, 1.0)


@pytest.mark.slow
def test_looks_after_every_batch_find_a_mismatch_that_is_not_there_seldom() -> None:
    rng = np.random.default_rng(1)
    counts = rng.multinomial(200, SHARES, (2_000, 300)).cumsum(axis=1).astype(np.float64)
    ever = (log_bayes_factor(counts, SHARES) >= np.log(20.0)).any(axis=1)
    assert ever.mean() <= 0.065
