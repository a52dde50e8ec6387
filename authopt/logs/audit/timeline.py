"""Sums along time, of which slices are cut once the whole span is known."""

from __future__ import annotations

import numpy as np

from authopt.batch import IntArray, LoggedBatch
from authopt.logs.audit.checks import approvals, stopped
from authopt.logs.audit.inverse import Deviations, check
from authopt.logs.audit.report import Slice
from authopt.time_bins import TimeBins

SLICES = 8

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
    """Outcomes, and deviations of 1/propensity, by bin of time."""

    def __init__(self) -> None:
        self._bins = TimeBins(len(_COLUMNS), maxima=1)
        self._inexact = False

    @property
    def bins(self) -> int:
        """How many bins of time there are."""
        return len(self._bins)

    @property
    def first(self) -> np.datetime64 | None:
        """The earliest decision."""
        return self._bins.first

    @property
    def last(self) -> np.datetime64 | None:
        """The latest decision."""
        return self._bins.last

    def add(self, batch: LoggedBatch, found: Deviations) -> None:
        """Add these decisions too (``found`` being their deviations)."""
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
        largest = np.zeros((1, batch.n))
        largest[0, found.at] = found.largest
        self._bins.add(batch.decided_at, columns, largest)

    def __add__(self, other: TimelineSums) -> TimelineSums:
        merged = TimelineSums()
        merged._inexact = self._inexact or other._inexact
        merged._bins = self._bins + other._bins
        return merged

    def report(self, design_effect: float) -> tuple[Slice, ...]:
        """Slices with about equally many decisions, in the order of time.

        Parameters
        ----------
        design_effect
            how much more sums by payment vary than by decision (``InverseSums.design_effect``).
        """
        return tuple(
            self._slice(rows, design_effect)
            for rows in self._bins.equal_rows(SLICES, _LEAST_PER_SLICE)
        )

    def _slice(self, rows: IntArray, design_effect: float) -> Slice:
        sums = dict(zip(_COLUMNS, self._bins.sums[rows].sum(axis=0).tolist(), strict=True))
        start, end = self._bins.between(rows)
        judged = int(sums["judged"])
        inverse = None
        if judged:
            inverse = check(
                f"{start} to {end}",
                judged,
                sums["inverse"],
                sums["expected"],
                max(sums["variance"], sums["squares"] * design_effect),
                float(self._bins.largest[rows].max()),
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
