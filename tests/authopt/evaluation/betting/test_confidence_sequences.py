from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.evaluation.betting.confidence_sequences import (
    betting_limits,
    changing_value_sequence,
    confidence_sequence,
)
from authopt.evaluation.betting.context_classes import context_class
from authopt.evaluation.betting.row_bets import RowBets, gain_limits, value_limits
from tests.authopt.evaluation.betting import sequence_oracles as oracle

Array = npt.NDArray[np.float64]


def heavy(n: int, seed: int, value: float = 0.925, largest: float = 80.0) -> tuple[Array, Array]:
    """Weights of a policy that agrees with an epsilon-greedy log in 7 of 10 contexts."""
    rng = np.random.default_rng(seed)
    chance = np.where(rng.random(n) < 0.3, 1.0 / largest, 1.0 - 3.0 / largest)
    w = np.where(rng.random(n) < chance, 1.0 / chance, 0.0)
    return w, (rng.random(n) < value).astype(float)


def mild(n: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    action = rng.integers(0, 4, n)
    return np.array([2.8, 0.4, 0.4, 0.4])[action], (rng.random(n) < 0.84).astype(float)


def period(w: Array, r: Array, largest: float = 80.0) -> RowBets:
    bets = RowBets(0.0, 1.0)
    bets.add_rows(w, r, context_class(np.full(len(w), largest)))
    return bets


def test_confseq_values_hold_for_the_oracles() -> None:
    # Targets of confseq's test/uniform_boundaries_unittest.cpp (commit 70b1ef3), from an
    # independent implementation in R; tolerance as there.
    near = {"abs": 1e-5}
    for one_sided, log_value, limit in (
        (True, -0.06502391, 27.66071),
        (False, -0.6510052, 30.35209),
    ):

        def normal(s: float, one_sided: bool = one_sided) -> float:
            return oracle.normal_log_mixture(s, 100.0, 100.0, 0.05, one_sided)

        assert normal(10.0) == pytest.approx(log_value, **near)
        assert oracle.bound(normal, 0.05, 100.0) == pytest.approx(limit, **near)
    for one_sided, log_value, limit in (
        (True, -0.07134019, 28.41238),
        (False, -0.6941012, 31.4308),
    ):

        def beta(s: float, one_sided: bool = one_sided) -> float:
            return oracle.beta_binomial_log_mixture(s, 100.0, 100.0, 0.2, 0.8, 0.05, one_sided)

        assert beta(10.0) == pytest.approx(log_value, **near)
        assert oracle.bound(beta, 0.05, 100.0) == pytest.approx(limit, **near)

    def poisson(s: float) -> float:
        return oracle.gamma_poisson_log_mixture(s, 100.0, 100.0, 2.0, 0.05)

    assert poisson(10.0) == pytest.approx(-0.06991219, **near)
    assert oracle.bound(poisson, 0.05, 100.0) == pytest.approx(30.1949, **near)
    assert oracle.poly_stitching(100.0, 0.05, 10.0, 3.0) == pytest.approx(64.48755, **near)
    assert oracle.poly_stitching(100.0, 0.05, 10.0, -1.0) == pytest.approx(28.99389, **near)
    assert oracle.empirical_process_lil(1000.0, 0.05, 100.0, 0.85) == pytest.approx(
        0.08204769, **near
    )
    assert oracle.double_stitching(0.5, 1000.0, 0.05, 100.0) == pytest.approx(68.62803, **near)


@pytest.mark.parametrize(
    ("successes", "trials", "t_opt", "expected"),
    [
        (700, 1000, 100, (0.651629, 0.745949)),
        (15, 50, 50, (0.129556, 0.511896)),
        (5, 50, 50, (0.013021, 0.269264)),
        (1, 50, 50, (0.0, 0.13489)),
        (1, 2, 50, (0.0, 1.0)),
        (100, 200, 1, (0.328923, 0.671076)),
    ],
)
def test_confseq_values_hold_for_the_oracle_of_chances(
    successes: int, trials: int, t_opt: float, expected: tuple[float, float]
) -> None:
    found = oracle.bernoulli(successes, trials, 0.05, t_opt)
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("successes", "trials"), [(45, 50), (700, 1000), (9200, 10_000)])
def test_chances_are_bounded_about_as_closely_as_by_confseq(successes: int, trials: int) -> None:
    # With t_opt at the number of trials, which a confidence sequence does not know beforehand.
    r = np.concatenate([np.ones(successes), np.zeros(trials - successes)])
    lower, upper = betting_limits(np.ones(trials), r, largest_weight=1.0)
    theirs = oracle.bernoulli(successes, trials, 0.05, trials)
    assert upper - lower <= 1.15 * (theirs[1] - theirs[0])


