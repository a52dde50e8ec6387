from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import FloatArray
from authopt.evaluation.block import Block
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.score_histogram import MOST_EXACT, ScoreHistogram
from authopt.evaluation.terms import Terms

Rows = tuple[FloatArray, FloatArray, FloatArray]


def rows(rng: np.random.Generator, n: int, *, few: bool, lacking: bool) -> Rows:
    """Weights, masses without support and rewards between -1 and 3."""
    w = rng.choice([0.0, 1 / 0.9, 20.0], n) if few else rng.exponential(1.0, n)
    missing = rng.choice([0.0, 0.25], n) if lacking else np.zeros(n)
    r = rng.choice([-1.0, 3.0], n) if few else rng.uniform(-1.0, 3.0, n)
    return w, missing, r


def histogram(*parts: Rows) -> ScoreHistogram:
    total = ScoreHistogram(-1.0, 3.0)
    for part in parts:
        total.add_rows(*part)
    return total


def assert_same(one: ScoreHistogram, other: ScoreHistogram) -> None:
    assert one.exact == other.exact
    assert np.array_equal(one.keys, other.keys)
    assert one.sums == pytest.approx(other.sums, rel=1e-12, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.integers(0, 3_000))
def test_parts_in_any_order_add_up_to_the_whole(
    seed: int, few: bool, lacking: bool, n: int
) -> None:
    rng = np.random.default_rng(seed)
    w, missing, r = rows(rng, n, few=few, lacking=lacking)
    cuts = np.sort(rng.integers(0, n + 1, 3))
    parts = [
        (w[start:stop], missing[start:stop], r[start:stop])
        for start, stop in zip([0, *cuts], [*cuts, n], strict=True)
    ]
    whole = histogram((w, missing, r))
    assert_same(whole, histogram(*parts))
    backwards = histogram()
    for part in reversed(parts):
        backwards = backwards + histogram(part)
    assert_same(whole, backwards)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_sums_over_all_rows_are_exact(seed: int, lacking: bool) -> None:
    w, missing, r = rows(np.random.default_rng(seed), 3_000, few=False, lacking=lacking)
    found = histogram((w, missing, r))
    assert not found.exact
    assert len(found.keys) < 3_000
    assert found.rows.sum() == 3_000
    for name, expected in (("coverage", w + missing), ("unsupported", missing), ("wr", w * r)):
        assert found.rows @ found.mean({name: 1.0}) == pytest.approx(expected.sum(), rel=1e-9)


def test_few_distinct_rows_are_kept_as_they_are() -> None:
    w, missing, r = rows(np.random.default_rng(0), 10_000, few=True, lacking=True)
    found = histogram((w, missing, r))
    distinct, counts = np.unique(np.stack([w + missing, missing, r]), axis=1, return_counts=True)
    assert found.exact
    assert sorted(found.rows) == sorted(counts)
    kept = np.stack([found.mean({name: 1.0}) for name in ("coverage", "unsupported", "r")])
    assert kept[:, np.lexsort(kept)] == pytest.approx(distinct[:, np.lexsort(distinct)])


def test_cells_are_narrow_and_the_ends_of_the_rewards_stand_alone() -> None:
    rng = np.random.default_rng(0)
    w, r = rng.exponential(1.0, 5_000) + 0.01, rng.choice([-1.0, 1.0, 3.0], 5_000)
    found = histogram((w, np.zeros(5_000), r))
    assert set(np.round(found.mean({"r": 1.0}), 9)) == {-1.0, 1.0, 3.0}
    assert len(found.keys) < 3 * 32 * 12


def test_many_distinct_rows_lose_their_identity_for_good() -> None:
    one = histogram((np.linspace(1.0, 2.0, MOST_EXACT), np.zeros(MOST_EXACT), np.ones(MOST_EXACT)))
    assert one.exact
    two = one + histogram((np.array([5.0]), np.zeros(1), np.ones(1)))
    assert not two.exact
    assert len(two.keys) == 34


def test_a_state_gives_the_histogram_back() -> None:
    whole = histogram(rows(np.random.default_rng(0), 3_000, few=False, lacking=True))
    state = whole.state()
    assert all(array.dtype != object for array in state.values())
    assert_same(whole, ScoreHistogram.from_state(state))


def test_rewards_with_other_bounds_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="different bounds"):
        histogram() + ScoreHistogram(0.0, 1.0)


def test_a_block_of_the_logging_policy_has_weights_of_one() -> None:
    arrays = LoggedArrays(
        offsets=np.array([0, 2, 4]),
        chosen=np.zeros(2, np.int64),
        reward=np.array([0.0, 1.0]),
        propensity=np.full(2, 0.5),
    )
    own = Terms(w=None, r=arrays.reward, largest_weight=1.0)
    zeros = np.zeros(2, np.int64)
    block = Block(arrays=arrays, hashes=zeros.astype(np.uint64), bucket=zeros, own=own)
    found = ScoreHistogram(0.0, 1.0)
    found.add(block, own)
    assert found.mean({"coverage": 1.0}).tolist() == [1.0, 1.0]
    assert found.mean({"wr": 1.0}).sum() == 1.0
