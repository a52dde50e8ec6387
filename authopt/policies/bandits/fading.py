"""Attempts and successes by segment and route that fade with time, at the same pace everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import numpy as np

from authopt.batch import FloatArray, utc_datetime
from authopt.errors import UserError
from authopt.policies.bandits.cells import Cells
from authopt.policies.bandits.segments import Outcomes


class FadingRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sums of a segment, one number per route of the file's list."""

    values: tuple[str | None, ...]
    attempts: tuple[float, ...]
    successes: tuple[float, ...]
    squares: tuple[float, ...]


class FadingState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What :class:`Fading` holds; no half-life where nothing fades."""

    half_life_days: float | None
    as_of: datetime | None
    routes: tuple[str, ...]
    segments: tuple[FadingRecord, ...]


@dataclass(slots=True, eq=False)
class Fading:
    """Sums in which an outcome ``half_life_days`` ago counts half.

    Counting by the clock, not by the rounds of a segment, keeps the sums of a segment's parts equal
    to the segment's own, which pooling over segments of very different traffic needs.

    Attributes
    ----------
    half_life_days
        above 0; infinite where nothing fades.
    as_of
        instant that the sums stand at: the latest decision seen; NaT before the first.
    attempts, successes, squares
        float64[segments, routes]: sums of the weights, of weight times reward, and of the squares
        of the weights.
    """

    half_life_days: float = math.inf
    cells: Cells = field(default_factory=Cells)
    as_of: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "us"))
    attempts: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    successes: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    squares: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        if not self.half_life_days > 0.0:
            raise UserError(f"the half-life is {self.half_life_days:g} days; expected above 0")

    def add(self, outcomes: Outcomes) -> None:
        """Count outcomes, and let what was there before fade until the latest of them."""
        row, column = self.cells.add(outcomes.keys, outcomes.routes)
        now = outcomes.decided_at.max()
        if not np.isnat(self.as_of):
            now = max(now, self.as_of)
            kept = float(self._weight(np.array([self.as_of]), now)[0])
        else:
            kept = 1.0
        self.as_of = now
        weight = self._weight(outcomes.decided_at, now)
        cell = row[outcomes.segment] * len(self.cells.routes) + column[outcomes.route]
        self.attempts = self._added(self.attempts, kept, cell, weight)
        self.successes = self._added(self.successes, kept, cell, weight * outcomes.reward)
        self.squares = self._added(self.squares, kept * kept, cell, weight * weight)

    def _weight(self, time: np.ndarray, now: np.datetime64) -> FloatArray:
        days = (now - time).astype("m8[us]").astype(np.float64) / 86_400e6
        return np.asarray(np.exp2(-days / self.half_life_days))

    def _added(
        self, array: FloatArray, kept: float, cell: np.ndarray, weight: FloatArray
    ) -> FloatArray:
        array = self.cells.grown(array) * kept
        return array + np.bincount(cell, weight, array.size).reshape(array.shape)

    def state(self) -> FadingState:
        """All there is to it."""
        rows = zip(
            self.cells.segments,
            self.attempts.tolist(),
            self.successes.tolist(),
            self.squares.tolist(),
            strict=True,
        )
        records = (FadingRecord(key, tuple(a), tuple(b), tuple(c)) for key, a, b, c in rows)
        half_life = self.half_life_days if math.isfinite(self.half_life_days) else None
        as_of = None if np.isnat(self.as_of) else utc_datetime(self.as_of)
        return FadingState(half_life, as_of, tuple(self.cells.routes), tuple(records))

    @classmethod
    def of(cls, state: FadingState) -> Fading:
        """From what :meth:`state` gave.

        Raises
        ------
        UserError
            If numbers are missing or impossible.
        """
        half_life = math.inf if state.half_life_days is None else state.half_life_days
        fading = cls(half_life)
        if state.as_of is not None:
            fading.as_of = np.datetime64(state.as_of.replace(tzinfo=None), "us")
        fading.cells.add([record.values for record in state.segments], state.routes)
        shape = (len(state.segments), len(state.routes))
        for name in ("attempts", "successes", "squares"):
            numbers = [getattr(record, name) for record in state.segments]
            for record, row in zip(state.segments, numbers, strict=True):
                if len(row) != shape[1] or not all(0.0 <= each < math.inf for each in row):
                    raise UserError(
                        f"segment {record.values}: {name} are {row}; expected a number, 0 or more, "
                        f"for each of {shape[1]} routes"
                    )
            setattr(fading, name, np.array(numbers, np.float64).reshape(shape))
        return fading
