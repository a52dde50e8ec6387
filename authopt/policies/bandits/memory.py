"""How many attempts and successes each segment and route had lately, by two ways to forget.

A bandit for rates that change either discounts what it saw (each outcome of a segment makes the
older ones of that segment count ``discount`` times as much) or keeps a window of the segment's last
outcomes. Both count in rounds, not in hours, as their papers do: a round of a segment is one
outcome there, on whatever route, and it makes the evidence on all the segment's routes older. So a
route that gets no traffic is forgotten at the pace of the segment's traffic, and is tried again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.errors import UserError
from authopt.policies.bandits.cells import Cells, age_in_segment
from authopt.policies.bandits.segments import Key, Outcomes


class CountRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Discounted attempts and successes of a segment, one number per route of the file's list."""

    values: tuple[str | None, ...]
    attempts: tuple[float, ...]
    successes: tuple[float, ...]


class WindowRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last outcomes of a segment, oldest first: routes as indices into the file's list."""

    values: tuple[str | None, ...]
    routes: tuple[int, ...]
    rewards: tuple[float, ...]


class DiscountedState(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="memory", tag="discounted"
):
    """What :class:`Discounted` holds."""

    discount: float
    routes: tuple[str, ...]
    segments: tuple[CountRecord, ...]


class WindowedState(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="memory", tag="windowed"
):
    """What :class:`Windowed` holds."""

    window: int
    routes: tuple[str, ...]
    segments: tuple[WindowRecord, ...]


