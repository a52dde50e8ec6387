from __future__ import annotations

import numpy as np
import pytest

from authopt.evaluation.betting.boundaries import (
    best_rho,
    gamma_exponential_bound,
    gamma_exponential_log_mixture,
)


def test_the_gamma_exponential_mixture_equals_confseq() -> None:
    # From confseq's test/uniform_boundaries_unittest.cpp, TestGammaExponentialMixture, whose
    # targets are from an independent implementation in R; tolerance as there.
    rho = best_rho(100.0, 0.05)
    found = gamma_exponential_log_mixture(10.0, 100.0, rho, 2.0)
    assert found == pytest.approx(-0.2490165, abs=1e-5)
    assert gamma_exponential_bound(100.0, 0.05, rho, 2.0) == pytest.approx(33.02017, abs=1e-5)


def test_the_best_rho_equals_confseq() -> None:
    # TwoSidedNormalMixture::best_rho(100, 0.05) in the same file: one side has half of alpha.
    assert best_rho(100.0, 0.025) == pytest.approx(12.60056, abs=1e-5)


@pytest.mark.parametrize("v", [0.0, 1e-6, 1.0, 1e4, 1e9])
@pytest.mark.parametrize("c", [0.5, 1.0, 200.0])
def test_the_bound_is_where_the_mixture_reaches_its_threshold(v: float, c: float) -> None:
    rho = best_rho(1000.0, 0.05)
    bound = gamma_exponential_bound(v, 0.05, rho, c)
    at_bound = gamma_exponential_log_mixture(bound, v, rho, c)
    assert at_bound == pytest.approx(-np.log(0.05), abs=1e-5)


def test_the_bound_grows_with_time_and_scale_and_certainty() -> None:
    rho = best_rho(100.0, 0.05)
    times = [gamma_exponential_bound(v, 0.05, rho, 1.0) for v in (1.0, 10.0, 100.0, 1e5)]
    scales = [gamma_exponential_bound(100.0, 0.05, rho, c) for c in (0.1, 1.0, 10.0)]
    levels = [gamma_exponential_bound(100.0, alpha, rho, 1.0) for alpha in (0.2, 0.05, 0.001)]
    for rising in (times, scales, levels):
        assert rising == sorted(rising)
        assert len(set(rising)) == len(rising)
