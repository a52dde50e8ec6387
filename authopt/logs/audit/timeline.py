"""Sums along time, of which slices are cut once the whole span is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.logs.audit.checks import approvals, stopped
from authopt.logs.audit.inverse import Deviations, check
from authopt.logs.audit.report import Slice

SLICES = 8

MOST_BINS = 4096
"""Bins of time that are kept; when there are more, two neighbours become one."""

_COLUMNS = (
    "decisions",
    "known",
    "approved",
    "judged",
    "inverse",
    "expected",
    "squares",
    "variance",
)

_LEAST_PER_SLICE = 100


class TimelineSums:
    """Sums by bin of time, a bin being 2^k seconds wide.

    k is the least that leaves at most :data:`MOST_BINS` bins, whatever the order in which the
    decisions come.
    """

    def __init__(self) -> None:
        self._power = 0
        self._bins: IntArray = np.empty(0, np.int64)
        self._sums: FloatArray = np.empty((0, len(_COLUMNS)))
        self._largest: FloatArray = np.empty(0)
        self._inexact = False
        self.first: np.datetime64 | None = None
        self.last: np.datetime64 | None = None

    @property
    def bins(self) -> int:
        """How many bins of time there are."""
        return len(self._bins)

    def add(self, batch: LoggedBatch, found: Deviations) -> None:
        """Add these decisions too (``found`` being their deviations)."""
        if not batch.n:
            return
        self._span(batch.decided_at.min(), batch.decided_at.max())
        self._inexact |= bool(len(found.at)) and not found.exact
        approved = np.where(stopped(batch), np.nan, approvals(batch))
        columns = np.zeros((len(_COLUMNS), batch.n))
        columns[0] = 1.0
        columns[1] = ~np.isnan(approved)
        columns[2] = approved == 1
        columns[3, found.at] = 1.0
        columns[4, found.at] = found.inverse
        columns[5, found.at] = found.expected
        columns[6, found.at] = (found.inverse - found.expected) ** 2
        columns[7, found.at] = found.variance
        largest = np.zeros(batch.n)
        largest[found.at] = found.largest
        seconds = batch.decided_at.astype("M8[s]").astype(np.int64)
        bins, places = np.unique(seconds >> self._power, return_inverse=True)
        sums = np.zeros((len(bins), len(_COLUMNS)))
        for place, column in enumerate(columns):
            sums[:, place] = np.bincount(places, column, len(bins))
        most = np.zeros(len(bins))
        np.maximum.at(most, places, largest)
        self._merge(bins, sums, most)

    def _span(self, first: np.datetime64 | None, last: np.datetime64 | None) -> None:
        if first is not None and last is not None:
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)

    def _merge(self, bins: IntArray, sums: FloatArray, largest: FloatArray) -> None:
        """Add bins of this object's own width; widen them until they are few enough."""
        together = np.concatenate([self._bins, bins])
        sums = np.concatenate([self._sums, sums])
        largest = np.concatenate([self._largest, largest])
        found, places = np.unique(together, return_inverse=True)
        while len(found) > MOST_BINS:
            self._power += 1
            together >>= 1
            found, places = np.unique(together, return_inverse=True)
        self._bins = found
        self._sums = np.zeros((len(found), len(_COLUMNS)))
        np.add.at(self._sums, places, sums)
        self._largest = np.zeros(len(found))
        np.maximum.at(self._largest, places, largest)

    def __add__(self, other: TimelineSums) -> TimelineSums:
        merged = TimelineSums()
        merged._power = max(self._power, other._power)
        merged._inexact = self._inexact or other._inexact
        for part in (self, other):
            merged._span(part.first, part.last)
            shift = merged._power - part._power
            merged._merge(part._bins >> shift, part._sums, part._largest)
        return merged

    def report(self, design_effect: float) -> tuple[Slice, ...]:
        """Slices with about equally many decisions, in the order of time.

        Parameters
        ----------
        design_effect
            how much more sums by payment vary than by decision (``InverseSums.design_effect``).
        """
        if not len(self._bins):
            return ()
        total = self._sums[:, 0].sum()
        count = int(np.clip(total // _LEAST_PER_SLICE, 1, SLICES))
        before = np.cumsum(self._sums[:, 0]) - self._sums[:, 0]
        slice_of = (before * count / total).astype(np.int64)
        return tuple(
            self._slice(np.flatnonzero(slice_of == at), design_effect)
            for at in np.unique(slice_of).tolist()
        )

    def _slice(self, rows: npt.NDArray[np.intp], design_effect: float) -> Slice:
        sums = dict(zip(_COLUMNS, self._sums[rows].sum(axis=0).tolist(), strict=True))
        start = max(self._time(int(self._bins[rows[0]])), _seconds(self.first))
        end = min(self._time(int(self._bins[rows[-1]]) + 1), _seconds(self.last))
        judged = int(sums["judged"])
        inverse = None
        if judged:
            inverse = check(
                f"{start} to {end}",
                judged,
                sums["inverse"],
                sums["expected"],
                max(sums["variance"], sums["squares"] * design_effect),
                float(self._largest[rows].max()),
                not self._inexact,
                over=judged,
            )
        known = sums["known"]
        return Slice(
            str(start),
            str(end),
            int(sums["decisions"]),
            sums["approved"] / known if known else None,
            inverse,
        )

    def _time(self, place: int) -> np.datetime64:
        return np.datetime64(place << self._power, "s")


def _seconds(time: np.datetime64 | None) -> np.datetime64:
    assert time is not None
    return np.datetime64(int(time.astype("M8[s]").astype(np.int64)), "s")
