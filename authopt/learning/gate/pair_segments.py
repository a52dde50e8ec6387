"""Sums by segment of two policies on the same rows, where neither made the log.

The evaluation judges segments against the policy that made the log
(``authopt.evaluation.segments``); here it is any live policy. The limits are the evaluation's own
(:mod:`authopt.evaluation.pair_limits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import Columns, product
from authopt.evaluation.pairs import FIRST, SECOND
from authopt.evaluation.segment_values import Segments, segments_of
from authopt.evaluation.segments import GROUPS
from authopt.evaluation.terms import Terms

OWN = ("w", "wr", "coverage", "unsupported")
SCORES = ("d", *(prefix + name for prefix in (FIRST, SECOND) for name in OWN[2:]))
PRODUCTS = tuple(
    product(left, right)
    for left, right in combinations_with_replacement(SCORES, 2)
    # The products of the two policies' own columns are not asked for.
    if left == "d" or left[:2] == right[:2]
)
COLUMNS = (
    "one",
    "d",
    *(prefix + name for prefix in (FIRST, SECOND) for name in OWN),
    *PRODUCTS,
)


ALL = "(all)"


@dataclass(slots=True, eq=False)
class PairSegmentSums:
    """The joint bucket table of every segment of one column.

    Attributes
    ----------
    column
        what the segments are by; ``ALL`` for one segment of all decisions.
    low
        lower bound of the reward.
    labels
        names of the segments.
    sums
        float64[columns, segments, ``GROUPS``]; of products the total alone, in the first group.
    """

    column: str
    low: float
    labels: tuple[str, ...] = ()
    sums: FloatArray = field(default_factory=lambda: np.zeros((len(COLUMNS), 0, GROUPS)))

    def add(self, block: Block, first: Terms, second: Terms) -> None:
        """Add the decisions of a block, with their terms under both policies."""
        assert block.batch is not None
        codes, labels = _segments(block.batch, self.column)
        place = self._places(labels)[codes]
        size = len(self.labels) * GROUPS
        cell = place * GROUPS + (block.bucket & (GROUPS - 1))
        a, b = Columns.of(first), Columns.of(second)
        values: dict[str, FloatArray | None] = {
            "one": a.ones,
            "d": (a.w - b.w) * (first.r - self.low),
        }
        for prefix, columns in ((FIRST, a), (SECOND, b)):
            values |= {prefix + name: columns[name] for name in OWN}
        for row, name in enumerate(COLUMNS):
            if name in values:
                if (value := values[name]) is not None:
                    self.sums[row] += np.bincount(cell, value, size).reshape(-1, GROUPS)
                continue
            left, _, right = name.partition("*")
            x, y = values[left], values[right]
            if x is not None and y is not None:
                self.sums[row, :, 0] += np.bincount(place, x * y, len(self.labels))

    def table(self, label: str) -> BucketTable:
        """The joint table of one segment."""
        return BucketTable(COLUMNS, self.sums[:, self.labels.index(label)])

    def _places(self, labels: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        index = {label: place for place, label in enumerate(self.labels)}
        for label in labels:
            index.setdefault(label, len(index))
        new = len(index) - len(self.labels)
        if new:
            self.labels = tuple(index)
            self.sums = np.pad(self.sums, ((0, 0), (0, new), (0, 0)))
        return np.array([index[label] for label in labels], np.int64)


def _segments(batch: LoggedBatch, column: str) -> Segments:
    if column == ALL:
        return np.zeros(batch.n, np.int64), (ALL,)
    return segments_of(batch, column)