def test_vw_values_hold_for_the_oracle() -> None:
    # From VW 9.11's python/tests/test_confidence_sequence.py: w = r.
    rs = np.tile([0.5, 0.6, 0.7, 0.8], 1000)
    expected = (0.4215480, 0.7907692)
    assert oracle.vowpal_wabbit(rs, rs, 0.05) == pytest.approx(expected, abs=1e-6)


def test_robust_vw_values_hold_for_the_oracle() -> None:
    # From VW's vowpalwabbit/core/tests/confidence_sequence_robust_test.cc (python_equivalence).
    w, r = np.full(400, 1.1), np.tile([1.0, 0.0], 200)
    expected = (0.4574146652500113, 0.5423597665906932)
    assert oracle.vowpal_wabbit_robust(w, r, 0.05) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("n", [100, 1000, 20_000])
@pytest.mark.parametrize(("draw", "largest"), [(heavy, 80.0), (mild, 4.0)])
def test_limits_are_closer_than_those_of_vw(
    draw: Callable[[int, int], tuple[Array, Array]], largest: float, n: int
) -> None:
    widths = np.zeros(3)
    for seed in range(5):
        w, r = draw(n, seed)
        found = [
            betting_limits(w, r, largest_weight=largest),
            oracle.vowpal_wabbit(w, r, 0.05),
            oracle.vowpal_wabbit_robust(w, r, 0.05),
        ]
        widths += [min(1.0, upper) - max(0.0, lower) for lower, upper in found]
    assert widths[0] < 0.8 * widths[1]
    assert widths[0] < widths[2]


def test_the_example_of_vw_is_bounded_more_closely_too() -> None:
    # Its weights do not have the mean 1, so that only what rests on w r is comparable.
    rs = np.tile([0.5, 0.6, 0.7, 0.8], 1000)
    lower, _ = betting_limits(rs, rs)
    assert 0.4215480 < lower < float((rs * rs).mean())


@pytest.mark.parametrize(
    ("draw", "n", "largest", "width"),
    [(mild, 1000, 4.0, 0.157), (heavy, 100, 80.0, 0.496), (heavy, 1000, 80.0, 0.313)],
)
def test_limits_are_no_wider_than_a_plain_mixture_of_bets(
    draw: Callable[[int, int], tuple[Array, Array]], n: int, largest: float, width: float
) -> None:
    # Mean widths of a mixture of 40 bets on w r and on w (1 - r) in regimes with these weights,
    # values and widths of the normal interval of IPS; benchmarks/coverage.py has the regimes.
    found = []
    for seed in range(60):
        w, r = draw(n, seed)
        lower, upper = betting_limits(w, r, largest_weight=largest)
        assert 0.0 <= lower <= upper <= 1.0
        found.append(upper - lower)
    assert np.mean(found) <= width + 2.0 * np.std(found) / 60**0.5


def test_a_model_that_knows_better_makes_limits_closer() -> None:
    rng = np.random.default_rng(1)
    w, _ = heavy(20_000, 1)
    q = rng.choice([0.02, 0.98], 20_000)
    r = (rng.random(20_000) < q).astype(float)
    blind = betting_limits(w, r, largest_weight=80.0)
    seeing = betting_limits(w, r, largest_weight=80.0, q=q, v=np.full(20_000, 0.5))
    assert seeing[1] - seeing[0] < 0.75 * (blind[1] - blind[0])


def test_rows_of_a_cluster_count_together() -> None:
    w, r = mild(400, 2)
    copied = betting_limits(np.repeat(w, 3), np.repeat(r, 3), cluster=np.repeat(np.arange(400), 3))
    assert copied == pytest.approx(betting_limits(w, r), abs=0.005)


def test_clusters_of_one_row_are_rows() -> None:
    w, r = mild(400, 3)
    alone = betting_limits(w, r, bounds=(-1.0, 1.0), cluster=np.arange(400))
    assert alone == pytest.approx(betting_limits(w, r, bounds=(-1.0, 1.0)), abs=0.002)


@given(st.integers(0, 30), st.sampled_from([0.5, 0.8, 0.95]))
@settings(max_examples=25)
def test_more_confidence_gives_limits_outside(seed: int, confidence: float) -> None:
    w, r = heavy(200, seed)
    inner = betting_limits(w, r, confidence=confidence, largest_weight=80.0)
    outer = betting_limits(w, r, confidence=0.5 + confidence / 2.0, largest_weight=80.0)
    assert outer[0] <= inner[0] <= inner[1] <= outer[1]


