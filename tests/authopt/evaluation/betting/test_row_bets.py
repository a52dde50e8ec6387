from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.evaluation.betting.betting import Group, Scores, Variate, lower_limit
from authopt.evaluation.betting.context_classes import CLASSES, context_class, largest_of
from authopt.evaluation.betting.row_bets import (
    CONSTANTS,
    Limits,
    RowBets,
    gain_limits,
    value_limits,
)
from authopt.evaluation.betting.score_tally import NODES, Tally
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import bucket_of, integer_hashes
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import logging_terms, terms_of

Array = npt.NDArray[np.float64]
K = 4


def world(
    n: int, seed: int, with_model: bool = True, predictable: bool = False
) -> tuple[LoggedArrays, Array]:
    """A log of an epsilon-greedy policy over 10 contexts, and what a better policy would do."""
    rng = np.random.default_rng(seed)
    success = np.random.default_rng(99).uniform(0.5, 0.98, (10, K))
    if predictable:
        success = np.where(success > 0.74, 0.98, 0.02)
    context = rng.integers(0, 10, n)
    logging = np.full((10, K), 0.2 / K)
    logging[np.arange(10), success.argsort(1)[:, -2]] += 0.8
    probability = logging[context]
    chosen = (rng.random(n)[:, None] > probability.cumsum(axis=1)).sum(axis=1)
    better = np.full((10, K), 0.05)
    better[np.arange(10), success.argmax(1)] = 0.85
    log = LoggedArrays(
        offsets=np.arange(0, n * K + 1, K),
        chosen=chosen,
        reward=(rng.random(n) < success[context, chosen]).astype(float),
        propensity=probability[np.arange(n), chosen],
        probability=probability.ravel(),
        q=success[context].ravel() if with_model else None,
    )
    return log, better[context].ravel()


def block_of(log: LoggedArrays) -> Block:
    hashes = integer_hashes(np.arange(log.n))
    return Block(arrays=log, hashes=hashes, bucket=bucket_of(hashes), own=logging_terms(log))


def counted(log: LoggedArrays, policy: Array, low: float = 0.0, high: float = 1.0) -> RowBets:
    bets = RowBets(low, high)
    bets.add(block_of(log), terms_of(log, policy))
    return bets


def rows(w: Array, r: Array, largest: float = np.inf) -> RowBets:
    bets = RowBets(0.0, 1.0)
    bets.add_rows(w, r, context_class(np.full(len(w), largest)))
    return bets


def total(tally: Tally) -> float:
    return float(sum(counts @ NODES for counts in tally.counts.values()))


def test_doubly_robust_scores_have_the_value_and_the_gain_as_their_means() -> None:
    # Every action of one context as often as the logging policy takes it, with every reward.
    share, success = np.array([4, 2, 1, 1]), np.array([0.75, 0.5, 0.25, 0.5])
    policy, q = np.array([0.0, 0.25, 0.5, 0.25]), np.array([0.5, 0.9, 0.3, 0.1])
    chosen = np.repeat(np.arange(K), 4 * share)
    reward = np.concatenate(
        [np.arange(4 * s) < 4 * s * p for s, p in zip(share, success, strict=True)]
    )
    n = len(chosen)
    log = LoggedArrays(
        offsets=np.arange(0, n * K + 1, K),
        chosen=chosen,
        reward=reward.astype(float),
        propensity=(share / 8)[chosen],
        probability=np.tile(share / 8, n),
        q=np.tile(q, n),
    )
    bets = counted(log, np.tile(policy, n))
    value = policy @ success
    assert total(bets.model) / n == pytest.approx(value)
    assert total(bets.model_gain) / n == pytest.approx(value - share / 8 @ success)


