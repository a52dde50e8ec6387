"""What one pass over a log adds up: sums that merge, of the log and of each policy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, IntArray, LoggedBatch, TimeArray
from authopt.distinct import DistinctCount
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.estimators import Columns, table_columns
from authopt.evaluation.terms import LoggedArrays, Terms

LOWEST_POWER, HIGHEST_POWER = -10, 20
"""Weights below 2**-10 and from 2**20 on share the outer bins of the histogram."""


@dataclass(slots=True, eq=False)
class PolicySums:
    """All that is kept of one policy.

    Attributes
    ----------
    table
        bucket sums of ``estimators.table_columns``.
    weights
        int64[2 + HIGHEST_POWER - LOWEST_POWER]: rows of weight 0, then by powers of two.
    largest_seen, largest_possible
        over the logged actions, and over all eligible ones (infinite where not known).
    most_unsupported
        largest mass without support of any decision.
    q_low, q_high
        extremes of the reward model's predictions.
    route_mass
        sum of the policy's probability by route.
    """

    table: BucketTable
    weights: IntArray = field(
        default_factory=lambda: np.zeros(HIGHEST_POWER - LOWEST_POWER + 2, np.int64)
    )
    largest_seen: float = 0.0
    largest_possible: float = 0.0
    most_unsupported: float = 0.0
    q_low: float = np.inf
    q_high: float = -np.inf
    route_mass: Counter[str] = field(default_factory=Counter)

    @classmethod
    def empty(cls, with_model: bool) -> PolicySums:
        """Nothing added up yet."""
        return cls(BucketTable.empty(table_columns(with_model)))

    def add(self, bucket: IntArray, terms: Terms, route_mass: Counter[str] | None = None) -> None:
        """Add decisions: their buckets (int64[n]) and their terms."""
        columns = Columns(terms)
        names = self.table.columns
        self.table += BucketTable.of(bucket, {name: columns[name] for name in names})
        self.weights += _histogram(columns.w)
        self.largest_seen = max(self.largest_seen, float(columns.w.max(initial=0.0)))
        self.largest_possible = max(self.largest_possible, terms.largest_weight)
        if terms.unsupported is not None:
            most = float(terms.unsupported.max(initial=0.0))
            self.most_unsupported = max(self.most_unsupported, most)
        self.q_low = float(np.fmin(self.q_low, terms.q_low))
        self.q_high = float(np.fmax(self.q_high, terms.q_high))
        self.route_mass.update(route_mass or {})

    def __add__(self, other: PolicySums) -> PolicySums:
        return PolicySums(
            self.table + other.table,
            self.weights + other.weights,
            max(self.largest_seen, other.largest_seen),
            max(self.largest_possible, other.largest_possible),
            max(self.most_unsupported, other.most_unsupported),
            min(self.q_low, other.q_low),
            max(self.q_high, other.q_high),
            _sum(self.route_mass, other.route_mass),
        )


def _histogram(weights: FloatArray) -> IntArray:
    _, power = np.frexp(weights)
    place = np.clip(power - 1, LOWEST_POWER, HIGHEST_POWER) - (LOWEST_POWER - 1)
    place[weights == 0.0] = 0
    return np.bincount(place, minlength=HIGHEST_POWER - LOWEST_POWER + 2)


def _sum(left: Counter[str], right: Counter[str]) -> Counter[str]:
    # Counter's own + drops what is not positive.
    total = Counter(left)
    total.update(right)
    return total


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
    eligible: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    logging: Counter[str] = field(default_factory=Counter)
    variance: Counter[str] = field(default_factory=Counter)
    hours: dict[int, tuple[int, float]] = field(default_factory=dict)

    def add(self, hashes: npt.NDArray[np.uint64], log: LoggedArrays) -> None:
        """Add decisions: the hashes of their clusters (uint64[n]) and what was logged."""
        self.rows += log.n
        self.clusters.add(hashes)
        if log.probability is None:
            self.without_probabilities += log.n
        elif log.n:
            gap = np.abs(log.probability[log.chosen_action] - log.propensity)
            self.disagreement = max(self.disagreement, float(gap.max()))

    def add_times(self, times: TimeArray, reward: FloatArray) -> None:
        """Add when decisions were made (datetime64[n], UTC) and their rewards (float64[n])."""
        if not len(times):
            return
        first, last = times.min(), times.max()
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        hour, place = np.unique(times.astype("M8[h]").astype(np.int64), return_inverse=True)
        rows, sums = np.bincount(place), np.bincount(place, reward)
        for key, count, total in zip(hour.tolist(), rows.tolist(), sums.tolist(), strict=True):
            before = self.hours.get(key, (0, 0.0))
            self.hours[key] = (before[0] + count, before[1] + total)

    def add_routes(self, batch: LoggedBatch) -> None:
        """Add what was eligible and what was taken."""
        size = len(batch.routes)
        present = np.zeros((batch.n, size), np.bool_)
        present[batch.decision_of_action, batch.action_route] = True
        self.eligible.update(_by_route(batch, present.sum(axis=0)))
        taken = np.bincount(batch.action_route[batch.chosen_action], minlength=size)
        self.taken.update(_by_route(batch, taken))
        if batch.probability is not None:
            # Several delays of one route are one choice of it.
            p = np.bincount(
                batch.decision_of_action * size + batch.action_route,
                batch.probability,
                batch.n * size,
            ).reshape(batch.n, size)
            self.logging.update(_by_route(batch, p.sum(axis=0)))
            self.variance.update(_by_route(batch, (p * (1.0 - p)).sum(axis=0)))

    def __add__(self, other: LogSums) -> LogSums:
        hours = dict(self.hours)
        for key, (count, total) in other.hours.items():
            before = hours.get(key, (0, 0.0))
            hours[key] = (before[0] + count, before[1] + total)
        firsts = [time for time in (self.first, other.first) if time is not None]
        lasts = [time for time in (self.last, other.last) if time is not None]
        return LogSums(
            rows=self.rows + other.rows,
            left_out=_sum(self.left_out, other.left_out),
            clusters=self.clusters + other.clusters,
            first=min(firsts, default=None),
            last=max(lasts, default=None),
            without_probabilities=self.without_probabilities + other.without_probabilities,
            disagreement=max(self.disagreement, other.disagreement),
            eligible=_sum(self.eligible, other.eligible),
            taken=_sum(self.taken, other.taken),
            logging=_sum(self.logging, other.logging),
            variance=_sum(self.variance, other.variance),
            hours=hours,
        )


def route_mass(batch: LoggedBatch, probabilities: FloatArray) -> Counter[str]:
    """Sum of a policy's probabilities (float64[m]) by route."""
    sums = np.bincount(batch.action_route, probabilities, len(batch.routes))
    return _by_route(batch, sums)


def _by_route(batch: LoggedBatch, values: npt.NDArray[np.generic]) -> Counter[str]:
    return Counter(dict(zip(batch.routes, values.tolist(), strict=True)))
