"""Success-rate routing: the route that did best lately, among payments of the same kind.

The method of Juspay's decision-engine (open source, used by Hyperswitch): a sliding window of the
last outcomes for every route and every combination of chosen dimensions, the route of the highest
rate, and a share of exploration ('hedging'). Here the probabilities are exact and given.

By default a window with few outcomes is shrunken towards the route's window over all payments, and
hedging is a share over all actions alike. As the engine itself does it (``src/decider/
gatewaydecider/gw_scoring.rs`` and ``constants.rs``): ``start=full``, windows that begin full of
successes (``get_score_from_redis``, ``createKeysIfNotExist``), so that every route is tried until
its failures show; ``hedge=others``, 5% for each route behind the best (``route_random_traffic``);
``window=125``. Its options that are off by default (resets of a window that fell behind, a bonus of
sigmas, draws from Beta or binomial distributions) are left out; ``thompson`` does the last one.
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
from authopt.batch import DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.bandits.hedging import hedge_others
from authopt.policies.bandits.segments import Key, check_dimensions, keys_of, outcomes_of
from authopt.policies.bandits.spec_keys import one_of
from authopt.policies.best_route import best_of_each
from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.state_file import read_state, write_state
from authopt.policies.uniform import uniform

WINDOW = 200
HEDGING = 0.05
DIMENSIONS = ("network",)
STRENGTH = 10.0
"""Outcomes' worth of the wider window that every narrower one is mixed with."""

STOP_SCORE = math.nextafter(0.0, -math.inf)
"""Giving up brings nothing and costs nothing, by definition; a hair less, so that it loses ties."""

FIXED = ("window", "dimensions", "strength")
"""Keys of what cannot be changed once something has been learned."""

MADE_BY = "authopt train LOG --policy success-rate --out success-rate.json"

