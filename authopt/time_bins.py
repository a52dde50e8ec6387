"""Sums along time in bounded memory, of which stretches are cut once the whole span is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_BINS = 4096
"""Bins of time that are kept; when there are more, two neighbours become one."""


class TimeBins:
    """Sums, and largest values, by bin of time; a bin is ``unit`` x 2^k seconds wide.

    k is the least that leaves at most :data:`MOST_BINS` bins, whatever the order in which the
    rows come: bins of parts of a log add up to the bins of the whole.

    Parameters
    ----------
    columns
        how many columns are added up.
    maxima
        of how many columns the largest value is kept.
    unit
        seconds of the narrowest bin.

    Attributes
    ----------
    first, last
        earliest and latest time that was added, or None.
    """

    def __init__(self, columns: int, maxima: int = 0, unit: int = 1) -> None:
        self.unit = unit
        self._power = 0
        self._bins: IntArray = np.empty(0, np.int64)
        self._sums: FloatArray = np.empty((0, columns))
        self._largest: FloatArray = np.empty((0, maxima))
        self.first: np.datetime64 | None = None
        self.last: np.datetime64 | None = None

    def __len__(self) -> int:
        return len(self._bins)

    @property
    def sums(self) -> FloatArray:
        """float64[bins, columns], in the order of time."""
        return self._sums

    @property
    def largest(self) -> FloatArray:
        """float64[bins, maxima], in the order of time."""
        return self._largest

    @property
    def starts(self) -> npt.NDArray[np.datetime64]:
        """datetime64[s][bins], when each bin begins."""
        return np.asarray((self._bins << self._power) * self.unit).astype("M8[s]")

    @property
    def ends(self) -> npt.NDArray[np.datetime64]:
        """datetime64[s][bins], when each bin ends."""
        return np.asarray(((self._bins + 1) << self._power) * self.unit).astype("M8[s]")

    def add(
        self,
        times: npt.NDArray[np.datetime64],
        columns: FloatArray,
        maxima: FloatArray | None = None,
    ) -> None:
        """Add rows.

        Parameters
        ----------
        times
            datetime64[n], UTC.
        columns
            float64[columns, n], to be added up.
        maxima
            float64[maxima, n], of which the largest is kept.
        """
        if not len(times):
            return
        self._span(times.min(), times.max())
        seconds = times.astype("M8[s]").astype(np.int64)
        at = (seconds if self.unit == 1 else seconds // self.unit) >> self._power
        if maxima is None:
            maxima = np.zeros((self._largest.shape[1], len(times)))
        if bool((at[1:] >= at[:-1]).all()):
            # In the order of time, as most logs are, the rows of a bin stand together.
            begin = np.flatnonzero(np.diff(at, prepend=at[0] - 1))
            sums, largest = (
                np.add.reduceat(columns, begin, 1),
                np.maximum.reduceat(maxima, begin, 1),
            )
            self._merge(at[begin], sums.T, largest.T)
            return
        bins, places = _numbered(at)
        sums = np.empty((len(bins), len(columns)))
        for row, column in enumerate(columns):
            sums[:, row] = np.bincount(places, column, len(bins))
        largest = np.zeros((len(bins), len(maxima)))
        for row, column in enumerate(maxima):
            np.maximum.at(largest[:, row], places, column)
        self._merge(bins, sums, largest)

    def _span(self, first: np.datetime64 | None, last: np.datetime64 | None) -> None:
        if first is not None and last is not None:
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)

    def _merge(self, bins: IntArray, sums: FloatArray, largest: FloatArray) -> None:
        """Add bins of this object's own width; widen them until they are few enough."""
        places = np.searchsorted(self._bins, bins)
        known = places < len(self._bins)
        known[known] = self._bins[places[known]] == bins[known]
        if known.all() and bool((np.diff(bins) > 0).all()):
            self._sums[places] += sums
            self._largest[places] = np.maximum(self._largest[places], largest)
            return
        together = np.concatenate([self._bins, bins])
        sums = np.concatenate([self._sums, sums])
        largest = np.concatenate([self._largest, largest])
        found, places = np.unique(together, return_inverse=True)
        while len(found) > MOST_BINS:
            self._power += 1
            together >>= 1
            found, places = np.unique(together, return_inverse=True)
        self._bins = found
        self._sums = np.zeros((len(found), sums.shape[1]))
        np.add.at(self._sums, places, sums)
        self._largest = np.zeros((len(found), largest.shape[1]))
        np.maximum.at(self._largest, places, largest)

    def __add__(self, other: TimeBins) -> TimeBins:
        merged = TimeBins(self._sums.shape[1], self._largest.shape[1], self.unit)
        merged._power = max(self._power, other._power)
        for part in (self, other):
            merged._span(part.first, part.last)
            shift = merged._power - part._power
            merged._merge(part._bins >> shift, part._sums, part._largest)
        return merged

    def equal_rows(self, most: int, least_rows: float) -> list[IntArray]:
        """Bins of at most ``most`` stretches with about equally many rows, in the order of time.

        Rows are the first column. No stretch is made with fewer than ``least_rows`` on average.
        """
        rows = self._sums[:, 0]
        total = float(rows.sum())
        if not total:
            return []
        count = int(np.clip(total // max(least_rows, 1.0), 1, most))
        stretch = ((np.cumsum(rows) - rows) * count / total).astype(np.int64)
        return [np.flatnonzero(stretch == at) for at in np.unique(stretch).tolist()]

    def between(self, rows: IntArray) -> tuple[np.datetime64, np.datetime64]:
        """When these bins begin and end, within the first and the last time that was added."""
        assert self.first is not None
        assert self.last is not None
        start = max(self.starts[rows[0]], self.first.astype("M8[s]"))
        return start, min(self.ends[rows[-1]], self.last.astype("M8[s]"))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All that is held, as plain arrays."""
        span = [time for time in (self.first, self.last) if time is not None]
        return {
            "unit": np.array(self.unit),
            "power": np.array(self._power),
            "bins": self._bins,
            "sums": self._sums,
            "largest": self._largest,
            "span": np.array(span, "M8[us]"),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The bins that gave this state."""
        sums, largest = np.array(state["sums"]), np.array(state["largest"])
        bins = cls(sums.shape[1], largest.shape[1], int(state["unit"]))
        bins._power = int(state["power"])
        bins._bins, bins._sums, bins._largest = np.array(state["bins"]), sums, largest
        if len(state["span"]):
            bins.first, bins.last = state["span"]
        return bins


def _numbered(values: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct values in order, and the place of each value among them."""
    low = int(values.min())
    width = int(values.max()) - low + 1
    if width > 4 * len(values):
        bins, places = np.unique(values, return_inverse=True)
        return bins, places
    # A chunk spans little time as a rule: counting is cheaper than sorting.
    used = np.bincount(values - low, minlength=width) > 0
    return np.flatnonzero(used) + low, (np.cumsum(used) - 1)[values - low]
