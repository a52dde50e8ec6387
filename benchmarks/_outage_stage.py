"""Where the outages take place, who meets them, and how leaving and coming back are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, FloatArray, LoggedBatch
from simulator.context_columns import codes_of
from simulator.scenarios.places import BUSY_NOON, MAIN_ROUTE, others_worse, world
from simulator.scenarios.scenario import ALL, Series, Stage, everything
from simulator.traffic import Traffic
from simulator.world.events import Event, RouteDegraded, RouteDown

PER_SECOND = 50
BIN_S = 10
SLOT_S = 5
OTHERS = -2.5
"""Log odds of approval by which the other routes are worse, so that there is one to be on."""

FIRST = "first attempts"
LEFT = 0.05
"""The route is left once no more than this share of the traffic that could take it still does."""

BACK = 0.9
"""It is taken again once its share is this much of what it was before."""

SMOOTH = 3
"""Bins over which the way back is averaged, so that luck within one does not count."""

LATE = 120
"""Seconds of an outage after which its first minutes' failures are over."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds before the outage, of it, and after it."""

    before_s: int
    down_s: int
    after_s: int

    @property
    def total_s(self) -> int:
        """All of it."""
        return self.before_s + self.down_s + self.after_s

    @property
    def start(self) -> np.datetime64:
        """When the outage begins, UTC."""
        return BUSY_NOON + np.timedelta64(self.before_s, "s")

    @property
    def end(self) -> np.datetime64:
        """When it ends, UTC."""
        return self.start + np.timedelta64(self.down_s, "s")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to the main route.

    Attributes
    ----------
    name
        for tables.
    share
        of its attempts that are lost; 0: none.
    issuer_log_odds
        added to the log odds of one large issuer's approvals by it; 0: nothing.
    """

    name: str
    share: float = 0.0
    issuer_log_odds: float = 0.0


DOWN = Trouble("down", share=1.0)
HALF = Trouble("half of it down", share=0.5)
ISSUER = Trouble("down for one issuer", issuer_log_odds=-14.0)
NOTHING = Trouble("nothing")
TROUBLES = {each.name: each for each in (DOWN, HALF, ISSUER, NOTHING)}


def stage(trouble: Trouble, times: Times, seed: int, policies: Mapping[str, str]) -> Stage:
    """The world with its trouble, and the traffic, as scenarios have them."""
    payments = PER_SECOND * times.total_s
    traffic = Traffic(payments, BUSY_NOON, times.total_s / 86_400, seed)
    events: list[Event] = list(others_worse(MAIN_ROUTE, OTHERS))
    group = _first_attempts
    if trouble.share:
        events.append(RouteDown(MAIN_ROUTE, times.start, times.end, trouble.share))
    if trouble.issuer_log_odds:
        issuer = _large_issuer(traffic)
        events.append(
            RouteDegraded(
                MAIN_ROUTE, times.start, times.end, trouble.issuer_log_odds, issuer=issuer
            )
        )

        def group(batch: LoggedBatch) -> BoolArray:
            names = world().issuer_names
            of = names.index(issuer)
            return np.asarray(_first_attempts(batch) & (codes_of(batch, "issuer", names) == of))

    return Stage(
        world=world(*events, bill_attempts=3),
        traffic=traffic,
        policies=policies,
        slot_s=SLOT_S,
        bin_s=BIN_S,
        groups={FIRST: group, ALL: everything},
    )


@dataclass(frozen=True, slots=True)
class Course:
    """What one policy did in one run.

    Attributes
    ----------
    left_s
        from the start of the outage until the route is left; None: never.
    back_s
        from its end until the route is taken again; None: not within the run.
    usual
        share of the traffic that could take the route and did, before.
    kept
        the same from two minutes after the start of the outage to its end.
    lost
        approvals of first attempts lost to the best action at each decision, in expectation, from
        the start of the outage on.
    """

    left_s: float | None
    back_s: float | None
    usual: float
    kept: float
    lost: float


def course(first: Series, times: Times) -> Course:
    """Leaving and coming back, and losses, of first attempts."""
    place = first.routes.index(MAIN_ROUTE)
    taken, could = first.by_route[:, place], first.eligible[:, place]
    begin, end = times.before_s // BIN_S, (times.before_s + times.down_s) // BIN_S
    usual = _share(taken[begin // 2 : begin], could[begin // 2 : begin])
    late = slice(min(begin + LATE // BIN_S, end - 1), end)
    window = np.ones(SMOOTH)
    since = np.convolve(taken[end:], window, "valid") / np.convolve(could[end:], window, "valid")
    share = np.divide(taken, could, out=np.ones(len(taken)), where=could > 0)
    return Course(
        _until(share[begin:end] <= LEFT, 1),
        _until(since >= BACK * usual, SMOOTH),
        usual,
        _share(taken[late], could[late]),
        float(first.regret[begin:].sum()),
    )


def _until(holds: BoolArray, bins: int) -> float | None:
    places = np.flatnonzero(holds)
    return float((places[0] + bins) * BIN_S) if len(places) else None


def _share(taken: FloatArray, could: FloatArray) -> float:
    return float(taken.sum() / could.sum())


def _first_attempts(batch: LoggedBatch) -> BoolArray:
    return np.asarray(batch.attempt == 1)


def _large_issuer(traffic: Traffic) -> str:
    """The issuer with most of the first payments."""
    cast = world()
    batch = cast.arrivals(traffic, 0, min(5_000, traffic.payments))
    codes = codes_of(batch, "issuer", cast.issuer_names)
    return cast.issuer_names[int(np.bincount(codes).argmax())]