@dataclass(slots=True, eq=False)
class Discounted:
    """Discounted sums: an outcome ``a`` rounds of its segment ago counts ``discount ** a``.

    Garivier and Moulines, 'On upper-confidence bound policies for switching bandit problems', ALT
    2011, section 2; Raj and Kalyani, 'Taming non-stationary bandits: a Bayesian approach',
    arXiv 1707.09727, algorithm 1. With a discount of 1 nothing is forgotten.
    """

    discount: float = 1.0
    cells: Cells = field(default_factory=Cells)
    attempts: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    successes: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        if not 0.0 < self.discount <= 1.0:
            raise UserError(f"the discount is {self.discount:g}; expected above 0 and at most 1")

    def add(self, outcomes: Outcomes) -> None:
        """Count outcomes, and what was there before for less."""
        row, column = self.cells.add(outcomes.keys, outcomes.routes)
        segment, route = row[outcomes.segment], column[outcomes.route]
        rounds = np.bincount(segment, minlength=len(self.cells.segments))
        kept = (self.discount**rounds)[:, None]
        weight = self.discount ** age_in_segment(segment)
        self.attempts = self.cells.grown(self.attempts) * kept
        self.successes = self.cells.grown(self.successes) * kept
        cell = segment * len(self.cells.routes) + route
        size, shape = self.attempts.size, self.attempts.shape
        self.attempts += np.bincount(cell, weight, size).reshape(shape)
        self.successes += np.bincount(cell, weight * outcomes.reward, size).reshape(shape)

    def read(
        self, keys: Sequence[Key], routes: Sequence[str]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Attempts and successes (float64[keys, routes]), and the rounds of each segment (keys)."""
        return _read(self.cells, self.attempts, self.successes, keys, routes)

    def state(self) -> DiscountedState:
        """All there is to it."""
        records = (
            CountRecord(key, tuple(attempts), tuple(successes))
            for key, attempts, successes in zip(
                self.cells.segments,
                self.attempts.tolist(),
                self.successes.tolist(),
                strict=True,
            )
        )
        return DiscountedState(self.discount, tuple(self.cells.routes), tuple(records))

    @classmethod
    def of(cls, state: DiscountedState) -> Discounted:
        """From what :meth:`state` gave.

        Raises
        ------
        UserError
            If numbers are missing or impossible.
        """
        memory = cls(state.discount)
        memory.cells.add([record.values for record in state.segments], state.routes)
        for record in state.segments:
            numbers = (*record.attempts, *record.successes)
            if len(record.attempts) != len(state.routes) or len(numbers) != 2 * len(state.routes):
                raise UserError(
                    f"segment {record.values} has {len(record.attempts)} attempts and "
                    f"{len(record.successes)} successes; expected one for each of "
                    f"{len(state.routes)} routes"
                )
            if not all(0.0 <= number < math.inf for number in numbers):
                raise UserError(f"segment {record.values} has a count that is no count")
        shape = (len(state.segments), len(state.routes))
        memory.attempts = np.array([each.attempts for each in state.segments]).reshape(shape)
        memory.successes = np.array([each.successes for each in state.segments]).reshape(shape)
        return memory


@dataclass(slots=True, eq=False)
class Windowed:
    """Sums over the last ``window`` rounds of each segment, on whatever routes.

    Garivier and Moulines 2011, section 3; Trovò et al., 'Sliding-window Thompson sampling for
    non-stationary settings', JAIR 68, 2020, algorithm 1.
    """

    window: int
    cells: Cells = field(default_factory=Cells)
    attempts: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    successes: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    _segment: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    _route: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    _reward: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UserError(f"the window is {self.window}; expected 1 or more")

    def add(self, outcomes: Outcomes) -> None:
        """Count outcomes; those that leave a window count no more."""
        row, column = self.cells.add(outcomes.keys, outcomes.routes)
        segment = np.concatenate([self._segment, row[outcomes.segment]])
        route = np.concatenate([self._route, column[outcomes.route]])
        reward = np.concatenate([self._reward, outcomes.reward])
        kept = age_in_segment(segment) < self.window
        self._segment, self._route, self._reward = segment[kept], route[kept], reward[kept]
        self._count()

    def _count(self) -> None:
        shape = (len(self.cells.segments), len(self.cells.routes))
        cell, size = self._segment * shape[1] + self._route, shape[0] * shape[1]
        sums = [np.bincount(cell, each, size) for each in (np.ones(len(cell)), self._reward)]
        self.attempts, self.successes = (
            np.asarray(each, np.float64).reshape(shape) for each in sums
        )

    def read(
        self, keys: Sequence[Key], routes: Sequence[str]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Attempts and successes (float64[keys, routes]), and the rounds of each segment (keys)."""
        return _read(self.cells, self.attempts, self.successes, keys, routes)

    def state(self) -> WindowedState:
        """All there is to it."""
        order = np.argsort(self._segment, kind="stable")
        ends = np.searchsorted(self._segment[order], np.arange(len(self.cells.segments) + 1))
        route, reward = self._route[order].tolist(), self._reward[order].tolist()
        records = (
            WindowRecord(key, tuple(route[start:stop]), tuple(reward[start:stop]))
            for key, start, stop in zip(self.cells.segments, ends[:-1], ends[1:], strict=True)
        )
        return WindowedState(self.window, tuple(self.cells.routes), tuple(records))

    @classmethod
    def of(cls, state: WindowedState) -> Windowed:
        """From what :meth:`state` gave.

        Raises
        ------
        UserError
            If a record does not fit the routes or the window.
        """
        memory = cls(state.window)
        memory.cells.add([record.values for record in state.segments], state.routes)
        for record in state.segments:
            if len(record.routes) != len(record.rewards) or len(record.routes) > state.window:
                raise UserError(
                    f"segment {record.values} has {len(record.routes)} routes and "
                    f"{len(record.rewards)} rewards; expected as many of each, "
                    f"{state.window} at most"
                )
            if not all(0 <= route < len(state.routes) for route in record.routes):
                raise UserError(f"segment {record.values} has a route that is not in the list")
            if not all(0.0 <= reward <= 1.0 for reward in record.rewards):
                raise UserError(f"segment {record.values} has a reward that is not from 0 to 1")
        sizes = [len(record.routes) for record in state.segments]
        memory._segment = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
        memory._route = np.array([each for r in state.segments for each in r.routes], np.int64)
        memory._reward = np.array([each for r in state.segments for each in r.rewards], np.float64)
        memory._count()
        return memory


def _read(
    cells: Cells,
    attempts: FloatArray,
    successes: FloatArray,
    keys: Sequence[Key],
    routes: Sequence[str],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    # Rounds count attempts on routes that are not asked about, too.
    rounds = cells.read(attempts, keys, tuple(cells.routes)).sum(axis=1)
    return cells.read(attempts, keys, routes), cells.read(successes, keys, routes), rounds


Memory: TypeAlias = Discounted | Windowed
MemoryState: TypeAlias = DiscountedState | WindowedState


def memory_of(state: MemoryState) -> Memory:
    """The memory that a file holds.

    Raises
    ------
    UserError
        If its numbers do not fit together.
    """
    return Discounted.of(state) if isinstance(state, DiscountedState) else Windowed.of(state)


def new_memory(discount: float | None, window: int | None) -> Memory:
    """A memory that forgets in one of the two ways, or not at all.

    Raises
    ------
    UserError
        If both a discount and a window are given, or one is out of bounds.
    """
    if discount is not None and window is not None:
        raise UserError("a bandit forgets by a discount or by a window; expected one of them")
    if window is not None:
        return Windowed(window)
    return Discounted(1.0 if discount is None else discount)
