"""Cut a log in two by time, whole payments to one side.

A policy that is trained on the earlier side and judged on the later one has not seen the future; a
random split would let it. A payment belongs where its first attempt falls, so that its later
attempts do not tell the other side how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from authopt.batch import BoolArray, TimeArray
from authopt.errors import UserError
from authopt.hashing import UIntArray, hash_strings
from authopt.logs.files import AttemptLog
from authopt.logs.writing import LogWriter

_MOST_TIMES = 1 << 20
_STEPS_US = tuple(
    int(seconds * 1e6) for seconds in (0.001, 0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400)
)

Track = Callable[[Iterable[pa.RecordBatch], str], Iterator[pa.RecordBatch]]


@dataclass(slots=True)
class Side:
    """What went to one side.

    Attributes
    ----------
    decisions, payments
        how many.
    first, last
        when the first and the last decision was made, UTC.
    """

    path: Path
    decisions: int = 0
    payments: int = 0
    first: str | None = None
    last: str | None = None

    def add(self, times: TimeArray) -> None:
        """Count decisions made at these times (datetime64[us][n])."""
        if len(times):
            self.decisions += len(times)
            first, last = str(times.min()), str(times.max())
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)


@dataclass(frozen=True, slots=True)
class Split:
    """How a log was cut: at which time (UTC), and what went where."""

    at: str
    earlier: Side
    later: Side


class TimeQuantile:
    """Quantiles of times in bounded memory.

    Times are kept exactly while there are at most ``_MOST_TIMES`` different ones; above that they
    are rounded down in steps from a millisecond to a day, as far as needed.
    """

    def __init__(self) -> None:
        self._times: TimeArray = np.empty(0, "datetime64[us]")
        self._counts = np.empty(0, np.int64)
        self._step = 1
        self._coarser = list(_STEPS_US)

    def add(self, times: TimeArray) -> None:
        """Count these times (datetime64[us][n]) too."""
        self._merge(np.concatenate([self._times, self._rounded(times)]), len(times))
        while len(self._times) > _MOST_TIMES and self._coarser:
            self._step = self._coarser.pop(0)
            self._merge(self._rounded(self._times), 0)

    def _rounded(self, times: TimeArray) -> TimeArray:
        values = times.astype(np.int64)
        return np.asarray((values - values % self._step).astype("datetime64[us]"))

    def _merge(self, times: TimeArray, new: int) -> None:
        counts = np.concatenate([self._counts, np.ones(new, np.int64)])
        self._times, index = np.unique(times, return_inverse=True)
        self._counts = np.bincount(index, counts, len(self._times)).astype(np.int64)

    def at(self, fraction: float) -> np.datetime64 | None:
        """The time before which about this fraction of all times lies; None where there is none."""
        if not len(self._times):
            return None
        before = np.cumsum(self._counts) - self._counts
        index = int(np.searchsorted(before, fraction * self._counts.sum()))
        return np.datetime64(self._times[min(index, len(self._times) - 1)])


def split_log(
    log: AttemptLog, at: float | np.datetime64, earlier: Path, later: Path, track: Track
) -> Split:
    """Cut a log at a time, or where a fraction of its decisions lies before.

    The log is read twice, three times where a fraction has to be turned into a time. Held in memory
    are one chunk and 8 bytes for each payment of the earlier side.

    Parameters
    ----------
    log
        every row has to be sound.
    at
        a fraction between 0 and 1, or a time (UTC).
    earlier, later
        the files to write; both appear, or none.
    track
        shows progress.

    Raises
    ------
    UserError
        If a row is unsound, or a side would be empty.
    """
    needed = {"payment_id", "decided_at"}
    if isinstance(at, float):
        quantile = TimeQuantile()
        for records in track(log.records(columns=needed), "finding the time"):
            quantile.add(_times(records))
        time = quantile.at(at)
        if time is None:
            raise UserError(f"{log.path}: the log has no decisions")
    else:
        time = at
    early = _Payments()
    for records in track(log.records(columns=needed), "following payments"):
        early.add(hash_strings(records["payment_id"])[_times(records) < time])
    late = _Payments()
    sides = Side(earlier), Side(later)
    with (
        LogWriter(earlier, log.propensity_source) as first,
        LogWriter(later, log.propensity_source) as second,
    ):
        for records in track(log.records(), "writing"):
            hashes = hash_strings(records["payment_id"])
            is_early = early.holds(hashes)
            late.add(hashes[~is_early])
            times = _times(records)
            for writer, side, rows in (
                (first, sides[0], is_early),
                (second, sides[1], ~is_early),
            ):
                side.add(times[rows])
                writer.write(records.filter(pa.array(rows)))
        for side in sides:
            if not side.decisions:
                other = sides[1] if side is sides[0] else sides[0]
                which = "earlier" if side is sides[0] else "later"
                raise UserError(
                    f"{log.path}: nothing would be on the {which} side of {time}Z; the log runs "
                    f"from {other.first}Z to {other.last}Z"
                )
    sides[0].payments, sides[1].payments = len(early), len(late)
    return Split(str(time), *sides)


def _times(records: pa.RecordBatch) -> TimeArray:
    times = records["decided_at"].cast(pa.timestamp("us"))
    return np.asarray(times.to_numpy(zero_copy_only=False))


class _Payments:
    """A set of payments by the hashes of their ids."""

    def __init__(self) -> None:
        self._sorted: UIntArray = np.empty(0, np.uint64)
        self._new: list[UIntArray] = []
        self._new_size = 0

    def add(self, hashes: UIntArray) -> None:
        """Take these in."""
        self._new.append(np.unique(hashes))
        self._new_size += len(self._new[-1])
        if self._new_size > max(len(self._sorted) // 4, 1 << 17):
            self._settle()

    def _settle(self) -> None:
        self._sorted = np.unique(np.concatenate([self._sorted, *self._new]))
        self._new, self._new_size = [], 0

    def holds(self, hashes: UIntArray) -> BoolArray:
        """bool[n], which of these are in the set."""
        self._settle()
        if not len(self._sorted):
            return np.zeros(len(hashes), np.bool_)
        place = np.searchsorted(self._sorted, hashes)
        return np.asarray(self._sorted[np.minimum(place, len(self._sorted) - 1)] == hashes)

    def __len__(self) -> int:
        self._settle()
        return len(self._sorted)
