"""Which actions the merchants' set-up offers at a decision point, before any rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import CodeArray, IntArray
from authopt.payments import Initiator
from simulator.small.approval import INITIATORS, ApprovalModel
from simulator.small.cast import CURRENCIES

RETRY_DELAYS_S: dict[Initiator, tuple[int, ...]] = {
    Initiator.CIT: (0, 120),
    Initiator.MIT: (0, 3_600, 86_400, 3 * 86_400),
}
"""A cardholder at the checkout waits minutes at most; a subscription can wait days."""

MOST_ATTEMPTS: dict[Initiator, int] = {Initiator.CIT: 4, Initiator.MIT: 7}


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
        int64[currencies, initiators, 2]: where a kind's actions begin and how many there are; the
        last axis says whether it is a retry.
    """

    routes: tuple[str, ...]
    route: CodeArray
    delay_s: IntArray
    start: IntArray
    count: IntArray

    def of(
        self, currency: IntArray, initiator: IntArray, retry: bool
    ) -> tuple[CodeArray, IntArray, IntArray]:
        """Routes (int32[m]), delays (int64[m], s) and offsets (int64[n + 1]) of decision points."""
        kind = (currency, initiator, np.full(len(currency), int(retry)))
        count = self.count[kind]
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        at = np.arange(offsets[-1]) + np.repeat(self.start[kind] - offsets[:-1], count)
        return self.route[at], self.delay_s[at], offsets


def offers_of(world: ApprovalModel) -> Offers:
    """The offers of a world."""
    routes: list[int] = []
    delays: list[int] = []
    start = np.zeros((len(CURRENCIES), len(INITIATORS), 2), np.int64)
    count = np.zeros_like(start)
    stop = len(world.routes)
    for c, currency in enumerate(CURRENCIES):
        takes = [
            place
            for place, route in enumerate(world.routes)
            if not route.currencies or currency in route.currencies
        ]
        for i, initiator in enumerate(INITIATORS):
            for retry in (0, 1):
                waits = RETRY_DELAYS_S[initiator] if retry else (0,)
                pairs = [(route, wait) for route in takes for wait in waits]
                pairs += [(stop, 0)] if retry else []
                start[c, i, retry], count[c, i, retry] = len(routes), len(pairs)
                routes += [route for route, _ in pairs]
                delays += [wait for _, wait in pairs]
    return Offers(
        (*world.route_names, STOP_ROUTE),
        np.array(routes, np.int32),
        np.array(delays, np.int64),
        start,
        count,
    )