def test_no_rows_and_no_overlap_say_nothing() -> None:
    nothing = np.zeros(0)
    assert betting_limits(nothing, nothing, bounds=(-2.0, 5.0)) == (-2.0, 5.0)
    assert betting_limits(nothing, nothing, cluster=np.zeros(0, np.int64)) == (0.0, 1.0)
    assert betting_limits(np.zeros(1000), np.ones(1000)) == (0.0, 1.0)


def test_a_weight_above_what_was_declared_is_reckoned_with() -> None:
    w, r = heavy(2000, 4)
    declared = betting_limits(w, r, largest_weight=2.0)
    assert declared == betting_limits(w, r, largest_weight=80.0)


@pytest.mark.parametrize(
    ("w", "r", "message"),
    [
        ([1.0, -1.0], [0.0, 1.0], "weight is negative"),
        ([1.0, np.nan], [0.0, 1.0], "weight is negative or not finite"),
        ([1.0, 1.0], [0.0, 1.5], "outside the bounds 0 to 1"),
        ([1.0, 1.0], [0.0, np.nan], "outside the bounds"),
    ],
)
def test_impossible_numbers_are_refused(w: list[float], r: list[float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        betting_limits(np.array(w), np.array(r))


def test_running_limits_end_where_the_whole_log_does_and_only_narrow() -> None:
    days = [heavy(200, seed) for seed in range(12)]
    periods = [period(*day) for day in days]
    whole = period(*(np.concatenate(each) for each in zip(*days, strict=True)))
    for gain, limits_of in ((False, value_limits), (True, gain_limits)):
        lower, upper = confidence_sequence(periods, 0.95, gain=gain, largest_weight=80.0)
        assert (np.diff(lower) >= 0.0).all()
        assert (np.diff(upper) <= 0.0).all()
        last = limits_of(whole, 0.95, largest_weight=80.0)
        assert lower[-1] >= last[0] - 1e-7
        assert upper[-1] <= last[1] + 1e-7
        assert lower[-1] < (0.0 if gain else 0.925) < upper[-1]


def test_running_limits_of_a_log_that_no_value_fits_become_everything() -> None:
    lower, upper = confidence_sequence(
        [period(*mild(50, 5)), period(np.full(900, 3.0), np.ones(900))], 0.95
    )
    assert lower[0] > 0.0
    assert (lower[1], upper[1]) == (0.0, 1.0)


def test_no_periods_have_no_limits() -> None:
    for lower, upper in (confidence_sequence([], 0.95), changing_value_sequence([], 0.95)):
        assert len(lower) == len(upper) == 0


def drifting(seed: int) -> tuple[list[RowBets], Array]:
    """Success falls from 0.95 to 0.6; and the mean value so far."""
    values = np.linspace(0.95, 0.6, 12)
    periods = [period(*heavy(400, 100 * seed + day, value)) for day, value in enumerate(values)]
    return periods, values.cumsum() / np.arange(1, 13)


def test_the_mean_value_so_far_is_covered_though_it_moves() -> None:
    missed = 0
    for seed in range(60):
        periods, truth = drifting(seed)
        lower, upper = changing_value_sequence(periods, 0.9)
        assert ((lower >= 0.0) & (upper <= 1.0)).all()
        missed += bool(((lower > truth) | (upper < truth)).any())
    assert missed <= 12  # at most 6 expected


def test_limits_of_a_changing_value_are_closer_than_stitched_ones_and_wider_than_bets() -> None:
    w, r = heavy(20_000, 6)
    periods = [period(w[each], r[each]) for each in np.split(np.arange(20_000), 20)]
    lower, upper = changing_value_sequence(periods, 0.95)
    bets = confidence_sequence(periods, 0.95, largest_weight=80.0)
    theirs = oracle.vowpal_wabbit(w, r, 0.05)
    assert bets[1][-1] - bets[0][-1] < upper[-1] - lower[-1] < min(1.0, theirs[1]) - theirs[0]


def test_a_changing_value_of_no_rows_can_be_anything() -> None:
    empty = RowBets(-1.0, 3.0)
    lower, upper = changing_value_sequence([empty, empty], 0.95)
    assert lower.tolist() == [-1.0, -1.0]
    assert upper.tolist() == [3.0, 3.0]
