"""How many different values there are, counted in bounded memory."""

from __future__ import annotations

import numpy as np

from authopt.hashing import UIntArray


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
        if self._pending_size >= self.KEPT:
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

    def _settle(self) -> None:
        if self._pending:
            together = np.concatenate([self._smallest, *self._pending])
            together.sort()
            first = np.ones(len(together), np.bool_)
            np.not_equal(together[1:], together[:-1], out=first[1:])
            self._smallest = together[first][: self.KEPT].copy()
            self._pending, self._pending_size = [], 0
