from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.policies.best_time.trees import LEAF, MAX_LEAVES, Tree, make_forest
from tests.authopt.policies.best_time.grown import LEVELS, OUTER, grown, matrix_of

STUMP = Tree(
    column=(0, LEAF, LEAF),
    threshold=(0.5, 0.0, 0.0),
    codes=(None, None, None),
    missing_left=(True, False, False),
    left=(1, 0, 0),
    right=(2, 0, 0),
    value=(0.0, 1.0, 2.0),
)


def walked(tree: Tree, row: np.ndarray) -> float:
    """The value of the leaf that a row comes to, step by step."""
    node = 0
    while tree.column[node] != LEAF:
        value, codes = row[tree.column[node]], tree.codes[node]
        if np.isnan(value):
            left = tree.missing_left[node]
        else:
            left = value <= tree.threshold[node] if codes is None else int(value) in codes
        node = tree.left[node] if left else tree.right[node]
    return tree.value[node]


def test_sums_are_those_of_scikit_learn() -> None:
    model = grown()
    forest = make_forest(model.trees, model.baseline, LEVELS, OUTER)
    matrix = matrix_of(3_000, seed=9)
    rows = np.arange(len(matrix))
    ours = forest.sums(matrix[:, :OUTER], matrix[:, OUTER:], rows)
    theirs = model.estimator.decision_function(matrix)
    assert np.abs(ours - theirs).max() < 1e-12
    assert np.isin(4.0, matrix[:, 3])


def test_the_trees_have_splits_of_every_kind() -> None:
    trees = grown().trees
    columns = {column for tree in trees for column in tree.column}
    assert columns == {LEAF, 0, 1, 2, 3, 4}
    most = np.finfo(np.float64).max
    assert any(most in tree.threshold for tree in trees)


def test_the_outer_columns_are_looked_up_for_the_row_that_each_inner_row_names() -> None:
    model = grown()
    forest = make_forest(model.trees, model.baseline, LEVELS, OUTER)
    outer, inner = matrix_of(7, seed=3)[:, :OUTER], matrix_of(20, seed=4)[:, OUTER:]
    outer_of = np.sort(np.random.default_rng(5).integers(0, 7, 20))
    expected = model.estimator.decision_function(np.hstack([outer[outer_of], inner]))
    assert np.abs(forest.sums(outer, inner, outer_of) - expected).max() < 1e-12


@given(
    size=st.integers(1, 30),
    values=st.lists(
        st.one_of(st.just(float("nan")), st.floats(-3, 3), st.integers(0, 3).map(float)),
        min_size=5,
        max_size=5,
    ),
)
@settings(max_examples=25, deadline=None)
def test_a_row_comes_to_the_leaf_that_a_walk_down_each_tree_comes_to(
    size: int, values: list[float]
) -> None:
    model = grown()
    row = np.array(values)
    row[[1, 3]] = np.round(np.abs(row[[1, 3]]))
    forest = make_forest(model.trees[:size], model.baseline, LEVELS, OUTER)
    total = model.baseline
    for tree in model.trees[:size]:
        total += walked(tree, row)
    assert forest.sums(row[None, :OUTER], row[None, OUTER:], np.zeros(1, np.int64))[0] == total


def test_a_sum_does_not_depend_on_the_other_rows() -> None:
    model = grown()
    forest = make_forest(model.trees, model.baseline, LEVELS, OUTER)
    matrix = matrix_of(50, seed=6)
    together = forest.sums(matrix[:, :OUTER], matrix[:, OUTER:], np.arange(50))
    alone = [
        forest.sums(row[None, :OUTER], row[None, OUTER:], np.zeros(1, np.int64))[0]
        for row in matrix
    ]
    assert together.tolist() == alone


def test_a_number_at_the_threshold_goes_left() -> None:
    forest = make_forest([STUMP], 10.0, [None], 1)
    outer = np.array([[0.5], [np.nextafter(0.5, 1)], [np.nan], [-np.inf]])
    sums = forest.sums(outer, np.zeros((4, 0)), np.arange(4))
    assert sums.tolist() == [11.0, 12.0, 11.0, 11.0]


def test_without_trees_the_sum_is_the_baseline() -> None:
    forest = make_forest([], -1.5, [None], 1)
    assert forest.sums(np.zeros((2, 1)), np.zeros((2, 0)), np.arange(2)).tolist() == [-1.5, -1.5]


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    leaf = Tree((LEAF,), (0.0,), (None,), (False,), (0,), (0,), (0.25,))
    forest = make_forest([leaf, STUMP], 0.0, [None], 0)
    sums = forest.sums(np.zeros((1, 0)), np.array([[1.0]]), np.zeros(1, np.int64))
    assert sums.tolist() == [2.25]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": (0.0, 1.0)}, "differ in length"),
        ({"left": (2, 0, 0)}, "do not form a tree"),
        ({"left": (0, 0, 0)}, "do not form a tree"),
        ({"value": (0.0, float("nan"), 1.0)}, "not finite"),
        ({"threshold": (float("inf"), 0.0, 0.0)}, "not finite"),
    ],
)
def test_what_is_no_tree_is_refused(changes: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(STUMP, **changes)  # type: ignore[arg-type]


def test_a_tree_with_too_many_leaves_is_refused() -> None:
    inner, leaves = range(MAX_LEAVES), MAX_LEAVES + 1
    size = len(inner) + leaves
    with pytest.raises(ValueError, match="33 leaves"):
        Tree(
            column=(*(0 for _ in inner), *(LEAF for _ in range(leaves))),
            threshold=(0.0,) * size,
            codes=(None,) * size,
            missing_left=(False,) * size,
            left=(*(node + 1 for node in inner), *(0 for _ in range(leaves))),
            right=(*(MAX_LEAVES + 1 + node for node in inner), *(0 for _ in range(leaves))),
            value=(0.0,) * size,
        )


@pytest.mark.parametrize(
    ("tree", "levels", "message"),
    [
        (STUMP, [], "tests column 0 of 0"),
        (STUMP, [4], "codes that are not there"),
        (replace(STUMP, codes=((4,), None, None)), [4], "codes that are not there"),
        (replace(STUMP, codes=((1,), None, None)), [None], "as codes"),
    ],
)
def test_trees_that_do_not_fit_the_columns_are_refused(
    tree: Tree, levels: list[int | None], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_forest([tree], 0.0, levels, 0)
