from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.evaluation.betting.context_classes import context_class
from authopt.evaluation.betting.pair_bets import PairBets, difference_limits
from authopt.evaluation.betting.row_bets import RowBets, gain_limits
from authopt.evaluation.betting.score_tally import NODES
from authopt.evaluation.block import Block
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import logging_terms, terms_of
from tests.authopt.evaluation.betting.test_row_bets import Array, K, block_of, world


def better_and_uniform(n: int, seed: int, with_model: bool = True) -> tuple[Block, Array, Array]:
    log, better = world(n, seed, with_model)
    return block_of(log), better, np.full(n * K, 1.0 / K)


def counted(block: Block, first: Array, second: Array) -> PairBets:
    bets = PairBets(0.0, 1.0)
    bets.add(block, terms_of(block.arrays, first), terms_of(block.arrays, second))
    return bets


def rows(a: Array, b: Array, r: Array, largest: float) -> PairBets:
    bets = PairBets(0.0, 1.0)
    bets.add_rows(a, b, r, context_class(np.full(len(a), largest)))
    return bets


def test_doubly_robust_scores_have_the_difference_as_their_mean() -> None:
    # Two actions, taken equally often, with every reward as often as it comes.
    chosen, reward = np.repeat([0, 1], 4), np.array([1.0, 1, 1, 0, 1, 0, 0, 0])
    log = LoggedArrays(
        offsets=np.arange(0, 17, 2),
        chosen=chosen,
        reward=reward,
        propensity=np.full(8, 0.5),
        probability=np.full(16, 0.5),
        q=np.tile([0.9, 0.4], 8),
    )
    bets = counted(block_of(log), np.tile([1.0, 0.0], 8), np.tile([0.25, 0.75], 8))
    (counts,) = bets.model.counts.values()
    assert counts @ NODES / 8 == pytest.approx(0.75 - (0.25 * 0.75 + 0.75 * 0.25))


def test_the_difference_is_covered() -> None:
    success = np.random.default_rng(99).uniform(0.5, 0.98, (10, K))
    ordered = np.sort(success, axis=1)
    truth = float((0.85 * ordered[:, -1] + 0.05 * ordered[:, :-1].sum(1)).mean() - success.mean())
    for seed in range(5):
        bets = counted(*better_and_uniform(2000, seed))
        lower, upper = difference_limits(bets, 0.95, largest_weight=20.0)
        assert lower <= truth <= upper
        assert upper - lower < 0.4


def test_policies_that_agree_nearly_everywhere_are_told_apart_closely() -> None:
    log, policy = world(4000, 1, with_model=False)
    other = policy.copy()
    other[: 100 * K] = np.tile(np.eye(K)[0], 100)
    bets = counted(block_of(log), policy, other)
    lower, upper = difference_limits(bets, 0.95, largest_weight=20.0)
    alone = PairBets(0.0, 1.0, bets.lower, bets.upper, bets.difference)
    plain = difference_limits(alone, 0.95, largest_weight=np.inf)
    assert upper - lower < 0.3 * (plain[1] - plain[0])


@given(st.integers(0, 50))
@settings(max_examples=10)
def test_changing_places_changes_the_sign(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, r = rng.exponential(1.0, 80), rng.exponential(1.0, 80), rng.random(80)
    lower, upper = difference_limits(rows(a, b, r, 20.0), 0.9, largest_weight=20.0)
    turned = difference_limits(rows(b, a, r, 20.0), 0.9, largest_weight=20.0)
    assert turned == pytest.approx((-upper, -lower), abs=1e-7)


def test_the_difference_to_the_logging_policy_is_its_gain() -> None:
    block, better, _ = better_and_uniform(1000, 2, with_model=False)
    terms = terms_of(block.arrays, better)
    pair, single = PairBets(0.0, 1.0), RowBets(0.0, 1.0)
    pair.add(block, terms, logging_terms(block.arrays))
    single.add(block, terms)
    found = difference_limits(pair, 0.95, largest_weight=np.inf)
    expected = gain_limits(single, 0.95, largest_weight=np.inf)
    # The scores are the same; they are put on the grid after or before they are formed.
    assert found == pytest.approx(expected, abs=0.01)


def test_parts_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(3)
    a, b, r = rng.exponential(1.0, 300), rng.exponential(1.0, 300), rng.random(300)
    whole, parts = rows(a, b, r, 30.0), PairBets(0.0, 1.0)
    for each in (slice(0, 7), slice(7, 8), slice(8, 300)):
        parts = PairBets.from_state((rows(a[each], b[each], r[each], 30.0) + parts).state())
    expected = difference_limits(whole, 0.95)
    assert difference_limits(parts, 0.95) == pytest.approx(expected, abs=1e-8)


def test_predictions_outside_the_bounds_are_not_used() -> None:
    block, first, second = better_and_uniform(50, 4)
    beyond = block_of(replace(block.arrays, q=1.1 * block.arrays.q))
    assert counted(block, first, second).model.counts
    assert not counted(beyond, first, second).model.counts


@pytest.mark.parametrize("weight", [None, 4.0, np.inf])
def test_no_rows_and_no_overlap_leave_every_difference_possible(weight: float | None) -> None:
    assert difference_limits(PairBets(0.0, 2.0), 0.95, largest_weight=weight) == (-2.0, 2.0)
    nothing, ones = np.zeros(5000), np.ones(5000)
    bets = rows(nothing, nothing, ones, np.inf)
    assert difference_limits(bets, 0.95, largest_weight=weight) == (-1.0, 1.0)
