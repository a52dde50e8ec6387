"""The anytime-valid lower limit of the gain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.evaluation.terms import Terms
from authopt.learning.gate.sequence import BLOCK, GainSequence


def terms(w: np.ndarray | None, r: np.ndarray, largest: float, lacking: float = 0.0) -> Terms:
    missing = np.full(len(r), lacking) if lacking else None
    return Terms(w=w, r=r, unsupported=missing, largest_weight=largest)


def two_armed(n: int, seed: int, chance: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the policy that takes arm 1 alone, in a log that draws arms alike, and rewards."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    return 2.0 * arm, (rng.random(n) < np.array(chance)[arm]).astype(np.float64)


def limit(w: np.ndarray, r: np.ndarray, alpha: float = 0.05) -> float:
    sequence = GainSequence(0.0, 1.0)
    sequence.add(terms(w, r, 2.0), terms(None, r, 1.0))
    return sequence.lower(alpha)


def test_a_real_gain_is_shown_once_the_log_is_long_enough() -> None:
    found = [limit(*two_armed(n, 1, (0.2, 0.4))) for n in (100, 2_000, 50_000)]
    assert found[0] < 0.0 < found[1] < found[2] < 0.1


def test_at_no_time_is_it_above_the_truth_more_often_than_it_may_be() -> None:
    # The candidate gains nothing: both arms are alike.
    wrong = 0
    for seed in range(60):
        w, r = two_armed(3_000, seed, (0.3, 0.3))
        sequence = GainSequence(0.0, 1.0)
        above = False
        for start in range(0, 3_000, 300):
            rows = slice(start, start + 300)
            sequence.add(terms(w[rows], r[rows], 2.0), terms(None, r[rows], 1.0))
            above |= sequence.lower(0.1) > 0.0
        wrong += above
    assert wrong <= 0.1 * 60


def test_the_gain_is_that_of_the_first_policy_over_the_second() -> None:
    w, r = two_armed(20_000, 3, (0.2, 0.5))
    sequence = GainSequence(0.0, 1.0)
    sequence.add(terms(w, r, 2.0), terms(2.0 - w, r, 2.0))
    turned = GainSequence(0.0, 1.0)
    turned.add(terms(2.0 - w, r, 2.0), terms(w, r, 2.0))
    assert 0.2 < sequence.lower(0.05) < 0.3
    assert turned.lower(0.05) < -0.3


def test_rewards_in_other_units_scale_the_limit() -> None:
    w, r = two_armed(5_000, 4, (0.2, 0.5))
    sequence = GainSequence(-100.0, 300.0)
    reward = -100.0 + 400.0 * r
    sequence.add(terms(w, reward, 2.0), terms(None, reward, 1.0))
    assert sequence.lower(0.05) == pytest.approx(400.0 * limit(w, r))


def test_mass_without_support_counts_as_worthless() -> None:
    w, r = two_armed(20_000, 5, (0.3, 0.5))
    supported = limit(w, r)
    sequence = GainSequence(0.0, 1.0)
    sequence.add(terms(0.8 * w, r, 2.0, lacking=0.2), terms(None, r, 1.0))
    # A fifth of what earned 0.5 earns nothing.
    assert sequence.lower(0.05) == pytest.approx(supported - 0.1, abs=0.02)


def test_a_log_that_bounds_no_weight_shows_nothing() -> None:
    r = np.ones(1_000)
    sequence = GainSequence(0.0, 1.0)
    sequence.add(terms(np.ones(1_000), r, np.inf), terms(None, r, 1.0))
    assert sequence.lower(0.05) == -1.0
    assert sequence.lower(0.05, largest_weight=5.0) > -1.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3 * BLOCK), min_size=1, max_size=5))
def test_it_does_not_depend_on_the_chunks_of_the_log(sizes: list[int]) -> None:
    w, r = two_armed(sum(sizes), 6, (0.2, 0.4))
    whole = GainSequence(0.0, 1.0)
    whole.add(terms(w, r, 2.0), terms(None, r, 1.0))
    parts, start = GainSequence(0.0, 1.0), 0
    for size in sizes:
        rows = slice(start, start + size)
        parts.add(terms(w[rows], r[rows], 2.0), terms(None, r[rows], 1.0))
        start += size
    assert parts.lower(0.05) == pytest.approx(whole.lower(0.05))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_less_error_gives_a_lower_limit(one: float, other: float) -> None:
    w, r = two_armed(2_000, 7, (0.2, 0.4))
    strict, lax = sorted((one, other))
    assert limit(w, r, strict) <= limit(w, r, lax) + 1e-9
