from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from authopt.batch import FloatArray
from authopt.evaluation.bca import bca
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.intervals import Ratio, bootstrap, resample

MEAN = [Ratio("y", "one")]


def table(y: FloatArray, x: FloatArray | None = None) -> BucketTable:
    """One row per bucket."""
    ones = np.ones(len(y))
    return BucketTable.of(np.arange(len(y)), {"one": ones, "y": y, "x": ones if x is None else x})


def limits(sums: BucketTable, confidence: float = 0.95) -> tuple[float, float] | None:
    return bca(sums, resample([sums], 20_000, 1)[0], MEAN, confidence)


def test_limits_equal_those_of_scipy_but_for_the_drawing() -> None:
    y = np.random.default_rng(0).exponential(1.0, 60)
    theirs = stats.bootstrap(
        (y,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    assert limits(table(y)) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_skewed_data_move_both_limits_up_from_the_percentiles() -> None:
    sums = table(np.random.default_rng(0).exponential(1.0, 60))
    replicates = resample([sums], 20_000, 1)[0]
    plain = bootstrap(sums.columns, replicates, MEAN, 0.95)
    corrected = bca(sums, replicates, MEAN, 0.95)
    assert plain is not None
    assert corrected is not None
    assert corrected[0] > plain[0]
    assert corrected[1] > plain[1]


def test_symmetric_data_leave_the_percentiles_as_they_are() -> None:
    half = np.random.default_rng(0).normal(0.0, 1.0, 100)
    sums = table(np.concatenate([half, -half]))
    plain = bootstrap(sums.columns, resample([sums], 20_000, 1)[0], MEAN, 0.95)
    assert limits(sums) == pytest.approx(plain, abs=0.01)


def test_a_higher_confidence_gives_wider_limits_around_the_narrower() -> None:
    sums = table(np.random.default_rng(0).exponential(1.0, 60))
    narrow, wide = limits(sums, 0.8), limits(sums, 0.99)
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_what_does_not_vary_or_has_one_bucket_has_no_limits() -> None:
    assert limits(table(np.ones(20))) is None
    assert limits(table(np.ones(1))) is None


def test_an_estimate_outside_all_replicates_has_no_limits() -> None:
    sums = table(np.arange(20.0))
    assert bca(sums, resample([table(np.arange(20.0) + 50.0)], 200, 0)[0], MEAN, 0.95) is None
