"""Who takes part in a world, as arrays that an attempt is looked up in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from authopt.batch import FloatArray, IntArray
from simulator.world.cards import Cards, make_cards
from simulator.world.cast_issuers import Issuers, Products, make_issuers, make_products
from simulator.world.cast_merchants import Merchants, make_merchants
from simulator.world.cast_routes import ROUTE_NAMES, ROUTES, hourly, of_routes
from simulator.world.clocks import Float32Array, december, walks
from simulator.world.countries import COUNTRIES, CURRENCIES, minor_per_dollar
from simulator.world.latent import Latent, make_latent

ISSUER_WALK = 0.30
ROUTE_WALK = 0.25
"""Standard deviations of the slow walks of strictness and strength, log odds. Invented."""


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Everybody, and tables laid flat for speed.

    Attributes
    ----------
    issuers, products, merchants, cards, latent
        see their modules.
    route_names
        the routes.
    failure, token, amount_slope
        float64[routes], see ``cast_routes.Route``.
    by_route
        float64[products * routes], log odds of approval.
    by_hour
        float64[issuers * 168], log odds by the local hour of the week.
    route_by_hour
        float64[routes * 24], log odds by the hour of the day, UTC.
    issuer_walk, route_walk
        float32[issuers, weeks] and float32[routes, steps of three days], log odds.
    december
        float64[days].
    offset_s
        int64[countries], seconds of local time from UTC.
    log_minor
        float64[currencies], log of the minor units of a US dollar.
    step_up
        float64[products], share of unauthenticated checkouts sent back.
    """

    issuers: Issuers
    products: Products
    merchants: Merchants
    cards: Cards
    latent: Latent
    route_names: tuple[str, ...]
    failure: FloatArray
    token: FloatArray
    amount_slope: FloatArray
    by_route: FloatArray
    by_hour: FloatArray
    route_by_hour: FloatArray
    issuer_walk: Float32Array
    route_walk: Float32Array
    december: FloatArray
    offset_s: IntArray
    log_minor: FloatArray
    step_up: FloatArray


@lru_cache(maxsize=4)
def make_cast(seed: int, issuers: int, cards: int, merchants: int) -> Cast:
    """The cast of a world; worlds that differ in events alone share it."""
    banks = make_issuers(seed, issuers)
    products = make_products(seed, banks)
    deck = make_cards(seed, cards, banks, products)
    hours = np.array([country.hours_from_utc for country in COUNTRIES], np.int64)
    hour = np.arange(168)
    by_hour = banks.night[:, None] * (hour % 24 < 6) + banks.weekend[:, None] * (hour >= 120)
    return Cast(
        issuers=banks,
        products=products,
        merchants=make_merchants(seed, merchants, banks.country),
        cards=deck,
        latent=make_latent(seed, deck, banks, hours[banks.country]),
        route_names=ROUTE_NAMES,
        failure=of_routes("failure"),
        token=of_routes("token_gain"),
        amount_slope=of_routes("amount_slope"),
        by_route=products.by_route.ravel(),
        by_hour=by_hour.ravel(),
        route_by_hour=hourly().ravel(),
        issuer_walk=walks(seed, "issuer walk", issuers, ISSUER_WALK, 7),
        route_walk=walks(seed, "route walk", len(ROUTES), ROUTE_WALK, 3),
        december=december(),
        offset_s=hours * 3_600,
        log_minor=np.log([minor_per_dollar(currency) for currency in CURRENCIES]),
        step_up=banks.step_up[products.issuer] * (products.network < 2),
    )
