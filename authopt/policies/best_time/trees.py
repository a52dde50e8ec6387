"""Regression trees evaluated by numpy, all of them at once.

The method of QuickScorer (Lucchese et al., "QuickScorer: a Fast Algorithm to Rank Documents with
Additive Ensembles of Regression Trees", SIGIR 2015, section 3): number a tree's leaves from left to
right and give each inner node the set of leaves under its left child. Of the leaves that are left
when the sets of all nodes that send a row to the right are removed, the first is the row's. Unlike
there, a column's sets are joined beforehand for every bin that its values can fall into, so that a
row costs one look-up in a table for each column, whatever the trees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, FloatArray, IntArray

LeafSets: TypeAlias = npt.NDArray[np.uint32]
"""Sets of leaves of every tree, one bit each."""

MAX_LEAVES = 32
LEAF = -1


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree; node 0 is its root, and children come after their parents.

    Attributes
    ----------
    column
        column that a node tests; ``LEAF`` at a leaf.
    threshold
        a number that is at most this goes left.
    codes
        codes of a category that go left; None at a node that tests a number, and at a leaf.
    missing_left
        whether a missing value goes left.
    left, right
        children; 0 at a leaf.
    value
        of a leaf; 0 at inner nodes.

    All of them have one element per node.
    """

    column: tuple[int, ...]
    threshold: tuple[float, ...]
    codes: tuple[tuple[int, ...] | None, ...]
    missing_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def __post_init__(self) -> None:
        size = len(self.column)
        parts = (self.threshold, self.codes, self.missing_left, self.left, self.right, self.value)
        if not size or any(len(part) != size for part in parts):
            raise ValueError("a tree's arrays differ in length, or are empty")
        inner = [node for node in range(size) if self.column[node] != LEAF]
        children = [child for node in inner for child in (self.left[node], self.right[node])]
        if sorted(children) != list(range(1, size)) or any(
            min(self.left[node], self.right[node]) <= node for node in inner
        ):
            raise ValueError("a tree's nodes do not form a tree whose root is node 0")
        if size - len(inner) > MAX_LEAVES:
            raise ValueError(
                f"a tree has {size - len(inner)} leaves; expected {MAX_LEAVES} at most"
            )
        if not all(math.isfinite(each) for each in (*self.value, *self.threshold)):
            raise ValueError("a tree has a value or a threshold that is not finite")


@dataclass(frozen=True, slots=True, eq=False)
class _ColumnSets:
    """What a column's value leaves of the leaves.

    ``sets`` has a row for each bin of the column: for numbers the bins between ``thresholds``, for
    categories (``thresholds`` is None) their codes; the last one is for a missing value.
    """

    column: int
    thresholds: FloatArray | None
    sets: LeafSets

    def of(self, values: FloatArray) -> LeafSets:
        missing = np.isnan(values)
        last = len(self.sets) - 1
        if self.thresholds is None:
            bins = np.where(missing, last, values).astype(np.int64)
        else:
            bins = np.where(missing, last, np.searchsorted(self.thresholds, values))
        return self.sets[bins]


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """The sum of trees, over a matrix whose columns come in two parts.

    The columns of a decision are looked up once for all of its actions.

    Attributes
    ----------
    baseline
        that the trees' values are added to.
    values
        float64[trees, MAX_LEAVES], of leaves from left to right.
    """

    baseline: float
    values: FloatArray
    _outer: tuple[_ColumnSets, ...]
    _inner: tuple[_ColumnSets, ...]

    def sums(self, outer: FloatArray, inner: FloatArray, outer_of: IntArray) -> FloatArray:
        """The baseline and the values of the leaves that rows fall into.

        The sum runs tree by tree, so it does not depend on which other rows there are.

        Parameters
        ----------
        outer
            float64[n, q], the first q columns.
        inner
            float64[rows, p - q], the others.
        outer_of
            int64[rows], the row of ``outer`` that each row of ``inner`` goes with.

        Returns
        -------
        float64[rows]
        """
        left = self._left(self._outer, outer, 0)[outer_of]
        left &= self._left(self._inner, inner, outer.shape[1])
        # The first leaf that is left is the number of zeros below the lowest bit.
        lowest = left & (~left + np.uint32(1))
        leaf = np.bitwise_count(lowest - np.uint32(1)).astype(np.int64)
        leaf += np.arange(len(self.values)) * MAX_LEAVES
        steps = np.empty((len(inner), len(self.values) + 1))
        steps[:, 0] = self.baseline
        steps[:, 1:] = self.values.ravel()[leaf]
        return np.asarray(np.add.accumulate(steps, axis=1)[:, -1])

    def _left(self, sets: Sequence[_ColumnSets], matrix: FloatArray, first: int) -> LeafSets:
        left = np.full((len(matrix), len(self.values)), ~np.uint32(0), np.uint32)
        for each in sets:
            left &= each.of(matrix[:, each.column - first])
        return left