Start: TypeAlias = Literal["shrunken", "full"]
Hedge: TypeAlias = Literal["all", "others"]


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
    start: Start = "shrunken"
    hedge: Hedge = "all"
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

    Retries seldom succeed, on any route, and the best route gets most of them: let the dimensions
    contain ``previous_response_code``, which is missing on first attempts, or they will make the
    best route look the worst.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    window
        outcomes that a window holds, at least 1.
    hedging
        share of exploration, in [0, 1].
    dimensions
        context columns of names; every combination of their values has windows of its own.
    strength
        outcomes' worth of the window over all payments that a narrower one is mixed with (and of
        the mean over all routes that the former is mixed with), above 0.
    start
        what stands for outcomes that a window does not have yet: the wider window, as far as
        ``strength`` goes, or (``full``) successes.
    hedge
        who gets the exploration: all eligible actions alike share ``hedging``, or each of the
        routes behind the best (``others``) gets as much. Only the former gives every action its
        floor.
    """

    window: int = WINDOW
    hedging: float = HEDGING
    dimensions: tuple[str, ...] = DIMENSIONS
    strength: float = STRENGTH
    start: Start = "shrunken"
    hedge: Hedge = "all"
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
        check_dimensions("success-rate", self.dimensions)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], mostly on the best route, and the hedging.

        Routes of equal rate share the probability; of a route's actions the one with the shortest
        delay is taken.
        """
        if not batch.n:
            return np.zeros(0)
        best = best_of_each(batch, self.rates(batch))
        if self.hedge == "others":
            return hedge_others(batch, self.hedging, best, best, np.zeros(batch.m, np.bool_))
        return (1.0 - self.hedging) * best + self.hedging * uniform(batch)

    def rates(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the rate of each action's route; that of ``stop`` loses against all."""
        keys, row = keys_of(batch, self.dimensions)
        scores = self._scores(keys, batch.routes)
        return np.asarray(scores[np.repeat(row, batch.counts), batch.action_route])

    def update(self, batch: LoggedBatch) -> None:
        """Learn from outcomes, oldest first; rows without a reward and ``stop`` teach nothing."""
        known = outcomes_of(batch, self.dimensions)
        if not len(known):
            return
        for code, some in _groups(known.route):
            window = self._overall.setdefault(batch.routes[code], self._empty())
            window.extend(known.reward[some[-self.window :]].tolist())
        for pair, some in _groups(known.segment * len(batch.routes) + known.route):
            key, code = divmod(pair, len(batch.routes))
            place = (known.keys[key], batch.routes[code])
            window = self._windows.setdefault(place, self._empty())
            window.extend(known.reward[some[-self.window :]].tolist())

    def overall_rate(self, route: str) -> float:
        """Score of a route for payments of a kind that has not been seen."""
        return self._shrunken(self._overall.get(route), self._mean())

    def save(self, path: Path) -> None:
        """Write options and state; :meth:`load` restores them exactly."""
        write_state(path, self.state())

    def state(self) -> SuccessRateFile:
        """Options and state."""
        overall = [
            WindowRecord(route, None, tuple(window.rewards))
            for route, window in self._overall.items()
        ]
        narrow = [
            WindowRecord(route, values, tuple(window.rewards))
            for (values, route), window in self._windows.items()
        ]
        return SuccessRateFile(
            self.window,
            self.hedging,
            self.dimensions,
            self.strength,
            tuple(sorted([*overall, *narrow], key=_place)),
            self.start,
            self.hedge,
        )

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
            return cls.of(state)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    @classmethod
    def of(cls, state: SuccessRateFile) -> SuccessRate:
        """From what :meth:`state` gave.

        Raises
        ------
        UserError
            If it does not fit together.
        """
        policy = cls(
            state.window,
            state.hedging,
            state.dimensions,
            state.strength,
            state.start,
            state.hedge,
        )
        for record in state.windows:
            window = policy._empty()
            window.extend(record.rewards)
            if record.values is None:
                policy._overall[record.route] = window
            elif len(record.values) == len(policy.dimensions):
                policy._windows[record.values, record.route] = window
            else:
                raise UserError(
                    f"a window of route {record.route!r} has {len(record.values)} values; "
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
                window = self._windows.get((key, route))
                full = self.start == "full"
                scores[row, column] = self._filled(window) if full else self._shrunken(window, wide)
        if STOP_ROUTE in routes:
            scores[:, routes.index(STOP_ROUTE)] = STOP_SCORE
        return scores

    def _mean(self) -> float:
        seen = sum(len(window.rewards) for window in self._overall.values())
        total = math.fsum(window.total for window in self._overall.values())
        return total / seen if seen else 0.0

    def _filled(self, window: _Window | None) -> float:
        if window is None:
            return 1.0
        return (window.total + self.window - len(window.rewards)) / self.window

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


def _groups(code: IntArray) -> list[tuple[int, IntArray]]:
    """Every code that occurs, with the positions where it does, in their order."""
    order = np.argsort(code, kind="stable")
    codes, starts = np.unique(code[order], return_index=True)
    return list(zip(codes.tolist(), np.split(order, starts[1:]), strict=True))


def _make(file: Path | None, options: Options) -> SuccessRate:
    if file is None:
        fresh = SuccessRate()
        dimensions = options.list("dimensions", "+")
        return SuccessRate(
            options.whole("window", fresh.window),
            options.number("hedging", fresh.hedging),
            fresh.dimensions if dimensions is None else dimensions,
            options.number("strength", fresh.strength),
            one_of(options, "start", ("shrunken", "full")),
            one_of(options, "hedge", ("all", "others")),
        )
    options.refuse((*FIXED, "start", "hedge"))
    policy = SuccessRate.load(file)
    hedging = options.number("hedging", policy.hedging)
    if not 0.0 <= hedging <= 1.0:
        raise SpecError(f"policy {options.spec!r}: hedging is {hedging:g}; expected 0 to 1")
    policy.hedging = hedging
    return policy


FAMILY = Family(
    "success-rate[:FILE.json or window=200,hedging=0.05,dimensions=network+currency,start=full,"
    "hedge=others]",
    _make,
    (*FIXED, "hedging", "start", "hedge", EPSILON),
    takes_file=True,
)
