from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize, stats

from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.intervals import (
    Moments,
    Ratio,
    bootstrap,
    cressie_read_lower,
    critical_value,
    design_effect,
    estimate,
    jackknife,
    normal,
    resample,
)

Array = npt.NDArray[np.float64]
MEAN = [Ratio("y", "one")]


def table(y: Array, x: Array | None = None) -> BucketTable:
    """One row per bucket."""
    ones = np.ones(len(y))
    return BucketTable.of(np.arange(len(y)), {"one": ones, "y": y, "x": ones if x is None else x})


def moments(w: Array, y: Array) -> Moments:
    return Moments(len(w), w.sum(), (w * w).sum(), y.sum(), (w * y).sum(), (y * y).sum())


def limits(
    w: Array, r: Array, w_high: float, bounds: tuple[float, float], confidence: float
) -> tuple[float, float]:
    low, high = bounds
    data, span = moments(w, w * (r - low)), high - low
    critical = critical_value(confidence, len(w))
    lower = cressie_read_lower(data, 0.0, w_high, lambda weight: 0.0, critical)
    upper = cressie_read_lower(
        data.mirrored(), 0.0, w_high, lambda weight: -span * weight, critical
    )
    return (
        low + (0.0 if lower is None else max(lower, 0.0)),
        low + (span if upper is None else min(span, -upper)),
    )


EPSILON = np.where(np.random.RandomState(1).random_sample(500) < 0.0125, 80.0, 0.0)
APPROVED = (np.random.RandomState(2).random_sample(500) < 0.92).astype(float)
MILD = np.random.RandomState(3).exponential(1, 200).clip(0, 4)
UNIFORM = np.random.RandomState(4).random_sample(200)


@pytest.mark.parametrize(
    ("w", "r", "w_high", "bounds", "confidence", "expected"),
    [
        (EPSILON, APPROVED, 80.0, (0, 1), 0.95, (0.5666874294463862, 1.0)),
        (EPSILON, APPROVED, 80.0, (0, 1), 0.8, (0.6674333346283807, 1.0)),
        (EPSILON, APPROVED, np.inf, (0, 1), 0.95, (0.19615192447175822, 1.0)),
        (EPSILON, APPROVED, np.inf, (0, 1), 0.8, (0.46109641664711404, 1.0)),
        (MILD, UNIFORM, 4.0, (0, 1), 0.95, (0.4718334171286925, 0.6011064203949393)),
        (MILD, UNIFORM, 4.0, (0, 1), 0.8, (0.49078078140266196, 0.5827139196566293)),
        (
            MILD,
            UNIFORM * 60 - 10,
            4.0,
            (-20, 70),
            0.95,
            (17.924133293552753, 26.821923175876073),
        ),
    ],
)
def test_cressie_read_limits_equal_those_of_vw_estimators(
    w: Array,
    r: Array,
    w_high: float,
    bounds: tuple[float, float],
    confidence: float,
    expected: tuple[float, float],
) -> None:
    # From vw-estimators 0.2.2: estimators.bandits.cressieread.IntervalImpl(0, w_high, *bounds,
    # False), add(w, r, 0, 0) for every row, get(1 - confidence).
    assert limits(w, r, w_high, bounds, confidence) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_closed_form_is_the_least_mean_over_all_weightings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, r = rng.exponential(1, 12), rng.random(12)
    w_high, critical = 6.0, 2.5
    found = cressie_read_lower(moments(w, w * r), 0.0, w_high, lambda weight: 0.0, critical)

    def least(extra: float) -> tuple[float, float]:
        """Cost of a mean weight of 1, and the least mean of y, with this adverse row."""
        weights, y = np.append(w, extra), np.append(w * r, 0.0)
        size = len(weights)
        equal = np.array([np.ones(size), weights])
        base = np.full(size, 1.0 / size)
        nearest = base + np.linalg.pinv(equal) @ (np.ones(2) - equal @ base)
        cost = size**2 * float(((nearest - base) ** 2).sum())
        return cost, float(y @ nearest)

    costs = {extra: least(extra)[0] for extra in (0.0, w_high)}
    budget = critical + min(costs.values())
    candidates = []
    for extra in (0.0, w_high):
        weights, y = np.append(w, extra), np.append(w * r, 0.0)
        size = len(weights)
        if costs[extra] > budget:
            continue
        solution = optimize.minimize(
            lambda q, y=y: float(y @ q),
            np.full(size, 1.0 / size),
            jac=lambda q, y=y: y,
            method="SLSQP",
            options={"maxiter": 500, "ftol": 1e-14},
            constraints=[
                {"type": "eq", "fun": lambda q: q.sum() - 1.0},
                {"type": "eq", "fun": lambda q, weights=weights: weights @ q - 1.0},
                {
                    "type": "ineq",
                    "fun": lambda q, size=size: (
                        budget / size - size * ((q - 1.0 / size) ** 2).sum()
                    ),
                },
            ],
        )
        candidates.append(float(solution.fun))
    assert found == pytest.approx(min(candidates), abs=1e-6)


