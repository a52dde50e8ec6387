from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.evaluation.betting.betting import (
    PLAIN,
    Group,
    Scores,
    Variate,
    log_wealth,
    lower_limit,
    stakes_of,
)
from tests.authopt.evaluation.betting.crossings import ever_wrong, most

Array = npt.NDArray[np.float64]
RUNS, ROWS = 500, 400
CONSTANTS = (0.25, 0.5, 1.0)


def limit(s: Array, alpha: float = 0.05, longest: int = 1, m: Array | None = None) -> float:
    scores = Scores(s, np.ones(len(s)) if m is None else m, np.ones(len(s)))
    return lower_limit([Group(np.inf, scores)], (), alpha, 0.0, 1.0, longest=longest)


def controlled(w: Array, r: Array) -> list[Array]:
    return [w * (r - c) + c for c in CONSTANTS]


VARIATES = [Variate(c, -c) for c in CONSTANTS]


@pytest.mark.parametrize("mean", [0.02, 0.5, 0.92])
def test_chances_are_ever_excluded_no_more_often_than_promised(mean: float) -> None:
    drawn = (np.random.default_rng(1).random((RUNS, ROWS)) < mean).astype(np.int64)
    assert ever_wrong(drawn, np.array([0.0, 1.0]), [], [], mean) <= most(RUNS)


@pytest.mark.parametrize("mirrored", [False, True])
def test_values_under_heavy_weights_are_ever_excluded_no_more_often(mirrored: bool) -> None:
    # Epsilon-greedy logging with epsilon 0.05 and 4 actions: weight 80 with a chance of 1 / 80.
    rng = np.random.default_rng(2)
    w, r = np.array([0.0, 80.0, 80.0]), np.array([0.0, 0.0, 1.0])
    hit = rng.random((RUNS, ROWS)) < 1 / 80
    drawn = hit * (1 + (rng.random((RUNS, ROWS)) < 0.925))
    theta = 0.075 if mirrored else 0.925
    r = 1.0 - r if mirrored else r
    wrong = ever_wrong(drawn, w * r, controlled(w, r), VARIATES, theta, largest_weight=80.0)
    assert wrong <= most(RUNS)


