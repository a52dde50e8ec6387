"""A log cut into slices of time, by when payments began: later ones judge what earlier ones taught.

A random split would leak time: it judges by payments made while those it learned from were made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from authopt.batch import LoggedBatch, TimeArray
from authopt.errors import UserError
from authopt.hashing import UIntArray, hash_strings
from authopt.learning.training_log import training_batches
from authopt.logs.files import AttemptLog, open_log
from authopt.logs.split import TimeQuantile, Track
from authopt.logs.writing import LogWriter
from authopt.rewards import Reward

_NEEDED = frozenset({"payment_id", "decided_at"})


@dataclass(frozen=True, slots=True)
class Slices:
    """Files with whole payments, in the order of time in which they began.

    Attributes
    ----------
    files
        one per slice.
    begin
        datetime64[us], when each slice begins; the first is when the log does.
    rows
        decisions of each.
    """

    files: tuple[Path, ...]
    begin: tuple[np.datetime64, ...]
    rows: tuple[int, ...]

    def read(self, first: int, stop: int, reward: Reward) -> Iterator[LoggedBatch]:
        """The slices from ``first`` to before ``stop``, one after the other."""
        for file in self.files[first:stop]:
            yield from training_batches(open_log(file), reward)


def cut(log: AttemptLog, slices: int, folder: Path, track: Track) -> Slices:
    """Write the slices of a log, each with about as many decisions.

    The log is read three times; 16 bytes are held for each payment.

    Raises
    ------
    UserError
        If a row is unsound, or a slice would be empty.
    """
    quantile = TimeQuantile()
    payments = _Began()
    for records in track(log.records(columns=_NEEDED), "following payments"):
        times = _times(records)
        quantile.add(times)
        payments.add(hash_strings(records["payment_id"]), times)
    edges: list[np.datetime64] = []
    for number in range(1, slices):
        edge = quantile.at(number / slices)
        if edge is None:
            raise UserError(f"{log.path}: the log has no decisions")
        edges.append(edge)
    files = tuple(folder / f"slice-{number}.parquet" for number in range(slices))
    rows = [0] * slices
    with ExitStack() as stack:
        writers = [stack.enter_context(LogWriter(each, log.propensity_source)) for each in files]
        for records in track(log.records(), "cutting"):
            began = payments.of(hash_strings(records["payment_id"]))
            at = np.searchsorted(np.array(edges, "datetime64[us]"), began, "right")
            for number in np.unique(at).tolist():
                some = records.filter(pa.array(at == number))
                writers[number].write(some)
                rows[number] += some.num_rows
        if not all(rows):
            raise UserError(
                f"{log.path}: of {slices} slices of time, {rows.count(0)} would be empty; expected "
                "a log over a longer time, or fewer rungs"
            )
    begin = (payments.earliest, *edges)
    return Slices(files, begin, tuple(rows))


class _Began:
    """When each payment began."""

    def __init__(self) -> None:
        self._hashes: UIntArray = np.empty(0, np.uint64)
        self._times: TimeArray = np.empty(0, "datetime64[us]")

    def add(self, hashes: UIntArray, times: TimeArray) -> None:
        together, at = np.concatenate([self._hashes, hashes]), np.concatenate([self._times, times])
        order = np.lexsort((at, together))
        together, at = together[order], at[order]
        first = np.append(True, together[1:] != together[:-1])[: len(together)]
        self._hashes, self._times = together[first], at[first]

    def of(self, hashes: UIntArray) -> TimeArray:
        """datetime64[us][n], when each of these payments began; all of them were added."""
        return self._times[np.searchsorted(self._hashes, hashes)]

    @property
    def earliest(self) -> np.datetime64:
        return np.datetime64(self._times.min())


def _times(records: pa.RecordBatch) -> TimeArray:
    times = records["decided_at"].cast(pa.timestamp("us"))
    return np.asarray(times.to_numpy(zero_copy_only=False))
