"""What is wrong with the rows of one chunk: at most one rejection per row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.batch import BoolArray, IntArray
from authopt.logs.rejects import Rejection, Rejects, shown


class Findings:
    """Collects what is wrong with the rows of a chunk; the first reason of a row stands.

    Parameters
    ----------
    file
        the file as the user named it.
    rows
        int64[n], number of each row over the whole file, from 1.

    Attributes
    ----------
    bad
        bool[n], rows that have a finding.
    """

    def __init__(self, file: str, rows: IntArray) -> None:
        self.file = file
        self.rows = rows
        self.bad: BoolArray = np.zeros(len(rows), np.bool_)
        self._found: list[Rejection] = []

    def flag(
        self,
        positions: npt.NDArray[np.intp],
        column: str,
        reason: str,
        values: pa.Array,
        at: npt.NDArray[np.intp] | None = None,
    ) -> None:
        """Mark rows as unsound.

        Parameters
        ----------
        positions
            rows of the chunk, from 0, perhaps several times.
        column, reason
            as in :class:`~authopt.logs.rejects.Rejection`.
        values
            holds the offending values.
        at
            index into ``values`` of each position; ``positions`` itself where not given.
        """
        at = positions if at is None else at
        for position, index in zip(positions.tolist(), at.tolist(), strict=True):
            if not self.bad[position]:
                self.bad[position] = True
                self.add(int(self.rows[position]), column, _plain(values, index), reason)

    def add(self, row: int, column: str, value: Any, reason: str) -> None:
        """Add a finding on a row of the file, which need not be in the chunk."""
        text = "" if value is None else shown(value)
        self._found.append(Rejection(self.file, row, column, text, reason))

    def report(self, rejects: Rejects) -> None:
        """Hand all findings over, in the order of the rows."""
        for rejection in sorted(self._found, key=lambda found: found.row):
            rejects.add(rejection)


def _plain(values: pa.Array, index: int) -> Any:
    scalar = values[index]
    if pa.types.is_timestamp(scalar.type) and scalar.is_valid:
        # A time of a far-off year has no Python object.
        return str(np.datetime64(scalar.value, scalar.type.unit))
    if pa.types.is_dictionary(scalar.type):
        scalar = scalar.value
    if pa.types.is_string(scalar.type):
        scalar = scalar.cast(pa.binary())
    value = scalar.as_py()
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
