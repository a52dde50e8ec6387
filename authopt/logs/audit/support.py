"""How much of every route the log holds, and how far the logging policy spread its choices."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from authopt.batch import CodeArray, FloatArray, IntArray, LoggedBatch
from authopt.logs.audit.report import Overlap, RouteSupport

PER_OCTAVE = 64
"""Bins of the histogram per factor of 2: a quantile is within 1% of its bin's middle."""

BINS = 40 * PER_OCTAVE

SMALL = 0.01
CERTAIN = 0.99


@dataclass(slots=True, eq=False)
class _Spread:
    """The probabilities of one route."""

    bins: IntArray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    zeros: int = 0
    smallest: float = np.inf
    largest: float = 0.0

    def __add__(self, other: _Spread) -> _Spread:
        return _Spread(
            self.bins + other.bins,
            self.zeros + other.zeros,
            min(self.smallest, other.smallest),
            max(self.largest, other.largest),
        )

    def quantile(self, share: float) -> float | None:
        """The smallest probability that at least this share of the actions does not exceed."""
        total = self.zeros + int(self.bins.sum())
        if not total:
            return None
        rank = max(1, int(np.ceil(share * total)))
        if rank <= self.zeros:
            return 0.0
        # Bins run from probability 1 downwards.
        above = np.cumsum(self.bins[::-1]) + self.zeros
        at = BINS - 1 - int(np.searchsorted(above, rank))
        return float(np.clip(2.0 ** (-(at + 0.5) / PER_OCTAVE), self.smallest, self.largest))

    def least(self) -> float | None:
        """The smallest probability, or None where there is none at all."""
        if self.zeros:
            return 0.0
        return self.smallest if np.isfinite(self.smallest) else None

    def never(self) -> float | None:
        """Share with probability 0."""
        total = self.zeros + int(self.bins.sum())
        return self.zeros / total if total else None


