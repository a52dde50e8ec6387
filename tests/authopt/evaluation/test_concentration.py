"""Bounds that hold at every sample size: their formulas, and what they cover exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.buckets import BucketTable, bucket_of, integer_hashes
from authopt.evaluation.columns import Columns
from authopt.evaluation.concentration import (
    METHODS,
    Sample,
    clopper_pearson,
    empirical_bernstein,
    gain_intervals,
    hoeffding,
    units_of,
    value_intervals,
)
from authopt.evaluation.estimators import table_columns
from authopt.evaluation.quantities import Guarantee
from authopt.evaluation.scores import Range
from authopt.evaluation.terms import Terms


def known(high: float, clusters: int, missing: float = 0.0) -> Range:
    return Range(0.0, 1.0, high, missing, np.nan, np.nan, clusters)


def table(
    w: FloatArray, r: FloatArray, cluster: IntArray | None = None, missing: FloatArray | None = None
) -> BucketTable:
    columns = Columns(Terms(w=w, r=r, unsupported=missing, largest_weight=float(w.max())))
    names = table_columns(with_model=False)
    rows = np.arange(len(w)) if cluster is None else cluster
    bucket = bucket_of(integer_hashes(rows))
    return BucketTable.of(bucket, {name: columns[name] for name in names})


def test_hoeffding_is_the_range_times_the_root_of_the_logarithm() -> None:
    lower, upper = hoeffding(Sample(1000, 0.5, 0.1, 0.0, 2.0), 0.025)
    half = 2.0 * np.sqrt(np.log(1 / 0.025) / 2000)
    assert (lower, upper) == pytest.approx((0.5 - half, 0.5 + half))


def test_empirical_bernstein_is_as_in_theorem_4() -> None:
    lower, upper = empirical_bernstein(Sample(1000, 0.5, 0.1, 0.0, 2.0), 0.025)
    log = np.log(2 / 0.025)
    half = np.sqrt(2 * 0.1 * log / 1000) + 2.0 * 7 * log / (3 * 999)
    assert (lower, upper) == pytest.approx((0.5 - half, 0.5 + half))


@pytest.mark.parametrize("successes", [0, 1, 17, 50])
def test_clopper_pearson_of_two_values_is_the_exact_binomial_interval(successes: int) -> None:
    share = successes / 50
    found = clopper_pearson(Sample(50, 3.0 * share, 0.0, 0.0, 3.0, two_valued=True), 0.025)
    exact = stats.binomtest(successes, 50).proportion_ci(0.95, method="exact")
    assert found == pytest.approx((3.0 * exact.low, 3.0 * exact.high))


def test_between_two_values_clopper_pearson_pays_a_factor_of_e_in_confidence() -> None:
    found = clopper_pearson(Sample(50, 0.34, 0.0, 0.0, 1.0), 0.025)
    exact = stats.binomtest(17, 50).proportion_ci(1 - 0.05 / np.e, method="exact")
    assert found == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("chance", [0.001, 0.02, 0.3, 0.5, 0.93])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_coverage_of_two_valued_scores_is_at_least_nominal_by_enumeration(
    method: str, chance: float
) -> None:
    n, high = 60, 5.0
    covered = 0.0
    for successes in range(n + 1):
        share = successes / n
        variance = high**2 * share * (1 - share) * n / (n - 1)
        sample = Sample(n, high * share, variance, 0.0, high, two_valued=True)
        lower, upper = METHODS[method](sample, 0.025)
        if lower <= high * chance <= upper:
            covered += float(stats.binom.pmf(successes, n, chance))
    assert covered >= 0.95 - 1e-9


@pytest.mark.parametrize("exploration", [0.5, 0.05])
def test_few_heavy_weights_are_covered_whatever_the_number_of_rows(exploration: float) -> None:
    rng = np.random.default_rng(0)
    high, value, repeats, n = 1.0 / exploration, 0.9, 200, 200
    held = dict.fromkeys(METHODS, 0)
    for _ in range(repeats):
        w = np.where(rng.random(n) < exploration, high, 0.0)
        r = (rng.random(n) < value).astype(np.float64)
        for each in value_intervals(table(w, r), "wr", known(high, n), 0.95, independent=True):
            assert each.guarantee is Guarantee.COVERS
            held[each.method] += each.lower <= value <= each.upper
    assert min(held.values()) >= 0.95 * repeats


def test_the_shortfall_from_the_largest_reward_narrows_what_is_nearly_always_approved() -> None:
    rng = np.random.default_rng(0)
    n = 5_000
    w = rng.choice([0.5, 1.5], n)
    frequent = (rng.random(n) < 0.97).astype(np.float64)
    even = (rng.random(n) < 0.5).astype(np.float64)
    widths = {}
    for name, r in (("frequent", frequent), ("even", even)):
        found = value_intervals(table(w, r), "wr", known(1.5, n), 0.95, independent=True)
        widths[name] = next(each.width for each in found if each.method == "empirical-bernstein")
    assert widths["frequent"] < 0.6 * widths["even"]


def test_rows_that_share_clusters_count_as_their_clusters_and_promise_less() -> None:
    rng = np.random.default_rng(0)
    n = 4_000
    w, r = rng.choice([0.5, 1.5], n), rng.random(n)
    alone = value_intervals(table(w, r), "wr", known(1.5, n), 0.95, independent=True)
    again = value_intervals(
        table(np.repeat(w, 4), np.repeat(r, 4), np.repeat(np.arange(n), 4)),
        "wr",
        known(1.5, n),
        0.95,
        independent=False,
    )
    for one, other in zip(alone, again, strict=True):
        assert other.guarantee is Guarantee.ASYMPTOTIC
        assert other.width == pytest.approx(one.width, rel=0.1)


@pytest.mark.parametrize(("size", "clusters"), [(1, 20_000), (5, 4_000), (100, 300)])
def test_clusters_of_one_size_are_as_many_units_as_clusters(size: int, clusters: int) -> None:
    cluster = np.repeat(np.arange(clusters), size)
    ones = np.ones(len(cluster))
    sums = BucketTable.of(bucket_of(integer_hashes(cluster)), {"one": ones})
    assert units_of(sums, clusters) <= clusters
    assert units_of(sums, clusters) == pytest.approx(clusters, rel=0.15)


def test_unequal_clusters_are_fewer_units_than_clusters() -> None:
    sizes = np.concatenate([np.ones(5_000, np.int64), np.full(50, 100)])
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    sums = BucketTable.of(bucket_of(integer_hashes(cluster)), {"one": np.ones(len(cluster))})
    expected = sizes.sum() ** 2 / (sizes**2).sum()
    assert units_of(sums, len(sizes)) == pytest.approx(expected, rel=0.2)


def test_without_a_largest_weight_nothing_is_known() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.exponential(1.0, 500), rng.random(500)
    for each in value_intervals(table(w, r), "wr", known(np.inf, 500), 0.95, independent=True):
        assert (each.lower, each.upper) == (0.0, 1.0)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.sampled_from([1.0, 3.0, 50.0]),
    st.sampled_from(["wr", "r", "dr_supported"]),
    st.booleans(),
)
def test_limits_are_finite_in_order_and_within_the_bounds(
    seed: int, n: int, high: float, score: str, lacking: bool
) -> None:
    rng = np.random.default_rng(seed)
    w = np.where(rng.random(n) < 0.3, rng.random(n) * high, 0.0)
    r = rng.choice([0.0, 0.4, 1.0], n)
    missing = rng.random(n) * 0.5 if lacking else None
    sums = table(w, r, missing=missing)
    facts = known(high, n, 0.5 if lacking else 0.0)
    for found, low in (
        (value_intervals(sums, score, facts, 0.95, independent=True), 0.0),
        (gain_intervals(sums, "wr", facts, 0.95, independent=True), -1.0),
    ):
        for each in found:
            assert low <= each.lower <= each.upper <= 1.0
