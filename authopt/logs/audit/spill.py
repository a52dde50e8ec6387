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
    """

    def __init__(self, dtype: npt.DTypeLike, in_memory: int = IN_MEMORY) -> None:
        self.dtype = np.dtype(dtype)
        self._in_memory = in_memory
        self._pending: list[Rows] = []
        self._pending_rows = 0
        self._file: IO[bytes] | None = None
        self._blocks: list[list[tuple[int, int]]] = [[] for _ in range(PARTITIONS)]

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
        """All rows, in parts that hold every row of their keys, each sorted by all its fields."""
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

    def _sorted(self, parts: list[Rows]) -> Rows:
        rows = np.concatenate(parts) if parts else np.empty(0, self.dtype)
        fields: list[Any] = [rows[name] for name in self.dtype.names or ()]
        return rows[np.lexsort(fields[::-1])]

    def _spill(self) -> None:
        if not self._pending_rows:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="authopt-audit-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        rows = np.concatenate(self._pending)
        self._pending, self._pending_rows = [], 0
        partition = self._partition(rows)
        rows = rows[np.argsort(partition, kind="stable")]
        self._file.seek(0, 2)
        start = self._file.tell()
        self._file.write(rows.tobytes())
        for at, count in enumerate(np.bincount(partition, minlength=PARTITIONS).tolist()):
            if count:
                self._blocks[at].append((start, count))
                start += count * self.dtype.itemsize

    def _partition(self, rows: Rows) -> npt.NDArray[np.uint8]:
        assert self.dtype.names is not None
        keys = rows[self.dtype.names[0]]
        return (keys >> np.uint64(58)).astype(np.uint8)

    def _read(self, start: int, rows: int) -> Rows:
        assert self._file is not None
        self._file.seek(start)
        return np.frombuffer(self._file.read(rows * self.dtype.itemsize), self.dtype)
