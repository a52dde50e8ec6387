"""Who competes at a place, and which static policies are the yardsticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from simulator.leaderboard.candidates import (
    AT_ONCE,
    TUNING_PAYMENTS,
    TUNING_SEED,
    Candidate,
    candidates_of,
    neighbours,
    timed,
)
from simulator.leaderboard.cell import Cell
from simulator.leaderboard.makers import INFORMED, ORACLE, PLANNING
from simulator.leaderboard.places import Place
from simulator.leaderboard.price_lists import lowest_cost_spec
from simulator.leaderboard.runner import Track, results_of, unseen
from simulator.leaderboard.trained import best_time_spec, recommended_spec

RECOMMENDED = "recommended"
RECOMMENDED_EXPLORED = "recommended, explored log"


class Kind(StrEnum):
    """What a policy is to the comparison."""

    STATIC = "static"
    LEARNER = "learner"
    OURS = "ours"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy that competes.

    Attributes
    ----------
    label, spec, kind
        its name in tables, its spec at the place, and what it is.
    equal
        label of the policy of ours that was given the same log beforehand; None where it knew no
        more than the one in question.
    """

    label: str
    spec: str
    kind: Kind
    equal: str | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """Who competes at a place.

    Attributes
    ----------
    entries
        all policies.
    reference
        label of the policy in question, that the others are compared with.
    oracle
        label of the oracle of one decision.
    cascade
        label of the best order of routes that retries at once.
    static
        label of the best static policy, schedules included.
    """

    entries: tuple[Entry, ...]
    reference: str
    oracle: str
    cascade: str | None = None
    static: str | None = None


LEARNERS: Sequence[tuple[str, str]] = (
    (
        "success rate",
        "success-rate:window=125,hedging=0.05,start=full,hedge=others,"
        "dimensions=previous_response_code+currency",
    ),
    ("success rate by issuer", "success-rate:dimensions=previous_response_code+issuer"),
    ("success rate with elimination", "success-rate-elimination"),
    ("UCB, discounted", "ucb"),
    ("UCB, sliding window", "ucb:window=1000"),
    ("Thompson, discounted", "thompson"),
    ("Thompson, sliding window", "thompson:window=1000"),
    ("hierarchical Thompson", "hierarchical-thompson"),
)
"""Baselines that learn which route is best; their retries are on the best timetable of the place,
as a retry at once is poor whatever the route."""


def oracles_of(place: Place) -> list[Entry]:
    """The oracles of a place.

    Where nothing is hidden, the one that plans stands beside that of one decision, and the latter
    can be reached. In a steady world of cards the informed one is the yardstick that can be.
    """
    found = [Entry("oracle", ORACLE, Kind.ORACLE)]
    if place.attainable:
        found.append(Entry("planning oracle", PLANNING, Kind.ORACLE))
    elif place.steady:
        found[0] = Entry("oracle that sees all", ORACLE, Kind.ORACLE)
        found.append(Entry("informed oracle", INFORMED, Kind.ORACLE))
    return found


_ALWAYS = ("own order, daily", "own order, same hour", "own order, 1, 3, 5, 7 days, then stop")
"""Static policies that compete whether or not they are the best of their kind."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Static candidates with their true values per payment on the tuning traffic, best first."""

    candidates: tuple[Candidate, ...]
    values: tuple[float, ...]

    @property
    def best(self) -> Candidate:
        """The best of all."""
        return self.candidates[0]

    @property
    def cascade(self) -> Candidate:
        """The best order of routes that retries at once."""
        return next(each for each in self.candidates if each.is_cascade)


def tuned(
    place: Place, payments: int, folder: Path, *, workers: int = 1, track: Track = unseen
) -> Tuned:
    """Judge the static candidates of a place on its tuning traffic, of so many payments.

    At a place in steady state the best order on a timetable and the best one at once are improved
    by swaps of routes until none helps. In a scenario no order is searched: that would be to know
    what happens in it.
    """
    values: dict[Candidate, float] = {}

    def judge(candidates: Sequence[Candidate]) -> None:
        # Two ways to an order may lead to the same one.
        distinct = {each.spec: each for each in reversed(candidates)}
        for seen in values:
            distinct.pop(seen.spec, None)
        new = [*distinct.values()][::-1]
        cells = [Cell(place.name, each.spec, payments, TUNING_SEED) for each in new]
        results = results_of(cells, folder, workers=workers, track=track)
        for each, result in zip(new, results, strict=True):
            values[each] = float(result.blocks.value.sum() / result.blocks.payments.sum())

    def best(at_once: bool) -> Candidate:
        orders = [each for each in values if each.order and each.is_cascade == at_once]
        return max(orders, key=values.__getitem__)

    judge(candidates_of(place, payments, folder))
    for at_once in (False, True) if place.steady else ():
        found = None
        while found != (found := best(at_once)):
            judge(neighbours(found))
    order = sorted(values, key=lambda each: -values[each])
    return Tuned(tuple(order), tuple(values[each] for each in order))


def roster_of(
    place: Place,
    payments: int,
    ours: Sequence[str],
    folder: Path,
    *,
    workers: int = 1,
    track: Track = unseen,
) -> Roster:
    """Some policies with all baselines and the oracles.

    Of the static candidates the best of each order of routes competes, on its own best timetable,
    and some timetables by name. Policies that choose routes alone, the one of the lowest cost among
    them, retry on the best timetable of the place.

    Parameters
    ----------
    place, payments
        where, and how many payments compete; no more than these, and no more than
        ``TUNING_PAYMENTS``, are used to tune.
    ours
        specs of the policies that are held against the baselines, the one in question first.
    folder
        that keeps the results of the tuning.
    workers, track
        as in ``results_of``.
    """
    tuning = min(payments, TUNING_PAYMENTS)
    found = tuned(place, tuning, folder, workers=workers, track=track)
    best, cascade = found.best, found.cascade
    chosen = {best.label: best, cascade.label: cascade}
    routers: set[str] = set()
    for each in found.candidates:
        if each.router not in routers or each.label in _ALWAYS:
            chosen.setdefault(each.label, each)
        routers.add(each.router)
    entries = [Entry(each.label, each.spec, Kind.STATIC) for each in chosen.values()]
    timetable = best.timetable if best.timetable != AT_ONCE else "every 3 days"
    cheapest = timed(lowest_cost_spec(place, folder), timetable)
    entries.append(Entry(f"lowest cost, {timetable}", cheapest, Kind.STATIC))
    entries += [Entry(label, timed(spec, timetable), Kind.LEARNER) for label, spec in LEARNERS]
    # In a scenario, a log of the same place would tell the model what is going to happen.
    if place.steady:
        equal = None
        if RECOMMENDED in ours:
            equal = RECOMMENDED_EXPLORED
            entries.append(
                Entry(equal, recommended_spec(place, tuning, "uniform", folder), Kind.OURS)
            )
        own = best_time_spec(place, tuning, best.spec, folder)
        explored = best_time_spec(place, tuning, "uniform", folder)
        entries += [
            Entry("best time, log of the best static", own, Kind.LEARNER),
            Entry("best time, explored log", explored, Kind.LEARNER, equal),
            Entry(
                "best time, explored, timetable", timed(explored, timetable), Kind.LEARNER, equal
            ),
        ]
    entries += [Entry(spec, spec, Kind.OURS) for spec in dict.fromkeys(ours)]
    entries += oracles_of(place)
    oracle = next(each.label for each in entries if each.spec == ORACLE)
    return Roster(tuple(entries), ours[0], oracle, cascade.label, best.label)
