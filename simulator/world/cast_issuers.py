"""The issuers and their card products (BINs), drawn from the seed. All names are invented.

An issuer's taste for routes and every spread here are invented, but for two magnitudes: network
tokens mean 3-8% fewer declines of stored cards (Stripe, via dunningcompare.com), and account
updaters save 40-60% of the churn by expiry (dunningcompare.com). BINs are made up within the number
ranges of their networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.payments import Funding, Network
from simulator.world.cast_routes import ROUTES, of_routes
from simulator.world.countries import CODES, COUNTRIES
from simulator.world.keyed import drawn, drawn_normal
from simulator.world.names import issuer_names

NETWORKS = tuple(network.value for network in Network)
FUNDINGS = (Funding.CREDIT.value, Funding.DEBIT.value, Funding.PREPAID.value)

TASTE = 1.50
NETWORK_TASTE = 0.30
FUNDING_TASTE = 0.20
BIN_SPREAD = 0.35
STRICTNESS_SPREAD = 0.60
"""Standard deviations, log odds of approval."""

_LEADING = {
    "visa": ("4",), "mastercard": ("51", "52", "53", "54", "55", "23", "24", "25"),
    "amex": ("34", "37"), "discover": ("644", "65"), "jcb": ("353", "356"),
    "maestro": ("50", "67"), "other": ("627", "636"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Issuers:
    """Arrays over issuers.

    Attributes
    ----------
    names
        as in batches.
    country
        int64, place in ``countries.COUNTRIES``.
    size
        weight among the issuers of its country.
    strictness
        log odds of approval, of all its cards.
    three_ds, token, recurring, amount, night, weekend
        log odds: with 3-D Secure, with a network token, for a merchant-initiated payment, per unit
        of log(amount / the merchant's median), in the small hours, on Saturday and Sunday.
    step_up
        share of unauthenticated checkouts sent back for authentication.
    funds
        added to the log of its cards' balances.
    suspicion
        share of its refusals that are called suspected fraud.
    generic
        share of its declines for lack of funds that it hides behind code 05.
    skill
        log odds of approval that a fraudulent payment costs.
    held_same, held_other, fade_s
        log odds that a refusal costs the next attempt by the same and by another route, and the
        time constant with which that fades.
    velocity
        declined attempts with a card within 24 hours that it stands.
    updater
        share of renewed cards whose new data its account updater brings.
    advice
        share of its advice on waiting that follows the true payday.
    """

    names: tuple[str, ...]
    country: IntArray
    size: FloatArray
    strictness: FloatArray
    three_ds: FloatArray
    token: FloatArray
    recurring: FloatArray
    amount: FloatArray
    night: FloatArray
    weekend: FloatArray
    step_up: FloatArray
    funds: FloatArray
    suspicion: FloatArray
    generic: FloatArray
    skill: FloatArray
    held_same: FloatArray
    held_other: FloatArray
    fade_s: FloatArray
    velocity: FloatArray
    updater: FloatArray
    advice: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """Arrays over BINs.

    Attributes
    ----------
    bins
        6 or 8 digits, no one a prefix of another.
    issuer, network, funding, country
        int64, places in the issuers, ``NETWORKS``, ``FUNDINGS`` and countries.
    share
        weight among the BINs of its issuer.
    by_route
        float64[bins, routes], log odds of approval: the product, its issuer, and their taste.
    """

    bins: tuple[str, ...]
    issuer: IntArray
    network: IntArray
    funding: IntArray
    country: IntArray
    share: FloatArray
    by_route: FloatArray


def apportion(weights: FloatArray, number: int) -> IntArray:
    """int64, whole numbers with this sum that follow the weights, at least one each."""
    exact = weights / weights.sum() * (number - len(weights))
    whole = np.floor(exact).astype(np.int64)
    largest = np.argsort(whole - exact, kind="stable")[: number - len(weights) - whole.sum()]
    whole[largest] += 1
    return np.asarray(whole + 1)


def make_issuers(seed: int, number: int) -> Issuers:
    """Draw the issuers."""
    per_country = apportion(np.array([each.issuers for each in COUNTRIES], np.float64), number)
    country = np.repeat(np.arange(len(COUNTRIES)), per_country)
    sca = np.array([each.sca for each in COUNTRIES])[country]

    def uniform(purpose: str, least: float, most: float) -> FloatArray:
        return least + (most - least) * drawn(seed, f"issuer {purpose}", number)

    def normal(purpose: str, mean: float, spread: float) -> FloatArray:
        return mean + spread * drawn_normal(seed, f"issuer {purpose}", number)

    rank = np.concatenate([np.arange(count) for count in per_country])
    strict = np.array([each.strictness for each in COUNTRIES])[country]
    skewed = drawn(seed, "issuer generic", number) ** 2
    return Issuers(
        names=issuer_names([CODES[place] for place in country]),
        country=country,
        size=(rank + 1.0) ** -0.8,
        strictness=strict + normal("strictness", 0.0, STRICTNESS_SPREAD),
        three_ds=np.maximum(normal("3ds", 1.0, 0.7), 0.0),
        token=np.maximum(normal("token", 0.25, 0.20), -0.1),
        recurring=normal("recurring", -0.25, 0.25),
        amount=np.minimum(normal("amount", -0.32, 0.20), 0.0),
        night=np.minimum(normal("night", -0.8, 0.5), 0.0),
        weekend=np.minimum(normal("weekend", -0.20, 0.20), 0.05),
        step_up=np.where(sca, uniform("step-up", 0.01, 0.06), 0.0),
        funds=normal("funds", 0.0, 0.30),
        suspicion=uniform("suspicion", 0.25, 0.55),
        generic=0.35 * skewed,
        skill=normal("skill", -5.2, 1.0),
        held_same=uniform("held same", 1.6, 3.6),
        held_other=uniform("held other", 0.9, 2.6),
        fade_s=86_400.0 * uniform("fade", 2.0, 10.0),
        velocity=np.floor(uniform("velocity", 3.0, 7.0)),
        updater=uniform("updater", 0.35, 0.75),
        advice=uniform("advice", 0.65, 0.95),
    )


def make_products(seed: int, issuers: Issuers) -> Products:
    """Draw the BINs: one to three for each of an issuer's pairs of network and funding."""
    rows: list[tuple[str, int, int, int, float]] = []
    taken: set[str] = set()
    chance = drawn(seed, "product", len(issuers.names), len(NETWORKS), len(FUNDINGS), 3)
    digits = drawn(seed, "bin", len(issuers.names), len(NETWORKS), len(FUNDINGS), 3)
    for issuer, place in enumerate(issuers.country.tolist()):
        country = COUNTRIES[place]
        fundings = (1 - country.debit - country.prepaid, country.debit, country.prepaid)
        total = sum(country.networks.values())
        main = max(country.networks, key=lambda name: country.networks[name])
        for name, weight in country.networks.items():
            network = NETWORKS.index(name)
            for funding, share in enumerate(fundings):
                share *= weight / total
                offered = chance[issuer, network, funding]
                credit_only = name in ("amex", "discover", "jcb") and funding != 0
                debit_only = name == "maestro" and funding != 1
                always = name == main and funding == (1 if country.debit >= 0.5 else 0)
                if credit_only or debit_only or (not always and offered[0] > 4.0 * share):
                    continue
                number = 1 + int(offered[1] < 3 * share) + int(offered[2] < share)
                for product in range(number):
                    found = _bin(name, float(digits[issuer, network, funding, product]), taken)
                    rows.append((found, issuer, network, funding, share / number))
    bins, issuer_of, network_of, funding_of, shares = zip(*rows, strict=True)
    issuer_at = np.array(issuer_of, np.int64)
    network_at = np.array(network_of, np.int64)
    funding_at = np.array(funding_of, np.int64)
    routes = len(ROUTES)
    taste = TASTE * drawn_normal(seed, "taste", len(issuers.names), routes)
    network_taste = NETWORK_TASTE * drawn_normal(seed, "network taste", len(NETWORKS), routes)
    funding_taste = FUNDING_TASTE * drawn_normal(seed, "funding taste", len(FUNDINGS), routes)
    own = BIN_SPREAD * drawn_normal(seed, "bin spread", len(bins))
    gain = np.array([each.local_gain for each in COUNTRIES])
    local = gain[:, None] * np.array(
        [[code in route.countries for route in ROUTES] for code in CODES]
    )
    country_of = issuers.country[issuer_at]
    by_route = (
        (issuers.strictness[issuer_at] + own)[:, None]
        + of_routes("strength")
        + local[country_of]
        + taste[issuer_at]
        + network_taste[network_at]
        + funding_taste[funding_at]
    )
    return Products(
        tuple(bins),
        issuer_at,
        network_at,
        funding_at,
        country_of,
        np.array(shares),
        by_route,
    )


def _bin(network: str, uniform: float, taken: set[str]) -> str:
    """A BIN of the network that is not taken: its first six digits are its own."""
    leading = _LEADING[network]
    start = leading[int(uniform * len(leading))]
    number = int(uniform * 1e9)
    length = 8 if number % 5 == 0 else 6
    six = 6 - len(start)
    while True:
        first = start + f"{number % 10**six:0{six}d}"
        if first not in taken:
            taken.add(first)
            return first if length == 6 else first + f"{number // 7 % 100:02d}"
        number += 1
