"""The routes: acquirer accounts with their strengths, prices and habits. All of it is invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from simulator.world.countries import CURRENCIES


@dataclass(frozen=True, slots=True)
class Route:
    """An acquirer account.

    Attributes
    ----------
    name
        as in batches.
    countries
        in which it acquires locally.
    currencies
        that it takes; all where there are none named.
    strength, token_gain, amount_slope
        added to the log odds of approval: always, with a network token, per unit of
        log(amount / the merchant's median).
    quiet_hour, quiet_log_odds
        from this hour (UTC) on, for six hours, it is weaker by so much.
    failure
        chance that an attempt gets lost on the way.
    fixed, basis_points, per_attempt
        fees: US cents and share of the amount for each approval, US cents for each attempt.
    latency_ms
        typical time to an answer.
    """

    name: str
    countries: frozenset[str]
    currencies: frozenset[str]
    strength: float
    token_gain: float
    amount_slope: float
    quiet_hour: int
    quiet_log_odds: float
    failure: float
    fixed: float
    basis_points: float
    per_attempt: float
    latency_ms: float


_EUROPE = frozenset({"EUR", "GBP", "SEK", "PLN", "USD"})
_ALL: frozenset[str] = frozenset()

ROUTES = (
    Route("meridian", frozenset(), _ALL, -0.30, 0.25, 0.00, 2, 0.10, 0.0020, 22, 42, 5, 640),
    Route("harbor", frozenset({"US", "CA"}), frozenset({"USD", "CAD", "MXN"}),
          0.15, 0.30, -0.05, 6, 0.25, 0.0030, 12, 26, 3, 520),
    Route("keystone", frozenset({"US"}), frozenset({"USD", "MXN"}),
          -0.05, 0.05, 0.10, 8, 0.45, 0.0060, 6, 14, 2, 470),
    Route("albion", frozenset({"GB"}), _EUROPE | {"AUD", "JPY"},
          0.10, 0.40, 0.05, 1, 0.20, 0.0030, 12, 19, 3, 530),
    Route("rhenus", frozenset({"DE", "FR", "NL", "IT", "ES"}), _EUROPE - {"GBP", "USD"},
          0.05, 0.20, -0.10, 0, 0.30, 0.0035, 10, 16, 3, 580),
    Route("vistula", frozenset({"PL", "SE", "DE"}), _EUROPE - {"USD"},
          -0.10, 0.30, 0.00, 23, 0.15, 0.0050, 7, 12, 2, 610),
    Route("ipanema", frozenset({"BR"}), frozenset({"BRL"}),
          0.05, 0.05, -0.10, 5, 0.40, 0.0090, 8, 30, 2, 880),
    Route("azteca", frozenset({"MX", "BR"}), frozenset({"MXN", "BRL", "USD"}),
          -0.15, 0.10, 0.00, 7, 0.35, 0.0080, 9, 34, 2, 930),
    Route("pacifica", frozenset({"AU", "JP", "CA"}), frozenset({"AUD", "JPY", "CAD", "USD"}),
          0.05, 0.30, 0.05, 17, 0.30, 0.0040, 14, 24, 3, 760),
)  # fmt: skip
"""Local accounts are cheaper and stronger at home; ``meridian`` takes everything at a price."""

ROUTE_NAMES = tuple(route.name for route in ROUTES)

DEFAULT_ORDER = (
    "meridian", "harbor", "albion", "rhenus", "pacifica",
    "keystone", "vistula", "ipanema", "azteca",
)  # fmt: skip
"""How a merchant who looks at strength alone would order them, best first."""


def takes(route: Route, currency: str) -> bool:
    """Whether a route takes a currency."""
    return not route.currencies or currency in route.currencies


def of_routes(name: str) -> FloatArray:
    """float64[routes], a number of each route."""
    return np.array([getattr(route, name) for route in ROUTES], np.float64)


def hourly() -> FloatArray:
    """float64[routes, 24], log odds by the hour of the day, UTC."""
    hour = np.arange(24)
    start = of_routes("quiet_hour")[:, None]
    return np.where((hour - start) % 24 < 6, -of_routes("quiet_log_odds")[:, None], 0.0)


assert all(any(takes(route, currency) for route in ROUTES) for currency in CURRENCIES)
