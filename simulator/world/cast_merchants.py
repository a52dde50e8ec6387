"""The merchants, drawn from the seed: what they sell, where, how often and to whom.

Merchant category codes are those of ISO 18245; amounts, shares and fraud rates are invented. A
merchant of digital goods is declined more often: about 15% of digital against 3-4% of physical
goods (Ethoca, via Soar Payments 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, IntArray
from simulator.world.countries import CODES, COUNTRIES, CURRENCIES, PLACE, minor_per_dollar
from simulator.world.keyed import drawn, drawn_normal, picker

STEPS = 4096
CHECKOUT, MONTHLY, WEEKLY = range(3)
TASTE = 0.20
"""Standard deviation of what an issuer thinks of a merchant, log odds of approval."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of shop; ``billing`` is the interval of its subscriptions, ``recurring`` their share.

    ``risk`` is added to the log odds of approval.
    """

    word: str
    mcc: str
    recurring: float
    billing: int
    median: float
    spread: float
    risk: float
    fraud: float
    refunds: float
    home: float
    size: float


_KINDS = (
    _Kind("stream", "5815", 0.93, MONTHLY, 13.0, 0.30, 0.00, 0.002, 0.004, 0.86, 3.0),
    _Kind("gadget", "5732", 0.03, MONTHLY, 120.0, 0.90, -0.15, 0.009, 0.060, 0.88, 2.6),
    _Kind("software", "5734", 0.70, MONTHLY, 34.0, 0.70, 0.05, 0.004, 0.012, 0.70, 2.0),
    _Kind("fashion", "5651", 0.00, MONTHLY, 68.0, 0.75, 0.20, 0.004, 0.110, 0.85, 2.4),
    _Kind("play", "5816", 0.15, WEEKLY, 16.0, 0.80, -0.70, 0.012, 0.010, 0.75, 2.0),
    _Kind("box", "5968", 0.80, MONTHLY, 42.0, 0.40, -0.10, 0.003, 0.030, 0.92, 1.6),
    _Kind("bazaar", "5399", 0.00, MONTHLY, 48.0, 0.95, 0.10, 0.006, 0.050, 0.82, 2.2),
    _Kind("gym", "7997", 0.90, MONTHLY, 39.0, 0.35, 0.00, 0.001, 0.008, 0.98, 1.4),
    _Kind("travel", "4722", 0.00, MONTHLY, 310.0, 0.85, -0.25, 0.010, 0.070, 0.72, 1.2),
    _Kind("meals", "5812", 0.04, WEEKLY, 27.0, 0.55, 0.25, 0.003, 0.015, 0.97, 2.2),
    _Kind("mobile", "4814", 0.75, MONTHLY, 28.0, 0.45, 0.05, 0.004, 0.004, 0.97, 1.6),
    _Kind("news", "5994", 0.88, WEEKLY, 5.0, 0.35, 0.05, 0.002, 0.004, 0.88, 1.0),
)
_PLACES = (
    "US", "GB", "DE", "BR", "US", "FR", "MX", "US", "ES", "JP", "GB", "IT", "US", "BR", "NL", "CA",
    "PL", "AU", "US", "SE", "DE", "US", "FR", "MX", "GB", "US", "BR", "IT", "ES", "US",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Merchants:
    """Arrays over merchants.

    Attributes
    ----------
    names, mccs
        as in batches.
    country, currency
        int64, places in ``countries.COUNTRIES`` and ``countries.CURRENCIES``.
    log_median
        log of the typical amount in minor units of its currency.
    spread
        of the log of amounts.
    fraud, refunds
        shares of checkouts that are fraudulent, and of approvals that are paid back.
    token, grace_s, months
        share of stored cards held as network tokens, how long an unpaid subscription is kept, and
        for how many more bills a subscriber stays.
    by_issuer
        float64[merchants, issuers], log odds of approval.
    pick
        int32[3, STEPS], the merchant of a checkout, a monthly and a weekly bill.
    shares
        float64[3], shares of checkouts, monthly and weekly bills.
    pick_country
        int32[merchants, STEPS], the country of a customer's card.
    """

    names: tuple[str, ...]
    mccs: tuple[str, ...]
    country: IntArray
    currency: IntArray
    log_median: FloatArray
    spread: FloatArray
    fraud: FloatArray
    refunds: FloatArray
    token: FloatArray
    grace_s: FloatArray
    months: FloatArray
    by_issuer: FloatArray
    pick: npt.NDArray[np.int32]
    shares: FloatArray
    pick_country: npt.NDArray[np.int32]


def make_merchants(seed: int, number: int, issuer_country: IntArray) -> Merchants:
    """Draw the merchants: twelve kinds in turn, over the countries in a fixed order."""
    kinds = [_KINDS[place % len(_KINDS)] for place in range(number)]
    country = np.array([PLACE[_PLACES[at % len(_PLACES)]] for at in range(number)], np.int64)

    def of_kind(name: str) -> FloatArray:
        return np.array([getattr(kind, name) for kind in kinds], np.float64)

    def uniform(purpose: str, least: float, most: float) -> FloatArray:
        return least + (most - least) * drawn(seed, f"merchant {purpose}", number)

    code = [CODES[place] for place in country]
    currencies = list(CURRENCIES)
    currency = np.array([currencies.index(COUNTRIES[at].currency) for at in country], np.int64)
    minor = np.array([minor_per_dollar(currencies[at]) for at in currency])
    level = np.array([COUNTRIES[at].income for at in country]) / 2_000.0
    median = of_kind("median") * level**0.6 * np.exp(0.25 * drawn_normal(seed, "median", number))
    size = of_kind("size") * np.exp(0.4 * drawn_normal(seed, "size", number))
    recurring, billing = of_kind("recurring"), of_kind("billing")
    weights = np.stack(
        [
            size * (1 - recurring),
            size * recurring * (billing == MONTHLY),
            size * recurring * (billing == WEEKLY),
        ]
    )
    pick = np.zeros((3, STEPS), np.int32)
    some = weights.sum(axis=1) > 0
    pick[some] = picker(weights[some], STEPS)
    abroad = np.array([each.cards for each in COUNTRIES], np.float64)
    mix = np.tile(abroad, (number, 1))
    mix[np.arange(number), country] = 0.0
    mix *= ((1 - of_kind("home")) / mix.sum(axis=1))[:, None]
    mix[np.arange(number), country] = of_kind("home")
    foreign = country[:, None] != issuer_country
    taste = TASTE * drawn_normal(seed, "merchant taste", number, len(issuer_country))
    return Merchants(
        names=tuple(f"m-{kind.word}-{at.lower()}-{place + 1}"
                    for place, (kind, at) in enumerate(zip(kinds, code, strict=True))),
        mccs=tuple(kind.mcc for kind in kinds),
        country=country,
        currency=currency,
        log_median=np.log(median * minor),
        spread=of_kind("spread"),
        fraud=of_kind("fraud"),
        refunds=of_kind("refunds"),
        token=uniform("token", 0.30, 0.75),
        grace_s=86_400.0 * np.where(billing == WEEKLY, 14.0, 21.0),
        months=uniform("months", 4.0, 14.0),
        by_issuer=of_kind("risk")[:, None] + taste - 0.45 * foreign,
        pick=pick,
        shares=weights.sum(axis=1) / weights.sum(),
        pick_country=picker(mix, STEPS),
    )  # fmt: skip
