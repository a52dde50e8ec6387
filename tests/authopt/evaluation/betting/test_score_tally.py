from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.evaluation.betting.score_tally import NODES, Tally, split

VALUES = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=30)


def tally(values: np.ndarray, key: int = 0) -> Tally:
    total = Tally()
    total.add(np.full(len(values), key), values)
    return total


@given(VALUES)
def test_the_mean_is_kept(values: list[float]) -> None:
    counts = tally(np.array(values)).counts[0]
    assert counts.sum() == pytest.approx(len(values))
    assert counts @ NODES == pytest.approx(np.sum(values), abs=1e-6, rel=1e-9)


@given(VALUES, st.floats(0.0, 1e-6))
def test_a_sum_of_logarithms_is_never_larger_from_the_grid(
    values: list[float], stake: float
) -> None:
    counts = tally(np.array(values)).counts[0]
    node = np.flatnonzero(counts)
    from_grid = counts[node] @ np.log1p(0.9 * stake * NODES[node])
    assert from_grid <= np.log1p(0.9 * stake * np.array(values)).sum() + 1e-9


def test_zero_and_small_whole_numbers_and_usual_weights_are_counted_exactly() -> None:
    values = np.concatenate([np.arange(-32.0, 33.0), [80.0, 200.0, -80.0, 0.5, 0.25]])
    place, share = split(values)
    np.testing.assert_array_equal(NODES[place], values)
    np.testing.assert_array_equal(share, 0.0)


def test_neighbouring_nodes_are_within_a_sixteenth() -> None:
    positive = NODES[NODES > 0.0]
    assert (np.diff(positive) / positive[:-1]).max() <= 1.0 / 16.0 + 1e-12


def test_a_value_beyond_the_grid_is_lowered_to_its_end() -> None:
    counts = tally(np.array([1e30])).counts[0]
    assert counts[-1] == 1.0
    assert counts.sum() == 1.0


def test_a_value_below_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="below the grid"):
        split(np.array([-1e30]))


def test_nothing_to_count_leaves_nothing() -> None:
    assert not tally(np.zeros(0)).counts


def test_weights_share_out_what_a_value_counts() -> None:
    total = Tally()
    total.add(np.array([3, 3]), np.array([2.0, 2.0]), np.array([0.25, 0.5]))
    assert total.counts[3].max() == 0.75


@given(VALUES, VALUES, st.integers(0, 3))
def test_parts_add_up_to_the_whole_and_survive_storage(
    first: list[float], second: list[float], key: int
) -> None:
    whole = tally(np.array(first + second))
    whole.add(np.full(2, key + 5), np.array([1.0, 2.5]))
    left, right = tally(np.array(first)), tally(np.array(second))
    right.add(np.full(2, key + 5), np.array([1.0, 2.5]))
    merged = Tally.from_state((left + right).state())
    assert merged.counts.keys() == whole.counts.keys()
    for each, counts in whole.counts.items():
        np.testing.assert_allclose(merged.counts[each], counts, atol=1e-9)


def test_adding_up_leaves_the_parts_as_they_were() -> None:
    left, right = tally(np.array([1.0])), tally(np.array([1.0]))
    total = left + right
    total.add(np.array([0]), np.array([1.0]))
    assert left.counts[0].sum() == right.counts[0].sum() == 1.0
