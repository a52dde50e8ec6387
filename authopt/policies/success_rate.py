"""Success-rate routing: the route that did best lately, among payments of the same kind.

The method of Juspay's decision-engine (open source, used by Hyperswitch): a sliding window of the
last outcomes for every route and every combination of chosen dimensions, the route of the highest
rate, and a share of exploration ('hedging'). Unlike there, the probabilities are exact and given,
and a window with few outcomes is shrunken towards the route's window over all payments, in place of
windows that start full of successes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, Kind
from authopt.policies.best_route import best_of_each
from authopt.policies.state_file import read_state, write_state
from authopt.policies.uniform import uniform

WINDOW = 200
HEDGING = 0.05
DIMENSIONS = ("network",)
STRENGTH = 10.0
"""Outcomes' worth of the wider window that every narrower one is mixed with."""

STOP_SCORE = math.nextafter(0.0, -math.inf)
"""Giving up brings nothing and costs nothing, by definition; a hair less, so that it loses ties."""

MADE_BY = "authopt train LOG --policy success-rate --out success-rate.json"

Key: TypeAlias = tuple[str | None, ...]
"""One value per dimension; None where it is missing."""


class WindowRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rewards of one window, oldest first; ``values`` is None for the one over all payments."""

    route: str
    values: tuple[str | None, ...] | None
    rewards: tuple[float, ...]


class SuccessRateFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="success-rate"
):
    """The file of a :class:`SuccessRate`: options and state."""

    window: int
    hedging: float
    dimensions: tuple[str, ...]
    strength: float
    windows: tuple[WindowRecord, ...]
    version: Literal[1] = 1


@dataclass(slots=True, eq=False)
class _Window:
    """The last rewards; their sum is taken anew when asked for, so that restoring it is exact."""

    rewards: deque[float]
    _total: float | None = None

    def extend(self, rewards: Iterable[float]) -> None:
        self.rewards.extend(rewards)
        self._total = None

    @property
    def total(self) -> float:
        if self._total is None:
            self._total = math.fsum(self.rewards)
        return self._total


@dataclass(slots=True, eq=False)
class SuccessRate:
    """A policy that learns: the route of the highest success rate in its sliding window.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    window
        outcomes that a window holds, at least 1.
    hedging
        share of exploration, uniform over the eligible actions, in [0, 1].
    dimensions
        context columns of names; every combination of their values has windows of its own.
    strength
        outcomes' worth of the window over all payments that a narrower one is mixed with (and of
        the mean over all routes that the former is mixed with), above 0.
    """

    window: int = WINDOW
    hedging: float = HEDGING
    dimensions: tuple[str, ...] = DIMENSIONS
    strength: float = STRENGTH
    name: str = "success-rate"
    _overall: dict[str, _Window] = field(default_factory=dict, repr=False)
    _windows: dict[tuple[Key, str], _Window] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UserError(f"the window of success-rate is {self.window}; expected 1 or more")
        if not 0.0 <= self.hedging <= 1.0:
            raise UserError(f"hedging of success-rate is {self.hedging:g}; expected 0 to 1")
        if not 0.0 < self.strength < math.inf:
            raise UserError(f"the strength of success-rate is {self.strength:g}; expected above 0")
        for name in self.dimensions:
            known = CONTEXT_BY_NAME.get(name)
            if not name.startswith(CUSTOM_PREFIX) and (not known or known.kind != Kind.CATEGORY):
                names = [each.name for each in CONTEXT_BY_NAME.values()]
                names = [each for each in names if CONTEXT_BY_NAME[each].kind == Kind.CATEGORY]
                raise UserError(
                    f"success-rate cannot have the dimension {name!r}; expected one of "
                    f"{', '.join(names)}, or a column {CUSTOM_PREFIX}... of your own"
                )

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], ``1 - hedging`` on the best route and ``hedging`` over all actions alike.

        Routes of equal rate share the probability; of a route's actions the one with the shortest
        delay is taken.
        """
        if not batch.n:
            return np.zeros(0)
        keys, row = _keys(batch, self.dimensions)
        scores = self._scores(keys, batch.routes)
        score = scores[np.repeat(row, batch.counts), batch.action_route]
        best = best_of_each(batch, score)
        return (1.0 - self.hedging) * best + self.hedging * uniform(batch)

    def update(self, batch: LoggedBatch) -> None:
        """Learn from outcomes, oldest first; rows without a reward and ``stop`` teach nothing."""
        stopped = batch.is_stop[batch.chosen_action]
        rows = np.flatnonzero(np.isfinite(batch.reward) & ~stopped)
        if not len(rows):
            return
        rows = rows[np.argsort(batch.decided_at[rows], kind="stable")]
        keys, row = _keys(batch, self.dimensions)
        route = batch.action_route[batch.chosen_action[rows]].astype(np.int64)
        for code, some in _groups(route):
            window = self._overall.setdefault(batch.routes[code], self._empty())
            window.extend(batch.reward[rows[some[-self.window :]]].tolist())
        for pair, some in _groups(row[rows] * len(batch.routes) + route):
            key, code = divmod(pair, len(batch.routes))
            place = (keys[key], batch.routes[code])
            window = self._windows.setdefault(place, self._empty())
            window.extend(batch.reward[rows[some[-self.window :]]].tolist())

    def overall_rate(self, route: str) -> float:
        """Score of a route for payments of a kind that has not been seen."""
        return self._shrunken(self._overall.get(route), self._mean())

    def save(self, path: Path) -> None:
        """Write options and state; :meth:`load` restores them exactly."""
        overall = [
            WindowRecord(route, None, tuple(window.rewards))
            for route, window in self._overall.items()
        ]
        narrow = [
            WindowRecord(route, values, tuple(window.rewards))
            for (values, route), window in self._windows.items()
        ]
        records = sorted([*overall, *narrow], key=_place)
        state = SuccessRateFile(
            self.window, self.hedging, self.dimensions, self.strength, tuple(records)
        )
        write_state(path, state)

    @classmethod
    def load(cls, path: Path) -> SuccessRate:
        """Read options and state.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        state = read_state(path, SuccessRateFile, "a success-rate policy", MADE_BY)
        try:
            policy = cls(state.window, state.hedging, state.dimensions, state.strength)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        for record in state.windows:
            window = policy._empty()
            window.extend(record.rewards)
            if record.values is None:
                policy._overall[record.route] = window
            elif len(record.values) == len(policy.dimensions):
                policy._windows[record.values, record.route] = window
            else:
                raise UserError(
                    f"{path}: a window of route {record.route!r} has {len(record.values)} values; "
                    f"expected one for each of {', '.join(policy.dimensions) or 'no dimension'}"
                )
        return policy

    def _empty(self) -> _Window:
        return _Window(deque(maxlen=self.window))

    def _scores(self, keys: list[Key], routes: tuple[str, ...]) -> FloatArray:
        """float64[len(keys), len(routes)]."""
        mean = self._mean()
        scores = np.empty((len(keys), len(routes)))
        for column, route in enumerate(routes):
            wide = self._shrunken(self._overall.get(route), mean)
            for row, key in enumerate(keys):
                scores[row, column] = self._shrunken(self._windows.get((key, route)), wide)
        if STOP_ROUTE in routes:
            scores[:, routes.index(STOP_ROUTE)] = STOP_SCORE
        return scores

    def _mean(self) -> float:
        seen = sum(len(window.rewards) for window in self._overall.values())
        total = math.fsum(window.total for window in self._overall.values())
        return total / seen if seen else 0.0

    def _shrunken(self, window: _Window | None, towards: float) -> float:
        if window is None:
            return towards
        return (window.total + self.strength * towards) / (len(window.rewards) + self.strength)


def _place(record: WindowRecord) -> tuple[str, bool, list[tuple[bool, str]]]:
    values = record.values or ()
    return (
        record.route,
        record.values is not None,
        [(value is not None, value or "") for value in values],
    )


def _keys(batch: DecisionBatch, dimensions: tuple[str, ...]) -> tuple[list[Key], IntArray]:
    """The combinations of values that occur, and int64[n], which of them each decision has.

    A dimension that the batch lacks, or holds as numbers, is missing in every decision.
    """
    found = [batch.context.get(name) for name in dimensions]
    columns = [column if isinstance(column, Categorical) else None for column in found]
    combined = np.zeros(batch.n, np.int64)
    for column in columns:
        # Renumbered after every column, so that the product of vocabularies cannot overflow.
        size = 1 if column is None else len(column.categories) + 1
        code = 0 if column is None else column.codes.astype(np.int64) + 1
        combined = np.unique(combined * size + code, return_inverse=True)[1].reshape(-1)
    _, first, row = np.unique(combined, return_index=True, return_inverse=True)
    values = [[None] * len(first) if each is None else each[first].values() for each in columns]
    return list(zip(*values, strict=True)) if values else [()] * len(first), row.reshape(-1)


def _groups(code: IntArray) -> list[tuple[int, IntArray]]:
    """Every code that occurs, with the positions where it does, in their order."""
    order = np.argsort(code, kind="stable")
    codes, starts = np.unique(code[order], return_index=True)
    return list(zip(codes.tolist(), np.split(order, starts[1:]), strict=True))
