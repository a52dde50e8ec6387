from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch
from authopt.policies.uniform import uniform
from authopt.policies.vw_floor import lifted, lifted_one
from authopt.sampling import normalise
from tests.authopt.policies.batches import Decision, batch_of, decisions

EPSILONS = st.one_of(st.sampled_from([0.0, 1e-6, 0.02, 1.0]), st.floats(0, 1))


def some_probabilities(batch: DecisionBatch, seed: int) -> np.ndarray:
    """Random ones, with zeros and ones among them, as explorers give them."""
    scores = np.random.default_rng(seed).exponential(size=batch.m) ** 8
    scores[np.arange(batch.m) % 3 == seed % 3] = 0.0
    empty = batch.sum_by_decision(scores) == 0
    return normalise(batch, np.where(np.repeat(empty, batch.counts), 1.0, scores))


@given(rows=decisions(), seed=st.integers(0, 99), epsilon=EPSILONS)
@settings(max_examples=40, deadline=None)
def test_no_action_is_below_the_floor_and_the_sum_stays_one(
    rows: list[Decision], seed: int, epsilon: float
) -> None:
    batch = batch_of(rows)
    probability = lifted(batch, some_probabilities(batch, seed), epsilon)
    assert (probability >= epsilon * uniform(batch) - 1e-16).all()
    assert np.abs(batch.sum_by_decision(probability) - 1.0).max() < 1e-15


@given(rows=decisions(), seed=st.integers(0, 99), epsilon=EPSILONS)
@settings(max_examples=40, deadline=None)
def test_no_action_moves_by_more_than_mixing_the_whole_of_epsilon_would_move_it(
    rows: list[Decision], seed: int, epsilon: float
) -> None:
    batch = batch_of(rows)
    before = some_probabilities(batch, seed)
    moved = np.abs(lifted(batch, before, epsilon) - before)
    assert (moved <= epsilon * np.abs(uniform(batch) - before) + 1e-15).all()


def test_a_decision_that_keeps_the_floor_is_left_as_it_is() -> None:
    batch = batch_of([Decision(1, (("a", 0), ("b", 0), ("c", 0)), None, 1.0, None, (0.0,) * 3)])
    before = np.array([0.9, 0.06, 0.04])
    assert np.array_equal(lifted(batch, before, 0.12), before)
    assert lifted(batch, before, 0.15)[2] == pytest.approx(0.05, abs=1e-16)


@given(rows=decisions(1), seed=st.integers(0, 99), epsilon=EPSILONS)
@settings(max_examples=40, deadline=None)
def test_one_decision_is_lifted_to_the_same_bits(
    rows: list[Decision], seed: int, epsilon: float
) -> None:
    batch = batch_of(rows)
    before = some_probabilities(batch, seed)
    assert lifted_one(before.tolist(), epsilon) == lifted(batch, before, epsilon).tolist()
