"""Cressie-Read limits against the values that VW and vw-estimators publish or compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from authopt.batch import FloatArray
from authopt.evaluation.intervals import Moments, cressie_read_lower, critical_value

LOWER = (
    0.09662899139580064,
    0.04094541671274077,
    0.12209962713632538,
    0.1418901366388003,
    0.14012602622199424,
    0.10155119256007322,
    0.1846416198342555,
    0.20562281337616062,
    0.23301703596172654,
)
UPPER = (
    0.28128352388284217,
    0.5056614942571485,
    0.6220782066057806,
    0.75416164144364,
    0.8175722577850846,
    0.944281011930322,
    0.7625855039970183,
    0.7386659400005198,
    0.69289830401895,
)


def limits(data: Moments, w_high: float, critical: float) -> tuple[float, float]:
    lower = cressie_read_lower(data, 0.0, w_high, lambda weight: 0.0, critical)
    upper = cressie_read_lower(data.mirrored(), 0.0, w_high, lambda weight: -weight, critical)
    return (
        0.0 if lower is None else min(max(lower, 0.0), 1.0),
        1.0 if upper is None else min(max(-upper, 0.0), 1.0),
    )


def test_limits_equal_the_nine_of_vw_with_weights_that_fade() -> None:
    # VowpalWabbit, vowpalwabbit/core/tests/distributionally_robust_test.cc and
    # python/tests/test_distributionally_robust.py: alpha .05, sums that lose a thousandth with
    # every row, the quantile of chi-squared, no largest weight. Its first row alone is unbounded,
    # as ours is for being one cluster.
    ws = np.random.RandomState(seed=42).exponential(size=10)
    rs = np.random.RandomState(seed=2112).random_sample(size=10)
    critical = float(stats.chi2.isf(0.05, 1))
    sums, found = np.zeros(6), []
    for w, r in zip(ws, rs, strict=True):
        sums = 0.999 * sums + np.array([1.0, w, w * w, w * r, w * w * r, (w * r) ** 2])
        found.append(limits(Moments(*sums.tolist()), np.inf, critical))
    lower, upper = zip(*found[1:], strict=True)
    assert lower == pytest.approx(LOWER, abs=1e-6)
    assert upper == pytest.approx(UPPER, abs=1e-6)


def moments(w: FloatArray, y: FloatArray) -> Moments:
    return Moments(
        len(w), w.sum(), float(w @ w), float(y.sum()), float(w @ y), max(float(y @ y), 0.0)
    )


@given(
    st.integers(0, 2**32 - 1),
    st.integers(8, 60),
    st.sampled_from([1.5, 4.0, 80.0]),
    st.sampled_from([0.5, 0.2, 0.05, 0.01]),
)
def test_limits_equal_those_that_vw_estimators_computes(
    seed: int, n: int, w_high: float, alpha: float
) -> None:
    theirs = pytest.importorskip("estimators.bandits.cressieread")
    rng = np.random.default_rng(seed)
    w, r = rng.exponential(1.0, n).clip(0.0, w_high), rng.random(n)
    interval = theirs.IntervalImpl(0.0, w_high, 0.0, 1.0, False)
    for weight, reward in zip(w.tolist(), r.tolist(), strict=True):
        interval.add(weight, reward, 0.0, 0.0)
    ours = limits(moments(w, w * r), w_high, critical_value(1.0 - alpha, n))
    assert ours == pytest.approx(interval.get(alpha), abs=1e-6)
