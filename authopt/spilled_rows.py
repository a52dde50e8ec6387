"""Rows to be brought together by key at the end, in bounded memory: spilled by hash partition."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.void]

PARTITIONS = 64
"""Partition sizes are even, as keys are hashes: 50 M rows make 64 parts of 0.8 M."""

IN_MEMORY = 1 << 21
"""Rows kept in memory before they go to the temporary file."""


class SpilledRows:
    """Rows of a structured dtype whose first field is a uint64 hash: the key.

    Up to :data:`IN_MEMORY` rows stay in memory. Beyond that they go, ordered by partition, to one
    unnamed temporary file (in the folder that ``TMPDIR`` names), which vanishes with this object.
    Reading brings one partition at a time into memory (a Grace hash join: Kitsuregawa et al.,
    'Application of Hash to Data Base Machine and Its Architecture', 1983).

    Parameters
    ----------
    dtype
        of a row; its first field is the key, uint64.
    in_memory
        rows kept before they are spilled.
    order_by
        how many of the first fields the rows of :meth:`parts` are sorted by; all by default.
    partitions
        how many parts spilled rows are read back in: a power of 2, at most 256.
    """

    def __init__(
        self,
        dtype: npt.DTypeLike,
        in_memory: int = IN_MEMORY,
        order_by: int | None = None,
        partitions: int = PARTITIONS,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self._in_memory = in_memory
        self._order_by = order_by
        self._pending: list[Rows] = []
        self._pending_rows = 0
        self._file: IO[bytes] | None = None
        self._blocks: list[list[tuple[int, int]]] = [[] for _ in range(partitions)]

    def __len__(self) -> int:
        on_disk = sum(rows for blocks in self._blocks for _, rows in blocks)
        return self._pending_rows + on_disk

    @property
    def spilled(self) -> bool:
        """Whether there is a temporary file."""
        return self._file is not None

    def add(self, rows: Rows) -> None:
        """Keep these rows (structured array of ``dtype``, length n) too."""
        self._pending.append(rows)
        self._pending_rows += len(rows)
        if self._pending_rows >= self._in_memory:
            self._spill()

    def parts(self) -> Iterator[Rows]:
        """All rows, in parts that hold every row of their keys, each part sorted."""
        if self._file is None:
            yield self._sorted(self._pending)
            return
        self._spill()
        for blocks in self._blocks:
            yield self._sorted([self._read(start, rows) for start, rows in blocks])

    def extend(self, other: SpilledRows) -> None:
        """Keep the rows of another store of the same dtype too."""
        for blocks in other._blocks:
            for start, rows in blocks:
                self.add(other._read(start, rows))
        for pending in other._pending:
            self.add(pending)

    def everything(self) -> Rows:
        """All rows in one array, in no order; memory-mapped where there is a temporary file."""
        if self._file is None:
            return np.concatenate([np.empty(0, self.dtype), *self._pending])
        self._spill()
        self._file.flush()
        return np.memmap(self._file, self.dtype, mode="r")

    def _sorted(self, parts: list[Rows]) -> Rows:
        rows = np.concatenate(parts) if parts else np.empty(0, self.dtype)
        key, *others = (self.dtype.names or ())[: self._order_by]
        # Rows of a key mostly come in order already: then one sort does, instead of one per field.
        rows = rows[np.argsort(rows[key], kind="stable")]
        if _is_sorted(rows, key, others):
            return rows
        fields: list[Any] = [rows[name] for name in (key, *others)]
        return rows[np.lexsort(fields[::-1])]

    def _spill(self) -> None:
        if not self._pending_rows:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="authopt-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        rows = np.concatenate(self._pending)
        self._pending, self._pending_rows = [], 0
        partition = self._partition(rows)
        rows = rows[np.argsort(partition, kind="stable")]
        self._file.seek(0, 2)
        start = self._file.tell()
        self._file.write(rows.tobytes())
        for at, count in enumerate(np.bincount(partition, minlength=len(self._blocks)).tolist()):
            if count:
                self._blocks[at].append((start, count))
                start += count * self.dtype.itemsize

    def _partition(self, rows: Rows) -> npt.NDArray[np.uint8]:
        assert self.dtype.names is not None
        keys = rows[self.dtype.names[0]]
        bits = len(self._blocks).bit_length() - 1
        return (keys >> np.uint64(64 - bits)).astype(np.uint8)

    def _read(self, start: int, rows: int) -> Rows:
        assert self._file is not None
        self._file.seek(start)
        return np.frombuffer(self._file.read(rows * self.dtype.itemsize), self.dtype)


def _is_sorted(rows: Rows, key: str, others: list[str]) -> bool:
    """Whether rows that are sorted by a key are sorted by the other fields within it."""
    tied = rows[key][1:] == rows[key][:-1]
    for name in others:
        after, before = rows[name][1:], rows[name][:-1]
        if bool((tied & (after < before)).any()):
            return False
        tied &= after == before
    return True
