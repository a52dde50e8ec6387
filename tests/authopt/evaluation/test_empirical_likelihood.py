"""The empirical likelihood interval: against closed forms, a general solver and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from authopt.batch import FloatArray
from authopt.evaluation.buckets import BucketTable, bucket_of, integer_hashes
from authopt.evaluation.columns import Columns
from authopt.evaluation.empirical_likelihood import (
    Sample,
    Support,
    freedom,
    gain_limits,
    lower_limit,
    value_limits,
)
from authopt.evaluation.estimators import table_columns
from authopt.evaluation.score_histogram import ScoreHistogram
from authopt.evaluation.scores import Range
from authopt.evaluation.terms import Terms

SLACK = 1.92


def judged(
    w: FloatArray,
    r: FloatArray,
    high: float,
    *,
    repeated: int = 1,
    bounds: tuple[float, float] = (0.0, 1.0),
    missing: FloatArray | None = None,
) -> tuple[ScoreHistogram, BucketTable, Range]:
    """Of rows that are each repeated some times within a cluster."""
    low, top = bounds
    nothing = np.zeros(len(w)) if missing is None else missing
    cluster = np.repeat(np.arange(len(w)), repeated)
    w, r, nothing = (np.repeat(each, repeated) for each in (w, r, nothing))
    terms = Terms(w=w, r=r, unsupported=nothing, largest_weight=high)
    columns, names = Columns(terms), table_columns(with_model=False)
    bucket = bucket_of(integer_hashes(cluster))
    table = BucketTable.of(bucket, {name: columns[name] for name in names})
    histogram = ScoreHistogram(low, top)
    histogram.add_rows(w, nothing, r)
    most = float(nothing.max())
    return histogram, table, Range(low, top, high, most, np.nan, np.nan, int(cluster[-1]) + 1)


@pytest.mark.parametrize("successes", [0, 3, 30, 47])
def test_the_mean_of_two_values_has_the_binomial_likelihood_interval(successes: int) -> None:
    n = 50
    counts = np.array([successes, n - successes], np.float64)
    sample = Sample(counts[counts > 0], np.ones(2)[counts > 0], np.array([1.0, 0.0])[counts > 0])

    def excess(p: float) -> float:
        best = stats.binom.logpmf(successes, n, successes / n)
        return float(best - stats.binom.logpmf(successes, n, p) - SLACK)

    expected = 0.0 if not successes else optimize.brentq(excess, 1e-9, successes / n)
    assert lower_limit(sample, Support(1.0, 0.0, 0.0), SLACK) == pytest.approx(expected, abs=1e-6)


def solved(sample: Sample, support: Support) -> float:
    """By a general solver, over the weights of all rows and of one at either end."""
    weight = np.append(sample.weight, [0.0, support.high])
    score = np.append(sample.score, support.base + support.slope * weight[-2:])
    counts, n, m = sample.rows, sample.rows.sum(), len(sample.rows)
    sums = [
        {"type": "eq", "fun": lambda q: q.sum() - 1.0, "jac": np.ones_like},
        {"type": "eq", "fun": lambda q: weight @ q - 1.0, "jac": lambda q: weight},
    ]

    def likelihood(q: FloatArray) -> float:
        return float(counts @ np.log(np.maximum(q[:m], 1e-300))) / n

    def slope(q: FloatArray) -> FloatArray:
        return np.append(counts / np.maximum(q[:m], 1e-300) / n, [0.0, 0.0])

    kept = {
        "method": "SLSQP",
        "bounds": [(1e-12, 1.0)] * m + [(0.0, 1.0)] * 2,
        "options": {"maxiter": 2_000, "ftol": 1e-15},
    }
    start = np.append(0.9 * counts / n, [0.05, 0.05])
    nearest = optimize.minimize(
        lambda q: -likelihood(q), start, jac=lambda q: -slope(q), constraints=sums, **kept
    )
    least = likelihood(nearest.x) - SLACK / n
    enough = {"type": "ineq", "fun": lambda q: likelihood(q) - least, "jac": slope}
    found = optimize.minimize(
        lambda q: score @ q,
        nearest.x,
        jac=lambda q: score,
        constraints=[*sums, enough],
        **kept,
    )
    assert found.success
    return float(found.fun)


@pytest.mark.parametrize("seed", range(6))
def test_the_dual_gives_the_least_mean_that_a_general_solver_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = np.append(rng.exponential(1.0, 6).clip(0.0, 4.0), 0.0)
    reward = np.append(rng.random(6), 0.0)
    sample = Sample(rng.integers(1, 6, 7).astype(np.float64), weight, weight * reward)
    support = Support(5.0, 0.0, 0.0)
    assert lower_limit(sample, support, SLACK) == pytest.approx(solved(sample, support), abs=1e-5)


def test_the_greatest_mean_is_1_less_the_least_of_the_shortfalls() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.exponential(1.0, 50).clip(0.0, 4.0), rng.random(50)
    upper = lower_limit(Sample(np.ones(50), w, -w * r), Support(4.0, 0.0, -1.0), SLACK)
    shortfall = lower_limit(Sample(np.ones(50), w, w * (1.0 - r)), Support(4.0, 0.0, 0.0), SLACK)
    assert upper == pytest.approx(shortfall - 1.0, abs=1e-9)


def test_rows_of_the_largest_weight_alone_give_the_binomial_interval_of_their_rewards() -> None:
    # Weights of 0 and 2 with probability 1/2: the rewards of rows of weight 0 say nothing.
    counts = np.array([500.0, 400.0, 100.0])
    sample = Sample(counts, np.array([0.0, 2.0, 2.0]), np.array([0.0, 2.0, 0.0]))

    def excess(p: float) -> float:
        return float(stats.binom.logpmf(400, 500, 0.8) - stats.binom.logpmf(400, 500, p) - SLACK)

    expected = optimize.brentq(excess, 0.5, 0.8)
    assert lower_limit(sample, Support(2.0, 0.0, 0.0), SLACK) == pytest.approx(expected, abs=1e-6)


def test_a_very_large_weight_tends_to_the_limit_of_an_infinite_one() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.exponential(1.0, 200), rng.random(200)
    for score, slope in ((w * r, 0.0), (-w * r, -1.0)):
        sample = Sample(np.ones(200), w, score)
        infinite = lower_limit(sample, Support(np.inf, 0.0, slope), SLACK)
        assert lower_limit(sample, Support(1e9, 0.0, slope), SLACK) == pytest.approx(
            infinite, abs=1e-5
        )


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1.0, 4.0, 80.0, np.inf]))
def test_limits_are_nested_in_confidence_and_within_the_bounds(
    seed: int, n: int, high: float
) -> None:
    rng = np.random.default_rng(seed)
    cap = min(high, 50.0)
    w = np.where(rng.random(n) < 0.5, rng.random(n) * cap, rng.choice([0.0, 1.0, cap], n))
    r = rng.choice([0.0, 0.3, 1.0], n)
    missing = rng.choice([0.0, 0.5], n)
    parts = judged(w, r, high, missing=missing)
    narrow = value_limits(*parts[:2], "wr", parts[2], 0.8)
    wide = value_limits(*parts[:2], "wr", parts[2], 0.99)
    assert 0.0 <= wide[0] <= narrow[0] + 1e-9
    assert narrow[1] - 1e-9 <= wide[1] <= 1.0
    assert wide[0] < wide[1]
    lower, upper = gain_limits(*parts, 0.95)
    assert -1.0 <= lower <= upper <= 1.0


def test_limits_move_with_the_rewards() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.exponential(1.0, 300).clip(0.0, 4.0), rng.random(300)
    one = value_limits(*(parts := judged(w, r, 4.0))[:2], "wr", parts[2], 0.95)
    parts = judged(w, 10.0 * r - 3.0, 4.0, bounds=(-3.0, 7.0))
    other = value_limits(*parts[:2], "wr", parts[2], 0.95)
    assert other == pytest.approx([10.0 * limit - 3.0 for limit in one], abs=1e-6)


def test_rows_in_cells_give_nearly_the_limits_of_the_rows_themselves() -> None:
    rng = np.random.default_rng(0)
    n = 10_000
    w, r = rng.exponential(1.0, n).clip(0.0, 12.0), rng.random(n)
    histogram, table, known = judged(w, r, 12.0)
    assert not histogram.exact
    assert len(histogram.keys) < 9_000
    itself = ScoreHistogram(
        0.0, 1.0, np.arange(n, dtype=np.uint64), np.stack([np.ones(n), w, 0 * w, r, w * r])
    )
    limits = value_limits(histogram, table, "wr", known, 0.95)
    exact = value_limits(itself, table, "wr", known, 0.95)
    assert limits == pytest.approx(exact, abs=1e-3 * (exact[1] - exact[0]))


def test_rows_that_repeat_within_a_cluster_tell_nothing_new() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.choice([0.5, 1.5], 900), rng.random(900)
    parts, again = judged(w, r, 1.5), judged(w, r, 1.5, repeated=4)
    one = value_limits(*parts[:2], "wr", parts[2], 0.95)
    four = value_limits(*again[:2], "wr", again[2], 0.95)
    assert four[1] - four[0] == pytest.approx(one[1] - one[0], rel=0.05)


def test_mass_without_support_counts_as_worst_and_best() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    r = (rng.random(n) < 0.9).astype(np.float64)
    parts = judged(np.full(n, 0.8), r, 0.8, missing=np.full(n, 0.2))
    lower, upper = value_limits(*parts[:2], "wr", parts[2], 0.95)
    assert lower == pytest.approx(0.8 * 0.9, abs=0.01)
    assert upper == pytest.approx(0.8 * 0.9 + 0.2, abs=0.01)


def test_the_gain_of_the_logging_policy_itself_is_zero() -> None:
    parts = judged(np.ones(50), np.tile([0.0, 1.0], 25), 1.0)
    assert gain_limits(*parts, 0.95) == (0.0, 0.0)


def test_one_cluster_tells_nothing() -> None:
    histogram, table, known = judged(np.ones(1), np.ones(1), 4.0, repeated=50)
    assert value_limits(histogram, table, "wr", known, 0.95) == (0.0, 1.0)


def test_even_weights_have_as_many_degrees_of_freedom_as_rows_and_heavy_ones_few() -> None:
    assert freedom(np.array([500.0]), np.ones(1), 1.0) == pytest.approx(502.0)
    heavy = freedom(np.array([995.0, 5.0]), np.array([0.01, 80.0]), 80.0)
    assert heavy == pytest.approx(7.0, abs=0.01)
    assert freedom(np.array([100.0]), np.zeros(1), 80.0) == pytest.approx(2.0)


def test_few_heavy_rows_are_covered() -> None:
    rng = np.random.default_rng(0)
    value, exploration, n, repeats = 0.8, 0.05, 200, 300
    held = 0
    for _ in range(repeats):
        w = np.where(rng.random(n) < exploration, 1.0 / exploration, 0.0)
        r = (rng.random(n) < value).astype(np.float64)
        parts = judged(w, r, 1.0 / exploration)
        lower, upper = value_limits(*parts[:2], "wr", parts[2], 0.95)
        held += lower <= value <= upper
    assert held >= 0.94 * repeats
