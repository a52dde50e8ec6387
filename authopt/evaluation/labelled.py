"""Sums by label that merge, whatever order the labels turn up in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.block import State


class LabelledSums:
    """One array of sums, and one of largest values, per label.

    Parameters
    ----------
    shape
        of the sums of one label.
    maxima
        how many largest values are kept of one label.

    Attributes
    ----------
    labels
        in the order in which they turned up.
    sums
        float64[labels, *shape].
    largest
        float64[labels, maxima].
    """

    def __init__(self, shape: tuple[int, ...], maxima: int = 0) -> None:
        self.labels: tuple[str, ...] = ()
        self.sums: FloatArray = np.zeros((0, *shape))
        self.largest: FloatArray = np.zeros((0, maxima))

    def __len__(self) -> int:
        return len(self.labels)

    def places(self, labels: Sequence[str]) -> IntArray:
        """int64[labels]: index of each label here, after making room for those that are new."""
        index = {label: place for place, label in enumerate(self.labels)}
        for label in labels:
            index.setdefault(label, len(index))
        new = len(index) - len(self.labels)
        if new:
            self.labels = tuple(index)
            self.sums = np.concatenate([self.sums, np.zeros((new, *self.sums.shape[1:]))])
            self.largest = np.concatenate([self.largest, np.zeros((new, self.largest.shape[1]))])
        return np.array([index[label] for label in labels], np.int64)

    def add(self, labels: Sequence[str], sums: FloatArray, largest: FloatArray) -> None:
        """Add sums (float64[labels, *shape]) and largest values (float64[labels, maxima])."""
        place = self.places(labels)
        self.sums[place] += sums
        self.largest[place] = np.maximum(self.largest[place], largest)

    def __add__(self, other: LabelledSums) -> LabelledSums:
        total = LabelledSums(self.sums.shape[1:], self.largest.shape[1])
        for part in (self, other):
            total.add(part.labels, part.sums, part.largest)
        return total

    def state(self) -> State:
        """All that is held, as plain arrays."""
        return {
            "labels": np.array(self.labels, np.str_),
            "sums": self.sums,
            "largest": self.largest,
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The sums that gave this state."""
        sums, largest = np.array(state["sums"]), np.array(state["largest"])
        part = cls(sums.shape[1:], largest.shape[1])
        part.labels = tuple(state["labels"].tolist())
        part.sums, part.largest = sums, largest
        return part


def sums_by(codes: IntArray, columns: FloatArray, size: int) -> FloatArray:
    """Sums of columns by code.

    Parameters
    ----------
    codes
        int64[n] in ``range(size)``.
    columns
        float64[columns, n].
    size
        how many codes there are.

    Returns
    -------
    float64[size, columns]
    """
    n = len(codes)
    chosen = csr_matrix((np.ones(n), codes, np.arange(n + 1)), (n, size))
    return np.asarray(chosen.T @ columns.T)
