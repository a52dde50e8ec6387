"""The world that the scenarios take place in, when, and its merchants' static order of routes."""

from __future__ import annotations

import numpy as np

from simulator.world.cast_routes import DEFAULT_ORDER, ROUTE_NAMES
from simulator.world.events import Event, RouteDegraded
from simulator.world.settings import WorldSettings
from simulator.world.world import CardWorld, make_world

START = np.datetime64("2026-03-02")
"""A Monday."""

BUSY_NOON = np.datetime64("2026-03-04T16:00:00")
"""A Wednesday, noon in New York and late afternoon in Europe."""

MAIN_ROUTE = DEFAULT_ORDER[0]
"""Takes every currency, and comes first in the static order."""


def world(
    *events: Event,
    issuers: int = 120,
    cards: int = 120_000,
    merchants: int = 24,
    bill_attempts: int = 8,
) -> CardWorld:
    """The scenarios' world: smaller than the default one, so that it is made at once."""
    return make_world(
        WorldSettings(
            issuers=issuers,
            cards=cards,
            merchants=merchants,
            bill_attempts=bill_attempts,
            events=tuple(events),
        )
    )


def others_worse(route: str, log_odds: float) -> tuple[Event, ...]:
    """Events that make every other route worse all the time, so that there is one to be on.

    Without them the routes differ by a point or two, and which is best would be noise in a window
    of 200 outcomes.
    """
    first, last = START - np.timedelta64(365, "D"), START + np.timedelta64(730, "D")
    return tuple(
        RouteDegraded(each, first, last, log_odds) for each in ROUTE_NAMES if each != route
    )


def priority(*without: str) -> str:
    """Spec of the static order, without the routes named."""
    order = [route for route in DEFAULT_ORDER if route not in without]
    return "priority:routes=" + ",".join(order)


def success_rate(dimension: str, **options: float) -> str:
    """Spec of a success-rate policy with windows by a column, and by the code of the last decline.

    A retry seldom succeeds on any route, and the best route gets most of the retries too: counted
    in the same window, they would make the best route look the worst.
    """
    keys = [f"dimensions={dimension}+previous_response_code"]
    keys += [f"{name}={value:g}" for name, value in options.items()]
    return "success-rate:" + ",".join(keys)


def candidate() -> str:
    """Spec of another static order: the accounts at home first, the one for everything last."""
    order = [route for route in ROUTE_NAMES if route != MAIN_ROUTE]
    return "priority:routes=" + ",".join([*order, MAIN_ROUTE])