def make_forest(
    trees: Sequence[Tree], baseline: float, levels: Sequence[int | None], outer: int
) -> Forest:
    """Trees made ready to be summed.

    Parameters
    ----------
    trees
        with at most ``MAX_LEAVES`` leaves each.
    baseline
        that their values are added to.
    levels
        per column, how many codes a category has; None where the column holds numbers.
    outer
        how many of the columns are those of a decision; they come first.

    Raises
    ------
    ValueError
        If a tree tests a column or a code that is not there.
    """
    values = np.zeros((len(trees), MAX_LEAVES))
    tests: list[list[_Test]] = [[] for _ in levels]
    for number, tree in enumerate(trees):
        for test in _tests(tree, number, values[number]):
            if not LEAF < test.column < len(levels):
                raise ValueError(f"a tree tests column {test.column} of {len(levels)}")
            tests[test.column].append(test)
    columns = [
        _column_sets(column, of_column, levels[column], len(trees))
        for column, of_column in enumerate(tests)
        if of_column
    ]
    return Forest(
        baseline,
        values,
        tuple(each for each in columns if each.column < outer),
        tuple(each for each in columns if each.column >= outer),
    )


@dataclass(frozen=True, slots=True)
class _Test:
    """A node's test, and the leaves that are out where it fails."""

    tree: int
    column: int
    threshold: float
    codes: tuple[int, ...] | None
    missing_left: bool
    out: int


def _tests(tree: Tree, number: int, values: FloatArray) -> list[_Test]:
    """The tests of a tree; its leaves' values are written into ``values`` from left to right."""
    sets = [0] * len(tree.column)
    tests = []
    leaves = 0
    path = [0]
    while path:
        node = path.pop()
        if tree.column[node] == LEAF:
            sets[node] = 1 << leaves
            values[leaves] = tree.value[node]
            leaves += 1
        else:
            path += [tree.right[node], tree.left[node]]
    for node in reversed(range(len(tree.column))):
        if tree.column[node] == LEAF:
            continue
        under_left = sets[tree.left[node]]
        sets[node] = under_left | sets[tree.right[node]]
        tests.append(
            _Test(
                number,
                tree.column[node],
                tree.threshold[node],
                tree.codes[node],
                tree.missing_left[node],
                under_left,
            )
        )
    return tests


def _column_sets(column: int, tests: list[_Test], levels: int | None, trees: int) -> _ColumnSets:
    thresholds = None
    if levels is None:
        thresholds = np.unique([test.threshold for test in tests])
    bins = levels if thresholds is None else len(thresholds) + 1
    assert bins is not None
    sets = np.full((bins + 1, trees), ~np.uint32(0), np.uint32)
    for test in tests:
        fails = _fails(test, thresholds, bins)
        sets[fails, test.tree] &= np.uint32(~test.out & 0xFFFFFFFF)
    return _ColumnSets(column, thresholds, sets)


def _fails(test: _Test, thresholds: FloatArray | None, bins: int) -> BoolArray:
    """bool[bins + 1], the bins that the test sends to the right."""
    fails = np.ones(bins + 1, np.bool_)
    if thresholds is None:
        if test.codes is None or not all(0 <= code < bins for code in test.codes):
            raise ValueError(
                f"a tree's test of column {test.column} names codes that are not there"
            )
        fails[list(test.codes)] = False
    else:
        if test.codes is not None:
            raise ValueError(f"a tree tests the numbers of column {test.column} as codes")
        fails[: int(np.searchsorted(thresholds, test.threshold)) + 1] = False
    fails[-1] = not test.missing_left
    return fails