def test_a_very_large_weight_tends_to_the_limit_of_an_infinite_one() -> None:
    for side in (0.0, -1.0):
        data = moments(EPSILON, EPSILON * APPROVED)
        data = data.mirrored() if side else data

        def smallest(weight: float, side: float = side) -> float:
            return side * weight

        infinite = cressie_read_lower(data, 0.0, np.inf, smallest, 3.84)
        large = cressie_read_lower(data, 0.0, 1e9, smallest, 3.84)
        assert infinite == pytest.approx(large, abs=1e-5)


def test_the_critical_value_is_the_f_quantile() -> None:
    assert critical_value(0.95, 30) == pytest.approx(stats.f.isf(0.05, 1, 30))


def test_the_normal_interval_of_a_mean_is_students() -> None:
    y = np.random.default_rng(0).normal(3.0, 2.0, 50)
    expected = stats.t.interval(0.9, 49, y.mean(), stats.sem(y))
    assert normal(table(y), MEAN, 0.9) == pytest.approx(expected)


def test_the_jackknife_of_a_mean_is_the_normal_interval() -> None:
    y = np.random.default_rng(0).normal(3.0, 2.0, 50)
    assert jackknife(table(y), MEAN, 0.9) == pytest.approx(normal(table(y), MEAN, 0.9))


def test_the_normal_interval_of_a_ratio_is_by_the_delta_method() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, 80)
    y = x * rng.random(80)
    share = y.sum() / x.sum()
    error = stats.sem(y - share * x) / x.mean()
    expected = stats.t.interval(0.95, 79, share, error)
    assert normal(table(y, x), [Ratio("y", "x")], 0.95) == pytest.approx(expected)


def test_the_bootstrap_of_a_mean_nears_the_normal_interval() -> None:
    y = np.random.default_rng(0).normal(3.0, 2.0, 500)
    sums = table(y)
    found = bootstrap(sums.columns, resample([sums], 4000, 1)[0], MEAN, 0.95)
    assert found == pytest.approx(normal(sums, MEAN, 0.95), abs=0.02)


def test_replicates_keep_the_number_of_buckets_and_follow_the_seed() -> None:
    sums = table(np.arange(10.0))
    replicates = resample([sums], 100, 3)[0]
    assert (replicates[:, sums.columns.index("one")] == 10.0).all()
    assert np.array_equal(replicates, resample([sums], 100, 3)[0])
    assert not np.array_equal(replicates, resample([sums], 100, 4)[0])


def test_a_gain_is_paired_so_what_is_common_to_both_cancels() -> None:
    rng = np.random.default_rng(0)
    common, better = rng.normal(0, 10, 200), rng.normal(1, 0.1, 200)
    sums = BucketTable.of(np.arange(200), {"one": np.ones(200), "y": common + better, "r": common})
    found = normal(sums, [Ratio("y", "one"), Ratio("r", "one", -1.0)], 0.95)
    assert found == pytest.approx(stats.t.interval(0.95, 199, better.mean(), stats.sem(better)))


def test_what_does_not_vary_or_has_one_bucket_gives_no_asymptotic_interval() -> None:
    for sums in (table(np.ones(20)), table(np.ones(1))):
        assert normal(sums, MEAN, 0.95) is None
        assert jackknife(sums, MEAN, 0.95) is None
        assert bootstrap(sums.columns, resample([sums], 50, 0)[0], MEAN, 0.95) is None


def test_a_ratio_without_a_denominator_is_not_estimated() -> None:
    sums = table(np.ones(5), np.zeros(5))
    assert estimate(sums, [Ratio("y", "x")]) is None
    assert normal(sums, [Ratio("y", "x")], 0.95) is None


def test_a_denominator_in_one_bucket_alone_cannot_be_resampled() -> None:
    sums = table(np.ones(5), np.array([1.0, 0, 0, 0, 0]))
    assert jackknife(sums, [Ratio("y", "x")], 0.95) is None
    assert bootstrap(sums.columns, resample([sums], 200, 0)[0], [Ratio("y", "x")], 0.95) is None


def test_rows_that_repeat_k_times_within_a_cluster_have_a_design_effect_of_k() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.exponential(1, 1000), rng.random(1000)
    y = w * r
    repeated = moments(np.repeat(w, 4), np.repeat(y, 4))
    effect = design_effect(repeated, 4 * w, 4 * y, np.full(1000, 4.0))
    assert effect == pytest.approx(4.0, rel=1e-2)


def test_independent_rows_have_a_design_effect_near_one_and_never_below() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.exponential(1, 1000), rng.random(1000)
    data = moments(w, w * r)
    assert 1.0 <= design_effect(data, w, w * r, np.ones(1000)) < 1.01
