"""Sums by bucket of clusters: all that an evaluation keeps of a log, however long it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.batch import Categorical, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.hashing import hash_strings, salted

BUCKETS = 1024
"""Enough for the variance between buckets to have a relative error of sqrt(2 / 1024) = 4%."""

SALT = "evaluation-bucket"

UIntArray = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class BucketTable:
    """Sums of some columns over the decisions of each bucket.

    Tables of parts of a log add up to the table of the whole log, whatever the parts and their
    order (to rounding).

    Attributes
    ----------
    columns
        names, one per column.
    sums
        float64[columns, ``BUCKETS``].
    """

    columns: tuple[str, ...]
    sums: FloatArray

    @classmethod
    def empty(cls, columns: Sequence[str]) -> Self:
        """A table of zeros."""
        return cls(tuple(columns), np.zeros((len(columns), BUCKETS)))

    @classmethod
    def of(cls, bucket: IntArray, values: Mapping[str, FloatArray | None]) -> Self:
        """The table of some decisions.

        Parameters
        ----------
        bucket
            int64[n], the bucket of each decision (:func:`bucket_of`).
        values
            columns of length n by name; None stands for zeros.
        """
        table = cls.empty(tuple(values))
        seen: dict[int, int] = {}
        for row, column in enumerate(values.values()):
            if column is None:
                continue
            # The same array may stand under several names.
            same = seen.setdefault(id(column), row)
            table.sums[row] = (
                np.bincount(bucket, column, BUCKETS) if same == row else table.sums[same]
            )
        return table

    def __add__(self, other: BucketTable) -> BucketTable:
        if other.columns != self.columns:
            raise ValueError(f"tables of {self.columns} and of {other.columns} do not add up")
        return BucketTable(self.columns, self.sums + other.sums)

    def __getitem__(self, column: str) -> FloatArray:
        """float64[``BUCKETS``], the sums of one column."""
        return np.asarray(self.sums[self.columns.index(column)])

    def total(self, column: str) -> float:
        """The sum of one column over all decisions."""
        return float(self[column].sum())

    def save(self, path: Path) -> None:
        """Write the table as a NumPy ``.npz`` file."""
        with path.open("wb") as file:
            np.savez_compressed(file, columns=np.array(self.columns), sums=self.sums)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a table that :meth:`save` wrote.

        Raises
        ------
        UserError
            If the file is not such a table.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                columns, sums = stored["columns"], np.asarray(stored["sums"], np.float64)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise UserError(f"{path}: not a table of bucket sums ({error})") from error
        if sums.shape != (len(columns), BUCKETS):
            raise UserError(
                f"{path}: bucket sums of shape {sums.shape}; expected {(len(columns), BUCKETS)}"
            )
        return cls(tuple(str(name) for name in columns), sums)


def cluster_hashes(batch: LoggedBatch, cluster: str) -> UIntArray:
    """64-bit hash of each decision's cluster.

    Parameters
    ----------
    batch
        n decisions.
    cluster
        ``payment_id``, ``decision_id``, or a context column of strings. Where that column has no
        value, the decision is a cluster of its own.

    Returns
    -------
    uint64[n]

    Raises
    ------
    UserError
        If there is no such column, or it is not one of strings.
    """
    if cluster in ("payment_id", "decision_id"):
        return salted(hash_strings(getattr(batch, cluster)), SALT)
    column = batch.context.get(cluster)
    if column is None:
        raise UserError(
            f"the log has no column {cluster!r} to form clusters by. Columns that it has: "
            f"payment_id, decision_id, {', '.join(batch.context)}"
        )
    if isinstance(column, Categorical):
        table = np.append(hash_strings(pa.array(column.categories, pa.string())), np.uint64(0))
        hashes, missing = table[column.codes], column.codes < 0
    elif isinstance(column, pa.Array):
        missing = column.is_null().to_numpy(zero_copy_only=False)
        hashes = hash_strings(column.fill_null(""))
    else:
        raise UserError(f"cannot form clusters by {cluster!r}: it is not a column of names")
    if missing.any():
        rows = np.flatnonzero(missing)
        hashes[rows] = hash_strings(batch.decision_id.take(pa.array(rows)))
    return salted(hashes, SALT)


def integer_hashes(clusters: npt.NDArray[np.integer]) -> UIntArray:
    """64-bit hash (uint64[n]) of clusters that are numbered (any integer array of length n)."""
    return salted(clusters.astype(np.uint64), SALT)


def bucket_of(hashes: UIntArray) -> IntArray:
    """int64[n], the bucket of each hash, 0 to ``BUCKETS`` - 1."""
    return (hashes & np.uint64(BUCKETS - 1)).astype(np.int64)