@dataclass(slots=True, eq=False)
class SupportSums:
    """Counts by route, histograms of probabilities, and shares over decisions with a choice.

    ``of_taken`` says that some decisions have the propensity of the taken action alone; the
    histograms then hold those.
    """

    decisions: int = 0
    eligible: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    spreads: dict[str, _Spread] = field(default_factory=dict)
    of_taken: bool = False
    with_choice: int = 0
    actions: int = 0
    with_probabilities: int = 0
    with_certainty: int = 0
    zero: int = 0
    small: int = 0
    certain: int = 0
    effective: float = 0.0
    largest_inverse: float = 0.0
    largest_possible: float = 0.0

    def add(self, batch: LoggedBatch) -> None:
        """Add these decisions too."""
        self.decisions += batch.n
        self._add_routes(batch)
        choice = batch.counts > 1
        self.with_choice += int(choice.sum())
        self.actions += int(batch.counts[choice].sum())
        known = batch.propensity[batch.propensity > 0]
        if len(known):
            self.largest_inverse = max(self.largest_inverse, 1.0 / float(known.min()))
        if batch.probability is None:
            self._add_taken(batch)
        else:
            self._add_probabilities(batch, batch.probability)

    def _add_routes(self, batch: LoggedBatch) -> None:
        size = len(batch.routes)
        present = np.zeros((batch.n, size), np.bool_)
        present[batch.decision_of_action, batch.action_route] = True
        taken = np.bincount(batch.action_route[batch.chosen_action], minlength=size)
        for route, offered, count in zip(
            batch.routes, present.sum(axis=0).tolist(), taken.tolist(), strict=True
        ):
            if offered:
                self.eligible[route] += offered
                self.taken[route] += count

    def _add_taken(self, batch: LoggedBatch) -> None:
        known = ~np.isnan(batch.propensity)
        if not known.any():
            return
        self.of_taken = True
        route = batch.action_route[batch.chosen_action]
        self._add_spread(batch.routes, route[known], batch.propensity[known])
        known &= batch.counts > 1
        self.with_certainty += int(known.sum())
        self.certain += int((batch.propensity[known] >= CERTAIN).sum())

    def _add_probabilities(self, batch: LoggedBatch, probability: FloatArray) -> None:
        self._add_spread(batch.routes, batch.action_route, probability)
        positive = probability[probability > 0]
        if len(positive):
            self.largest_possible = max(self.largest_possible, 1.0 / float(positive.min()))
        choice = batch.counts > 1
        count = int(choice.sum())
        if not count:
            return
        starts = batch.offsets[:-1]
        least = np.minimum.reduceat(probability, starts)[choice]
        most = np.maximum.reduceat(probability, starts)[choice]
        terms = np.zeros(batch.m)
        np.log(probability, out=terms, where=probability > 0)
        entropy = -batch.sum_by_decision(terms * probability)[choice]
        self.with_probabilities += count
        self.with_certainty += count
        self.zero += int((least <= 0).sum())
        self.small += int((least < SMALL).sum())
        self.certain += int((most >= CERTAIN).sum())
        self.effective += float(np.exp(entropy).sum())

    def _add_spread(self, routes: tuple[str, ...], route: CodeArray, values: FloatArray) -> None:
        size = len(routes)
        positive = values > 0
        halvings = np.zeros(len(values))
        np.log2(values, out=halvings, where=positive)
        place = np.clip(-halvings * PER_OCTAVE, 0, BINS - 1).astype(np.int64)
        key = route.astype(np.int64) * BINS + place
        bins = np.bincount(key[positive], minlength=size * BINS).reshape(size, BINS)
        zeros = np.bincount(route[~positive], minlength=size)
        smallest = np.full(size, np.inf)
        largest = np.zeros(size)
        np.minimum.at(smallest, route[positive], values[positive])
        np.maximum.at(largest, route[positive], values[positive])
        for at in np.flatnonzero(bins.any(axis=1) | (zeros > 0)).tolist():
            spread = _Spread(
                bins[at].copy(), int(zeros[at]), float(smallest[at]), float(largest[at])
            )
            before = self.spreads.get(routes[at])
            self.spreads[routes[at]] = spread if before is None else before + spread

    def __add__(self, other: SupportSums) -> SupportSums:
        spreads = dict(self.spreads)
        for route, spread in other.spreads.items():
            spreads[route] = spreads[route] + spread if route in spreads else spread
        # Counter's own + drops a route that was never taken.
        eligible, taken = Counter(self.eligible), Counter(self.taken)
        eligible.update(other.eligible)
        taken.update(other.taken)
        return SupportSums(
            decisions=self.decisions + other.decisions,
            eligible=eligible,
            taken=taken,
            spreads=spreads,
            of_taken=self.of_taken or other.of_taken,
            with_choice=self.with_choice + other.with_choice,
            actions=self.actions + other.actions,
            with_probabilities=self.with_probabilities + other.with_probabilities,
            with_certainty=self.with_certainty + other.with_certainty,
            zero=self.zero + other.zero,
            small=self.small + other.small,
            certain=self.certain + other.certain,
            effective=self.effective + other.effective,
            largest_inverse=max(self.largest_inverse, other.largest_inverse),
            largest_possible=max(self.largest_possible, other.largest_possible),
        )

    def routes(self) -> tuple[RouteSupport, ...]:
        """Every route that was eligible anywhere, the most taken first."""
        ordered = sorted(self.eligible, key=lambda route: (-self.taken[route], route))
        return tuple(self._route(route) for route in ordered)

    def _route(self, route: str) -> RouteSupport:
        eligible, taken = self.eligible[route], self.taken[route]
        spread = self.spreads.get(route, _Spread())
        return RouteSupport(
            route=route,
            eligible=eligible,
            taken=taken,
            eligible_share=eligible / self.decisions,
            taken_share=taken / eligible,
            smallest=spread.least(),
            first_percentile=spread.quantile(0.01),
            median=spread.quantile(0.5),
            never=None if self.of_taken else spread.never(),
        )

    def overlap(self) -> Overlap:
        """The shares over decisions with a choice."""

        def share(count: float, of: int) -> float | None:
            return count / of if of else None

        return Overlap(
            with_choice=self.with_choice,
            with_probabilities=self.with_probabilities,
            zero=share(self.zero, self.with_probabilities),
            below_1_percent=share(self.small, self.with_probabilities),
            nearly_certain=share(self.certain, self.with_certainty),
            effective_actions=share(self.effective, self.with_probabilities),
            actions=self.actions / self.with_choice if self.with_choice else 1.0,
            largest_inverse=self.largest_inverse or None,
            largest_possible=self.largest_possible or None,
        )
