"""Which actions the merchants' set-up offers at a decision point, before any rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import CodeArray, IntArray
from simulator.world.attempts import CURRENCY_NAMES, INITIATORS, MIT
from simulator.world.cast_routes import ROUTE_NAMES, ROUTES, takes
from simulator.world.shocks import Shocks

_DAY = 86_400
CHECKOUT_DELAYS_S = (0, 120)
BILL_DELAYS_S = (0, 3_600, 6 * 3_600, _DAY, 3 * _DAY, 5 * _DAY, 7 * _DAY)
"""A cardholder at the checkout waits minutes at most; a subscription can wait days."""

CHECKOUT_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """Actions by kind of decision point, laid end to end.

    Attributes
    ----------
    routes
        vocabulary, ``stop`` last.
    route, delay_s
        int32 and int64 over all kinds.
    start, count
        int64[versions * currencies * initiators * 2], where a kind's actions begin and how many
        there are; the last axis says whether it is a retry, the first how many of the routes that
        events add are there.
    most_attempts
        int64[initiators], of one payment.
    shocks
        the events.
    """

    routes: tuple[str, ...]
    route: CodeArray
    delay_s: IntArray
    start: IntArray
    count: IntArray
    most_attempts: IntArray
    shocks: Shocks

    def of(
        self, currency: IntArray, initiator: IntArray, decided_s: IntArray, retry: bool
    ) -> tuple[CodeArray, IntArray, IntArray]:
        """Routes (int32[m]), delays (int64[m], s) and offsets (int64[n + 1]) of decision points."""
        kind = currency * len(INITIATORS) + initiator
        if self.shocks.added:
            version = self.shocks.version(decided_s)
            kind = kind + version * (len(CURRENCY_NAMES) * len(INITIATORS))
        kind = kind * 2 + int(retry)
        count = self.count[kind]
        offsets = np.zeros(len(kind) + 1, np.int64)
        np.cumsum(count, out=offsets[1:])
        at = np.arange(offsets[-1]) + np.repeat(self.start[kind] - offsets[:-1], count)
        return self.route[at], self.delay_s[at], offsets


def make_offers(shocks: Shocks, bill_attempts: int) -> Offers:
    """The offers of a world with these events."""
    routes: list[int] = []
    delays: list[int] = []
    start: list[int] = []
    count: list[int] = []
    stop = len(ROUTES)
    for version in range(len(shocks.added) + 1):
        hidden = shocks.hidden(version)
        for currency in CURRENCY_NAMES:
            there = [
                place
                for place, route in enumerate(ROUTES)
                if takes(route, currency) and place not in hidden
            ]
            for initiator in range(len(INITIATORS)):
                later = BILL_DELAYS_S if initiator == MIT else CHECKOUT_DELAYS_S
                for delays_s, ends in (((0,), False), (later, True)):
                    pairs = [(route, wait) for route in there for wait in delays_s]
                    pairs += [(stop, 0)] if ends or not pairs else []
                    start.append(len(routes))
                    count.append(len(pairs))
                    routes += [route for route, _ in pairs]
                    delays += [wait for _, wait in pairs]
    return Offers(
        (*ROUTE_NAMES, STOP_ROUTE),
        np.array(routes, np.int32),
        np.array(delays, np.int64),
        np.array(start, np.int64),
        np.array(count, np.int64),
        np.where(np.arange(len(INITIATORS)) == MIT, bill_attempts, CHECKOUT_ATTEMPTS),
        shocks,
    )
