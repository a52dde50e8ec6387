"""How many different values there are, counted in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from authopt.hashing import UIntArray

_PENDING = 8
"""Hashes that wait to be sorted, at most, as a multiple of those that are kept."""


class DistinctCount:
    """Counts distinct hashes in bounded memory; counts of parts merge.

    Exact up to ``KEPT`` distinct values; above that the k-th smallest of uniform hashes tells how
    many there are, with a relative standard error of 1 / sqrt(``KEPT``) = 0.6% (Bar-Yossef et al.,
    'Counting Distinct Elements in a Data Stream', 2002, algorithm 1).
    """

    KEPT = 32_768

    def __init__(self) -> None:
        self._smallest: UIntArray = np.empty(0, np.uint64)
        self._pending: list[UIntArray] = []
        self._pending_size = 0

    @property
    def exact(self) -> bool:
        """Whether :meth:`count` is exact."""
        self._settle()
        return len(self._smallest) < self.KEPT

    def add(self, hashes: UIntArray) -> None:
        """Count these hashes (uint64[n]) too."""
        if len(self._smallest) == self.KEPT:
            hashes = hashes[hashes < self._smallest[-1]]
        self._pending.append(hashes)
        self._pending_size += len(hashes)
        if self._pending_size >= _PENDING * self.KEPT:
            self._settle()

    def count(self) -> int:
        """Number of distinct hashes so far."""
        if self.exact:
            return len(self._smallest)
        return round((self.KEPT - 1) * 2.0**64 / float(self._smallest[-1]))

    def __add__(self, other: DistinctCount) -> DistinctCount:
        merged = DistinctCount()
        for part in (self, other):
            part._settle()
            merged.add(part._smallest)
        return merged

    def state(self) -> dict[str, UIntArray]:
        """All there is to it, as plain arrays."""
        self._settle()
        return {"smallest": self._smallest}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """From what :meth:`state` gave."""
        count = cls()
        count._smallest = np.asarray(state["smallest"], np.uint64)
        return count

    def _settle(self) -> None:
        if not self._pending_size:
            self._pending = []
            return
        together = np.concatenate([self._smallest, *self._pending])
        # Sorting all costs several times as much as sorting those that can be among the smallest.
        share = 2 * self.KEPT / len(together)
        few = together[together < np.uint64(share * 2.0**64)] if share < 0.5 else together
        self._smallest = _smallest(few, self.KEPT)
        if len(self._smallest) < self.KEPT and len(few) < len(together):
            self._smallest = _smallest(together, self.KEPT)
        self._pending, self._pending_size = [], 0


def _smallest(hashes: UIntArray, count: int) -> UIntArray:
    """The smallest distinct hashes, at most ``count``, in order."""
    hashes = np.sort(hashes)
    first = np.ones(len(hashes), np.bool_)
    np.not_equal(hashes[1:], hashes[:-1], out=first[1:])
    return hashes[first][:count].copy()
