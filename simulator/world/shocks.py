"""Events as changes of chances at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.errors import UserError
from simulator.world.cast import Cast
from simulator.world.events import (
    Event,
    FraudAttack,
    RouteAdded,
    RouteDegraded,
    RouteDown,
    seconds_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class Attack:
    """A fraud attack with its merchant and cards looked up; ``cards`` empty: any card."""

    merchant: int
    start_s: int
    end_s: int
    payments: int
    cards: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Shocks:
    """The events of a world, with places instead of names.

    Attributes
    ----------
    down
        (route, start, end, share).
    degraded
        (route, start, end, log odds, issuer or -1, ramp).
    added
        (time, route), by time.
    attacks
        fraud attacks.
    """

    down: tuple[tuple[int, int, int, float], ...]
    degraded: tuple[tuple[int, int, int, float, int, int], ...]
    added: tuple[tuple[int, int], ...]
    attacks: tuple[Attack, ...]

    def route_down(self, route: IntArray, seconds: IntArray, chance: FloatArray) -> FloatArray:
        """float64[k], the chances that attempts get lost, with what the events add."""
        for place, start_s, end_s, share in self.down:
            hit = (route == place) & (seconds >= start_s) & (seconds < end_s)
            chance = np.where(hit, 1.0 - (1.0 - chance) * (1.0 - share), chance)
        return chance

    def log_odds(
        self, route: IntArray, issuer: IntArray, seconds: IntArray, score: FloatArray
    ) -> FloatArray:
        """float64[k], the log odds of approval, with what the events add."""
        for place, start_s, end_s, change, of_issuer, ramp_s in self.degraded:
            hit = (route == place) & (seconds >= start_s) & (seconds < end_s)
            if of_issuer >= 0:
                hit &= issuer == of_issuer
            full = np.minimum((seconds - start_s) / ramp_s, 1.0) if ramp_s else 1.0
            score = np.where(hit, score + change * full, score)
        return score

    def version(self, decided_s: IntArray) -> IntArray:
        """int64[n], how many of the added routes are there at times of decision."""
        times = np.array([at for at, _ in self.added], np.int64)
        return np.searchsorted(times, decided_s, side="right")

    def hidden(self, version: int) -> frozenset[int]:
        """The routes that are not there yet once ``version`` of them have been added."""
        return frozenset(route for _, route in self.added[version:])


def make_shocks(cast: Cast, events: tuple[Event, ...]) -> Shocks:
    """Look the names of events up.

    Raises
    ------
    UserError
        If a route, an issuer, a merchant or a BIN is not of this world.
    """
    down, degraded, added, attacks = [], [], [], []
    for event in events:
        if isinstance(event, RouteDown):
            route = _place(cast.route_names, event.route, "route")
            down.append((route, seconds_of(event.start), seconds_of(event.end), event.share))
        elif isinstance(event, RouteDegraded):
            route = _place(cast.route_names, event.route, "route")
            issuer = -1
            if event.issuer is not None:
                issuer = _place(cast.issuers.names, event.issuer, "issuer")
            times = seconds_of(event.start), seconds_of(event.end)
            degraded.append((route, *times, event.log_odds, issuer, event.ramp_s))
        elif isinstance(event, RouteAdded):
            added.append((seconds_of(event.at), _place(cast.route_names, event.route, "route")))
        else:
            attacks.append(_attack(cast, event))
    return Shocks(tuple(down), tuple(degraded), tuple(sorted(added)), tuple(attacks))


def _attack(cast: Cast, event: FraudAttack) -> Attack:
    products = [_place(cast.products.bins, name, "BIN") for name in event.bins]
    concerned: BoolArray = np.isin(cast.cards.product, products)
    if products and not concerned.any():
        raise UserError(f"no card of this world has one of the BINs {', '.join(event.bins)}")
    return Attack(
        _place(cast.merchants.names, event.merchant, "merchant"),
        seconds_of(event.start),
        seconds_of(event.end),
        event.payments,
        np.flatnonzero(concerned),
    )


def _place(names: tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        some = ", ".join(names[:5])
        raise UserError(f"{what} {name!r} is not of this world; expected one such as {some}")
    return names.index(name)