@pytest.mark.parametrize("seed", range(3))
def test_limits_from_counts_contain_the_exact_ones_and_are_close(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w = rng.exponential(1.0, 500).clip(0.0, 7.9)
    r = rng.beta(4.0, 2.0, 500)
    largest = largest_of(int(context_class(np.array([8.0]))[0]))

    def exact(r: Array) -> float:
        controlled = tuple(Scores.of(w * (r - c) + c) for c in CONSTANTS)
        group = Group(largest, Scores.of(w * r), controlled)
        variates = [Variate(c, -c) for c in CONSTANTS]
        return lower_limit([group], variates, 0.025, 0.0, 1.0, largest_weight=largest)

    lower, upper = value_limits(rows(w, r, 8.0), 0.95, largest_weight=8.0)
    assert exact(r) - 0.005 <= lower <= exact(r) + 1e-8
    assert 1.0 - exact(1.0 - r) - 1e-8 <= upper <= 1.0 - exact(1.0 - r) + 0.005


@pytest.mark.parametrize("limits", [value_limits, gain_limits])
def test_parts_add_up_to_the_whole(limits: Callable[..., Limits]) -> None:
    log, policy = world(300, 1)
    whole = counted(log, policy)
    parts = RowBets(0.0, 1.0)
    for start, stop in ((0, 100), (100, 101), (101, 300)):
        piece = LoggedArrays(
            offsets=log.offsets[: stop - start + 1],
            chosen=log.chosen[start:stop],
            reward=log.reward[start:stop],
            propensity=log.propensity[start:stop],
            probability=log.probability[start * K : stop * K],
            q=log.q[start * K : stop * K],
        )
        parts = counted(piece, policy[start * K : stop * K]) + parts
    for each in (parts, RowBets.from_state(parts.state())):
        assert limits(each, 0.95) == pytest.approx(limits(whole, 0.95), abs=1e-8)


def test_the_value_and_the_gain_are_covered() -> None:
    truth = np.random.default_rng(99).uniform(0.5, 0.98, (10, K))
    ordered = np.sort(truth, axis=1)
    value = float((0.85 * ordered[:, -1] + 0.05 * ordered[:, :-1].sum(1)).mean())
    logged = float((0.8 * ordered[:, -2] + 0.05 * ordered.sum(1)).mean())
    for seed in range(5):
        bets = counted(*world(2000, seed))
        lower, upper = value_limits(bets, 0.95, largest_weight=20.0)
        assert lower <= value <= upper
        lower, upper = gain_limits(bets, 0.95, largest_weight=20.0)
        assert lower <= value - logged <= upper


@pytest.mark.parametrize("limits", [value_limits, gain_limits])
def test_a_good_reward_model_makes_limits_narrower(limits: Callable[..., Limits]) -> None:
    logs = (world(4000, 3, with_model, predictable=True) for with_model in (True, False))
    narrow, wide = (limits(counted(*each), 0.95, largest_weight=20.0) for each in logs)
    assert narrow[1] - narrow[0] < 0.8 * (wide[1] - wide[0])


def test_predictions_outside_the_bounds_are_not_used() -> None:
    log, policy = world(50, 4)
    beyond = replace(log, q=1.1 * log.q)
    assert counted(log, policy).model.counts
    assert not counted(beyond, policy).model.counts


@given(st.integers(0, 20))
@settings(max_examples=10)
def test_turning_rewards_round_turns_limits_round(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, r = rng.exponential(1.0, 60), rng.random(60)
    for limits, whole in ((value_limits, 1.0), (gain_limits, 0.0)):
        lower, upper = limits(rows(w, r, 20.0), 0.9, largest_weight=20.0)
        turned = limits(rows(w, 1.0 - r, 20.0), 0.9, largest_weight=20.0)
        assert turned == pytest.approx((whole - upper, whole - lower), abs=1e-7)


def test_limits_move_with_the_unit_of_the_reward() -> None:
    log, policy = world(400, 5, with_model=False)
    euros = replace(log, reward=60.0 * log.reward - 10.0)
    plain, scaled = counted(log, policy), counted(euros, policy, -10.0, 50.0)
    value, gain = value_limits(plain, 0.95), gain_limits(plain, 0.95)
    expected = 60.0 * np.array(value) - 10.0
    assert value_limits(scaled, 0.95) == pytest.approx(tuple(expected), abs=1e-6)
    assert gain_limits(scaled, 0.95) == pytest.approx(tuple(60.0 * np.array(gain)), abs=1e-6)


def test_without_overlap_all_rewards_are_possible() -> None:
    bets = rows(np.zeros(10_000), np.ones(10_000), 4.0)
    assert value_limits(bets, 0.95, largest_weight=np.inf) == (0.0, 1.0)
    lacking = RowBets(0.0, 1.0)
    lacking.add_rows(np.zeros(10_000), np.ones(10_000), np.full(10_000, CLASSES))
    assert value_limits(lacking, 0.95, largest_weight=4.0) == (0.0, 1.0)


def test_mass_without_support_counts_as_worst_and_as_best() -> None:
    # Half of the policy's probability is on an action that is never taken; the other always pays.
    n = 5000
    log = LoggedArrays(
        offsets=np.arange(0, 2 * n + 1, 2),
        chosen=np.zeros(n, np.int64),
        reward=np.ones(n),
        propensity=np.ones(n),
        probability=np.tile([1.0, 0.0], n),
    )
    lower, upper = value_limits(counted(log, np.full(2 * n, 0.5)), 0.95)
    assert lower == pytest.approx(0.5, abs=0.01)
    assert lower < 0.5
    assert upper == 1.0


@pytest.mark.parametrize("weight", [None, 80.0, np.inf])
def test_no_row_says_nothing_and_one_row_says_little(weight: float | None) -> None:
    assert value_limits(RowBets(-1.0, 3.0), 0.95, largest_weight=weight) == (-1.0, 3.0)
    assert gain_limits(RowBets(-1.0, 3.0), 0.95, largest_weight=weight) == (-4.0, 4.0)
    for reward in (0.0, 1.0):
        one = rows(np.ones(1), np.full(1, reward), 80.0)
        lower, upper = value_limits(one, 0.95, largest_weight=weight)
        assert upper - lower > 0.95


def test_weights_that_cannot_have_a_mean_of_one_leave_the_bounds() -> None:
    bets = rows(np.full(2000, 3.0), np.tile([0.0, 1.0], 1000), 4.0)
    assert value_limits(bets, 0.95, largest_weight=4.0) == (0.0, 1.0)
    assert gain_limits(bets, 0.95, largest_weight=4.0) == (-1.0, 1.0)


def test_the_gain_of_the_logging_policy_itself_is_around_nothing() -> None:
    log, _ = world(2000, 6, with_model=False)
    bets = RowBets(0.0, 1.0)
    bets.add(block_of(log), logging_terms(log))
    lower, upper = gain_limits(bets, 0.95)
    assert -0.02 < lower < 0.0 < upper < 0.02


def test_dependent_rows_widen_limits() -> None:
    bets = counted(*world(1000, 7))
    alone, together = (value_limits(bets, 0.95, longest=longest) for longest in (1, 3))
    assert together[0] < alone[0] < alone[1] < together[1]


@given(
    st.lists(st.tuples(st.floats(0.0, 1e9), st.floats(0.0, 1.0)), max_size=20),
    st.sampled_from([1.0, 4.0, 1e5, np.inf]),
    st.sampled_from([None, 1.0, 30.0, np.inf]),
)
@settings(max_examples=60)
def test_limits_are_in_order_and_in_range_whatever_is_counted(
    pairs: list[tuple[float, float]], largest: float, declared: float | None
) -> None:
    w, r = (np.array(each) for each in zip(*pairs, strict=True)) if pairs else (np.zeros(0),) * 2
    bets = rows(np.minimum(w, largest), r, largest)
    lower, upper = value_limits(bets, 0.95, largest_weight=declared)
    assert 0.0 <= lower <= upper <= 1.0
    lower, upper = gain_limits(bets, 0.95, largest_weight=declared)
    assert -1.0 <= lower <= upper <= 1.0


@pytest.mark.parametrize("weight", [1.0, 1.3, 5.6, 5.66, 79.9, 80.0])
def test_a_weight_at_its_bound_between_two_nodes_leaves_no_wealth_below_nothing(
    weight: float,
) -> None:
    bets = RowBets(0.0, 1.0)
    bound = context_class(np.full(3, weight))
    bets.add_rows(np.array([weight, 0.0, weight]), np.array([1.0, 0.0, 0.0]), bound)
    for limits_of in (value_limits, gain_limits):
        lower, upper = limits_of(bets, 0.95, largest_weight=weight)
        assert -1.0 <= lower <= upper <= 1.0
