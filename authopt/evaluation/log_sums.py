"""What one pass adds up of the log itself, whatever policies are judged by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, LoggedBatch, TimeArray
from authopt.distinct import DistinctCount
from authopt.evaluation.block import Block, State, inner, nested

NUMBERS = ("rows", "without_probabilities", "most_attempts")
COUNTERS = ("left_out", "eligible", "taken", "logging", "variance")


@dataclass(slots=True, eq=False)
class LogSums:
    """All that is kept of the log itself.

    Attributes
    ----------
    rows
        decisions used.
    left_out
        decisions that were not used, by reason.
    clusters
        distinct clusters.
    first, last
        earliest and latest decision, or None.
    without_probabilities
        decisions for which only the propensity of the taken action is known.
    disagreement
        largest difference between a propensity and the probability that the log gives the same
        action.
    eligible, taken, logging, variance
        by route: decisions in which it was eligible, in which it was taken, sum of the logging
        probability p, and of p (1 - p).
    most_attempts
        largest number of an attempt.
    hours
        rows and sum of rewards by hour since 1970.
    """

    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    clusters: DistinctCount = field(default_factory=DistinctCount)
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    without_probabilities: int = 0
    disagreement: float = 0.0
    most_attempts: int = 1
    eligible: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    logging: Counter[str] = field(default_factory=Counter)
    variance: Counter[str] = field(default_factory=Counter)
    hours: dict[int, tuple[int, float]] = field(default_factory=dict)

    def add(self, block: Block) -> None:
        """Add the decisions of a block."""
        log = block.arrays
        self.rows += log.n
        self.clusters.add(block.hashes)
        if log.probability is None:
            self.without_probabilities += log.n
        elif log.n:
            gap = np.abs(log.probability[log.chosen_action] - log.propensity)
            self.disagreement = max(self.disagreement, float(gap.max()))
        if block.batch is not None and log.n:
            self.most_attempts = max(self.most_attempts, int(block.batch.attempt.max()))
            self._add_times(block.batch)
            self._add_routes(block.batch)

    def _add_times(self, batch: LoggedBatch) -> None:
        times = batch.decided_at
        first, last = times.min(), times.max()
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        hour, rows, sums = _by_hour(times, batch.reward)
        for key, count, total in zip(hour.tolist(), rows.tolist(), sums.tolist(), strict=True):
            before = self.hours.get(key, (0, 0.0))
            self.hours[key] = (before[0] + count, before[1] + total)

    def _add_routes(self, batch: LoggedBatch) -> None:
        size, p = len(batch.routes), batch.probability
        # As bincount wants it; it would convert it each time.
        route = batch.action_route.astype(np.intp)
        taken = np.bincount(route[batch.chosen_action], minlength=size)
        self.taken.update(by_route(batch, taken))
        if not batch.action_delay_s.any():
            # No route stands twice in a decision: each of its actions is a route.
            self.eligible.update(by_route(batch, np.bincount(route, minlength=size)))
            if p is not None:
                total = np.bincount(route, p, size)
                self.logging.update(by_route(batch, total))
                spread = np.bincount(route, p * (1.0 - p), size)
                self.variance.update(by_route(batch, spread))
            return
        present = np.zeros((batch.n, size), np.bool_)
        present[batch.decision_of_action, batch.action_route] = True
        self.eligible.update(by_route(batch, present.sum(axis=0)))
        if p is not None:
            # Several delays of one route are one choice of it.
            cell = batch.decision_of_action * size + batch.action_route
            by_decision = np.bincount(cell, p, batch.n * size).reshape(batch.n, size)
            spread = by_decision * (1.0 - by_decision)
            self.logging.update(by_route(batch, by_decision.sum(axis=0)))
            self.variance.update(by_route(batch, spread.sum(axis=0)))

    def __add__(self, other: LogSums) -> LogSums:
        hours = dict(self.hours)
        for key, (count, total) in other.hours.items():
            before = hours.get(key, (0, 0.0))
            hours[key] = (before[0] + count, before[1] + total)
        firsts = [time for time in (self.first, other.first) if time is not None]
        lasts = [time for time in (self.last, other.last) if time is not None]
        return LogSums(
            rows=self.rows + other.rows,
            left_out=counts_together(self.left_out, other.left_out),
            clusters=self.clusters + other.clusters,
            first=min(firsts, default=None),
            last=max(lasts, default=None),
            without_probabilities=self.without_probabilities + other.without_probabilities,
            disagreement=max(self.disagreement, other.disagreement),
            most_attempts=max(self.most_attempts, other.most_attempts),
            eligible=counts_together(self.eligible, other.eligible),
            taken=counts_together(self.taken, other.taken),
            logging=counts_together(self.logging, other.logging),
            variance=counts_together(self.variance, other.variance),
            hours=hours,
        )

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        hours = sorted(self.hours)
        times = [time for time in (self.first, self.last) if time is not None]
        return {
            "numbers": np.array([getattr(self, name) for name in NUMBERS], np.int64),
            "disagreement": np.array(self.disagreement),
            "times": np.array(times, "M8[us]"),
            "hours": np.array(hours, np.int64),
            "hour_rows": np.array([self.hours[hour][0] for hour in hours], np.int64),
            "hour_rewards": np.array([self.hours[hour][1] for hour in hours], np.float64),
            **nested({name: counter_state(getattr(self, name)) for name in COUNTERS}),
            **nested({"clusters": self.clusters.state()}),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        numbers = dict(zip(NUMBERS, state["numbers"].tolist(), strict=True))
        times = state["times"]
        stretches = zip(state["hour_rows"].tolist(), state["hour_rewards"].tolist(), strict=True)
        counters: dict[str, Any] = {name: counter_of(inner(state, name)) for name in COUNTERS}
        return cls(
            **numbers,
            disagreement=float(state["disagreement"]),
            first=times[0] if len(times) else None,
            last=times[1] if len(times) else None,
            hours=dict(zip(state["hours"].tolist(), stretches, strict=True)),
            clusters=DistinctCount.from_state(inner(state, "clusters")),
            **counters,
        )


def by_route(batch: LoggedBatch, values: npt.NDArray[np.generic]) -> Counter[str]:
    """Values (one per route of the batch) by the name of the route."""
    return Counter(dict(zip(batch.routes, values.tolist(), strict=True)))


def counts_together(left: Counter[str], right: Counter[str]) -> Counter[str]:
    """Sum of two counters; other than with ``+``, what is not positive is kept."""
    total = Counter(left)
    total.update(right)
    return total


def counter_state(counts: Mapping[str, float]) -> State:
    """A counter as two arrays."""
    return {"keys": np.array(list(counts), np.str_), "values": np.array(list(counts.values()))}


def counter_of(state: State) -> Counter[str]:
    """The counter that gave this state."""
    return Counter(dict(zip(state["keys"].tolist(), state["values"].tolist(), strict=True)))


Values = npt.NDArray[np.generic]


def _by_hour(times: TimeArray, reward: FloatArray) -> tuple[Values, Values, Values]:
    """Hours since 1970 that have decisions; decisions and sum of rewards in each."""
    hour = times.astype("M8[h]").astype(np.int64)
    start = int(hour.min())
    hour -= start
    if int(hour.max()) < 1 << 16:
        rows = np.bincount(hour)
        used = np.flatnonzero(rows)
        return used + start, rows[used], np.bincount(hour, reward)[used]
    distinct, place = np.unique(hour, return_inverse=True)
    return distinct + start, np.bincount(place), np.bincount(place, reward)
