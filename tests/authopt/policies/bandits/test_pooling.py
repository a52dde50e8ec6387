from __future__ import annotations

import numpy as np
import pytest

from authopt.batch import FloatArray
from authopt.policies.bandits.pooling import STRENGTH, Posterior, Tree, pool


def drawn(
    strength: float, segments: int, attempts: int, seed: int = 0
) -> tuple[Tree, FloatArray, FloatArray]:
    """Segments whose rates are drawn around those of two routes, and outcomes in them."""
    rng = np.random.default_rng(seed)
    rates = np.array([0.6, 0.8])
    own = rng.beta(strength * rates, strength * (1 - rates), (segments, 2))
    tried = rng.integers(1, 2 * attempts, (segments, 2)).astype(np.float64)
    keys = [(f"s{number}",) for number in range(segments)]
    return Tree.of(keys, 1), tried, rng.binomial(tried.astype(np.int64), own).astype(np.float64)


@pytest.mark.parametrize("strength", [5.0, 40.0])
def test_the_strength_of_a_level_is_found_again(strength: float) -> None:
    tree, tried, won = drawn(strength, 1_500, 25)
    found = pool(tree, tried, won, tried).strengths[1]
    assert found == pytest.approx(strength, rel=0.25)


def test_discounted_counts_tell_the_same_strength() -> None:
    tree, tried, won = drawn(10.0, 1_500, 25)
    faded = pool(tree, 0.5 * tried, 0.5 * won, 0.25 * tried).strengths[1]
    assert faded == pytest.approx(pool(tree, tried, won, tried).strengths[1], rel=0.01)


def test_segments_that_do_not_differ_lean_on_each_other_strongly() -> None:
    tree, tried, won = drawn(1e6, 600, 40)
    assert pool(tree, tried, won, tried).strengths[1] > 300


def test_a_single_segment_tells_nothing_of_how_much_segments_differ() -> None:
    tree = Tree.of([("one",)], 1)
    counts = np.array([[50.0, 60.0]])
    assert pool(tree, counts, counts * 0.7, counts).strengths[1] == STRENGTH


def test_much_traffic_speaks_for_itself_and_little_leans_on_the_rest() -> None:
    keys = [(f"s{number}",) for number in range(40)]
    tried = np.full((40, 1), 200.0)
    won = 200.0 * np.linspace(0.7, 0.9, 40)[:, None]
    tried[0], won[0] = 20_000.0, 4_000.0
    tried[1], won[1] = 2.0, 0.0
    pooled = pool(Tree.of(keys, 1), tried, won, tried)
    mean = pooled.levels[1].mean[:, 0]
    assert mean[0] == pytest.approx(0.2, abs=0.01)
    assert 0.5 < mean[1] < 0.85


def test_a_new_segment_is_like_the_others_of_its_parent_but_less_certain() -> None:
    keys = [(country, f"{country}{number}") for country in "ab" for number in range(30)]
    tried = np.full((60, 1), 100.0)
    won = np.where(np.arange(60) < 30, 90.0, 60.0)[:, None]
    pooled = pool(Tree.of(keys, 2), tried, won, tried)
    new = pooled.of([("a", "unseen"), ("b", "unseen"), ("c", "unseen"), ("a", "a0")])
    assert new.mean[0, 0] == pytest.approx(0.9, abs=0.03)
    assert new.mean[1, 0] == pytest.approx(0.6, abs=0.03)
    assert 0.65 < new.mean[2, 0] < 0.85
    assert new.variance[2, 0] > new.variance[0, 0] > new.variance[3, 0]


def test_the_law_of_total_variance_agrees_with_drawing_the_parent_too() -> None:
    parent = Posterior(np.array([[0.7]]), np.array([[0.004]]))
    a, b = parent.betas()
    rng = np.random.default_rng(1)
    u = rng.beta(a[0, 0], b[0, 0], 400_000)
    child = rng.beta(30 * u + 14, 30 * (1 - u) + 6)
    found = parent.below(np.array([[20.0]]), np.array([[14.0]]), 30.0)
    assert found.mean[0, 0] == pytest.approx(child.mean(), abs=1e-3)
    assert found.variance[0, 0] == pytest.approx(child.var(), rel=0.02)


def test_evidence_of_many_segments_counts_for_more_than_that_of_one() -> None:
    one, many = Tree.of([("a",)], 1), Tree.of([(f"{n}",) for n in range(50)], 1)
    all_in_one = pool(one, np.array([[500.0]]), np.array([[350.0]]), np.array([[500.0]]), 20.0)
    tried = np.full((50, 1), 10.0)
    over_many = pool(many, tried, 7.0 * np.ones((50, 1)), tried, 20.0)
    assert over_many.levels[0].variance[0, 0] < all_in_one.levels[0].variance[0, 0] / 5