def adaptive_draws(rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The chance of the judged action is 0.8 after a success and 0.05 after a failure.

    Outcomes: 0 another action; 1, 2 failure and success at 0.05; 3, 4 at 0.8; the value is 0.7.
    """
    drawn = np.zeros((RUNS, ROWS), np.int64)
    eager = np.zeros(RUNS, bool)
    for row in range(ROWS):
        taken = rng.random(RUNS) < np.where(eager, 0.8, 0.05)
        success = rng.random(RUNS) < np.where(taken, 0.7, 0.3)
        drawn[:, row] = taken * (1 + success + 2 * eager)
        eager = success
    return drawn


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_logging_policy_that_learns_from_the_past_changes_nothing(mirrored: bool) -> None:
    drawn = adaptive_draws(np.random.default_rng(3))
    w = np.array([0.0, 20.0, 20.0, 1.25, 1.25])
    r = np.array([0.0, 0.0, 1.0, 0.0, 1.0])
    r = 1.0 - r if mirrored else r
    theta = 0.3 if mirrored else 0.7
    wrong = ever_wrong(drawn, w * r, controlled(w, r), VARIATES, theta, largest_weight=20.0)
    assert wrong <= most(RUNS)


def retried_payments(rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], Array, Array, float]:
    """Payments of up to 3 attempts, each of which fares like the first: fully dependent rows.

    Outcome (m, s): 1 attempt with success; 2 or 3 attempts, none or all successful.
    """
    outcomes = [(1, 1.0), (1, 0.0), (3, 0.0), (3, 3.0)]
    chance = np.array([0.4, 0.1, 0.2, 0.3])
    m, s = (np.array(each, float) for each in zip(*outcomes, strict=True))
    drawn = rng.choice(4, (RUNS, ROWS), p=chance)
    return drawn, s, m, float((chance @ s) / (chance @ m))


def test_sums_over_payments_are_ever_excluded_no_more_often_than_promised() -> None:
    drawn, s, m, theta = retried_payments(np.random.default_rng(4))
    assert ever_wrong(drawn, s, [], [], theta, rows=m, longest=3) <= most(RUNS)


def as_rows(drawn: npt.NDArray[np.int64], s: Array, m: Array) -> list[npt.NDArray[np.int64]]:
    return [np.repeat((s > 0)[run].astype(np.int64), m[run].astype(np.int64)) for run in drawn]


def test_rows_of_a_payment_that_depend_on_each_other_need_their_power() -> None:
    drawn, s, m, theta = retried_payments(np.random.default_rng(5))
    plain = np.array([0.0, 1.0])
    naive = rooted = 0
    for run in as_rows(drawn, s, m):
        naive += ever_wrong(run[None, :], plain, [], [], theta)
        rooted += ever_wrong(run[None, :], plain, [], [], theta, power=1 / 3)
    assert rooted <= most(RUNS) < naive


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_differences_of_policies_are_ever_excluded_no_more_often(sign: float) -> None:
    # Uniform logging of 3 actions that succeed with 0.9, 0.6 and 0.5; the first policy takes the
    # first action, the second one the second.
    rng = np.random.default_rng(6)
    succeed = np.array([0.9, 0.6, 0.5])
    action = rng.integers(0, 3, (RUNS, ROWS))
    drawn = 2 * action + (rng.random((RUNS, ROWS)) < succeed[action])
    a, b = np.array([3.0, 3, 0, 0, 0, 0]), np.array([0.0, 0, 3, 3, 0, 0])
    a, b = (a, b) if sign > 0 else (b, a)
    r = np.tile([0.0, 1.0], 3)
    plain = a * r + b * (1.0 - r)
    scores = [1.0 + (a - b) * (r - c) for c in (0.0, 0.5, 1.0)]
    variates = [Variate(max(c, 1.0 - c), -1.0) for c in (0.0, 0.5, 1.0)]
    wrong = ever_wrong(drawn, plain, scores, variates, 1.0 + sign * 0.3, largest_weight=3.0)
    assert wrong <= most(RUNS)


def test_wealth_on_an_impossible_value_is_seen_to_cross() -> None:
    drawn = (np.random.default_rng(7).random((50, ROWS)) < 0.9).astype(np.int64)
    assert ever_wrong(drawn, np.array([0.0, 1.0]), [], [], 0.5) == 50


@given(
    st.lists(st.floats(0.0, 80.0), min_size=1, max_size=8),
    st.floats(0.05, 0.95),
)
def test_mean_wealth_is_one_whatever_the_distribution(values: list[float], level: float) -> None:
    # One row, equally likely to be any of the values, against its own mean.
    s = np.array(values)
    s = np.append(s, 0.0)
    s *= level / max(s.mean(), 1e-3)
    theta = float(s.mean())
    if theta < 1e-6:
        return
    wealth = [
        np.exp(log_wealth(stakes_of([Group(np.inf, Scores.of(s[[i]]))], (), np.inf), theta))
        for i in range(len(s))
    ]
    assert np.mean(wealth) == pytest.approx(1.0, rel=1e-9)


@given(st.floats(0.0, 1.0), st.floats(1.0, 1e4))
def test_mean_wealth_is_at_most_one_with_control_variates(rate: float, weight: float) -> None:
    # Weight ``weight`` with a chance of 1 / weight, else 0: mean 1; success with ``rate``.
    w, r = np.array([weight, weight, 0.0]), np.array([1.0, 0.0, 0.0])
    chance = np.array([rate / weight, (1.0 - rate) / weight, 1.0 - 1.0 / weight])
    theta = max(rate, 1e-6)
    scores = controlled(w, r)
    wealth = []
    for i in range(3):
        group = Group(
            weight, Scores.of((w * r)[[i]]), tuple(Scores.of(each[[i]]) for each in scores)
        )
        wealth.append(np.exp(log_wealth(stakes_of([group], VARIATES, weight), theta)))
    assert chance @ wealth <= 1.0 + 1e-9


def test_contexts_that_allow_larger_weights_than_declared_keep_plain_scores() -> None:
    within = Group(8.0, Scores.of(np.array([1.0])), (Scores.of(np.array([-3.0])),))
    beyond = Group(64.0, Scores.of(np.array([2.0])), (Scores.of(np.array([-30.0])),))
    plain, mixed = stakes_of([within, beyond], [Variate(0.5, -0.5)], 8.0)
    assert plain.scores.s.tolist() == [1.0, 2.0]
    assert mixed.scores.s.tolist() == [-3.0, 2.0]


def test_without_a_declared_weight_each_bet_controls_what_it_can_afford() -> None:
    groups = [
        Group(bound, Scores.of(np.array([0.0])), (Scores.of(np.array([-bound])),))
        for bound in (2.0, 32.0)
    ]
    stakes = stakes_of(groups, [Variate(1.0, 0.0)], None)
    seen = {tuple(stake.scores.s.tolist()) for stake in stakes}
    assert seen == {(0.0, 0.0), (-2.0, 0.0), (-2.0, -32.0)}
    for stake in stakes:
        assert (stake.scores.s.min() >= -stake.k).all()
    assert sum(np.exp(stake.log_share).sum() for stake in stakes) == pytest.approx(1.0)


def test_the_limit_is_where_the_wealth_reaches_one_over_alpha() -> None:
    s = np.random.default_rng(8).random(200)
    group = Group(np.inf, Scores.of(s))
    found = limit(s, 0.05)
    assert log_wealth(stakes_of([group], (), np.inf), found) == pytest.approx(
        np.log(20.0), abs=1e-4
    )


def test_shares_of_the_first_wealth_add_up_to_one() -> None:
    assert PLAIN.share.sum() == pytest.approx(1.0)


def test_nothing_observed_rules_nothing_out() -> None:
    assert lower_limit([], (), 0.05, 0.0, 1.0) == 0.0
    assert lower_limit([], [Variate(1.0, 0.0)], 0.05, 0.0, 1.0) == 0.0
    assert limit(np.zeros(0)) == 0.0
    assert limit(np.zeros(1000)) == 0.0


def test_scores_that_no_value_explains_rule_everything_out() -> None:
    assert limit(np.full(1000, 5.0)) == 1.0


@given(st.integers(1, 400), st.floats(0.01, 0.4))
def test_a_smaller_alpha_gives_a_smaller_limit(n: int, alpha: float) -> None:
    s = np.random.default_rng(n).random(n)
    assert limit(s, alpha / 2.0) <= limit(s, alpha)


def test_clusters_of_one_row_are_rows() -> None:
    s = np.random.default_rng(9).random(100)
    assert limit(s, m=np.ones(100)) == limit(s)
