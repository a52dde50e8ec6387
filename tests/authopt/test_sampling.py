"""The draw of an action follows the probabilities and depends on the decision alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from authopt.batch import DecisionBatch
from authopt.sampling import normalise, sample, uniforms
from tests.factories import logged_batch


def _decisions(n: int = 200, seed: int = 0) -> DecisionBatch:
    return logged_batch(n, seed=seed).decisions()


@given(st.integers(0, 10_000), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_a_decision_draws_the_same_action_alone_and_in_any_batch(seed: int, n: int) -> None:
    batch = _decisions(n, seed)
    weights = np.random.default_rng(seed).random(batch.m)
    probability = normalise(batch, weights)
    together = sample(batch, probability, uniforms(batch.decision_id))
    for row in {0, n // 2, n - 1}:
        one = batch.take(slice(row, row + 1))
        alone = normalise(one, weights[batch.offsets[row] : batch.offsets[row + 1]])
        assert sample(one, alone, uniforms(one.decision_id))[0] == together[row]


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_an_action_of_probability_zero_is_never_drawn(seed: int) -> None:
    batch = _decisions(100, seed)
    rng = np.random.default_rng(seed)
    weights = rng.random(batch.m) * (rng.random(batch.m) < 0.5)
    weights[batch.offsets[:-1] + rng.integers(0, 3, batch.n)] = 1e-12
    probability = normalise(batch, weights)
    for u in (0.0, 1 - 2**-53):
        chosen = sample(batch, probability, np.full(batch.n, u))
        assert (probability[batch.offsets[:-1] + chosen] > 0).all()


def test_draws_follow_the_probabilities() -> None:
    batch = _decisions(30_000)
    probability = normalise(batch, np.tile([0.7, 0.2, 0.1], batch.n))
    chosen = sample(batch, probability, uniforms(batch.decision_id))
    expected = np.array([0.7, 0.2, 0.1]) * batch.n
    assert stats.chisquare(np.bincount(chosen, minlength=3), expected).pvalue > 0.001


def test_another_salt_draws_anew() -> None:
    batch = _decisions(1_000)
    assert not np.array_equal(uniforms(batch.decision_id, "a"), uniforms(batch.decision_id, "b"))


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
def test_impossible_probabilities_are_refused(bad: float) -> None:
    batch = _decisions(2)
    with pytest.raises(ValueError, match="negative or not finite"):
        normalise(batch, np.array([bad, 1, 1, 1, 1, 1]))


def test_a_decision_without_any_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 0"):
        normalise(_decisions(2), np.array([0, 0, 0, 1, 1, 1.0]))
