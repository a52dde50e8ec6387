"""Countries of issuers and merchants, with their money, clocks and habits.

Exchange rates, incomes and shares are rounded and invented; so is the rate of each habit. Strong
customer authentication applies where a European rule asks for it. Local time has a fixed distance
from UTC: no daylight saving, and one time zone per country.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """Where issuers and merchants are.

    Attributes
    ----------
    code, currency
        ISO 3166 and ISO 4217.
    hours_from_utc
        of local time.
    issuers, cards
        weights of its share of issuers and of cards.
    income
        typical balance after a payday, US dollars.
    debit, prepaid
        shares of its cards; the others are credit.
    networks
        weights by network.
    three_ds
        share of checkouts authenticated by 3-D Secure before the first attempt.
    sca
        issuers may ask for strong customer authentication.
    strictness
        added to the log odds of approval.
    local_gain
        what acquiring in the country itself adds to the log odds of approval.
    paydays
        weights of weekly, biweekly, and monthly on the 1st, the 15th and the 25th.
    """

    code: str
    currency: str
    hours_from_utc: int
    issuers: float
    cards: float
    income: float
    debit: float
    prepaid: float
    networks: dict[str, int]
    three_ds: float
    sca: bool
    strictness: float
    local_gain: float
    paydays: tuple[float, float, float, float, float]


_US = {"visa": 52, "mastercard": 30, "amex": 12, "discover": 6}
_EU = {"visa": 42, "mastercard": 50, "maestro": 5, "amex": 3}
_WEEKLY = (12.0, 56.0, 12.0, 20.0, 0.0)
_MONTH_START = (4.0, 6.0, 60.0, 10.0, 20.0)
_MONTH_END = (2.0, 4.0, 14.0, 10.0, 70.0)
_TWICE_A_MONTH = (4.0, 54.0, 21.0, 21.0, 0.0)

COUNTRIES = (
    Country("US", "USD", -6, 26, 30, 1900, 0.55, 0.07, _US, 0.05, False, 0.0, 0.95, _WEEKLY),
    Country("GB", "GBP", 0, 9, 9, 2300, 0.68, 0.04, _EU, 0.55, True, 0.1, 0.95, _MONTH_END),
    Country("DE", "EUR", 1, 9, 8, 2500, 0.62, 0.04, _EU, 0.55, True, 0.05, 0.82, _MONTH_START),
    Country("FR", "EUR", 1, 8, 7, 2200, 0.70, 0.02, _EU, 0.60, True, -0.05, 1.09, _MONTH_START),
    Country("ES", "EUR", 1, 6, 5, 1800, 0.65, 0.05, _EU, 0.50, True, 0.0, 0.95, _MONTH_END),
    Country("IT", "EUR", 1, 6, 5, 1900, 0.50, 0.22, _EU, 0.50, True, -0.1, 0.95, _MONTH_END),
    Country("NL", "EUR", 1, 4, 4, 2500, 0.75, 0.03, _EU, 0.50, True, 0.15, 0.68, _MONTH_END),
    Country("SE", "SEK", 1, 4, 3, 2600, 0.70, 0.02, _EU, 0.45, True, 0.2, 0.68, _MONTH_END),
    Country("PL", "PLN", 1, 5, 4, 1400, 0.75, 0.05, _EU, 0.50, True, 0.0, 0.95, _MONTH_START),
    Country("BR", "BRL", -3, 8, 9, 900, 0.40, 0.10,
            {"visa": 38, "mastercard": 48, "other": 11, "amex": 3},
            0.10, False, -0.35, 3.20, _MONTH_START),
    Country("MX", "MXN", -6, 6, 6, 900, 0.62, 0.06,
            {"visa": 52, "mastercard": 42, "amex": 6}, 0.08, False, -0.45, 2.80, _TWICE_A_MONTH),
    Country("CA", "CAD", -5, 4, 4, 2100, 0.40, 0.05,
            {"visa": 55, "mastercard": 40, "amex": 5}, 0.06, False, 0.15, 0.82, _TWICE_A_MONTH),
    Country("AU", "AUD", 10, 3, 3, 2200, 0.60, 0.04,
            {"visa": 58, "mastercard": 37, "amex": 5}, 0.15, False, 0.15, 0.95, _WEEKLY),
    Country("JP", "JPY", 9, 3, 3, 2400, 0.18, 0.09,
            {"visa": 48, "mastercard": 20, "jcb": 30, "amex": 2},
            0.12, False, 0.10, 1.22, _MONTH_END),
)  # fmt: skip

CODES = tuple(country.code for country in COUNTRIES)
PLACE = {code: place for place, code in enumerate(CODES)}

CURRENCIES: dict[str, tuple[float, int]] = {
    "USD": (1.0, 2), "GBP": (0.78, 2), "EUR": (0.91, 2), "SEK": (10.4, 2), "PLN": (3.9, 2),
    "BRL": (5.4, 2), "MXN": (18.0, 2), "CAD": (1.36, 2), "AUD": (1.5, 2), "JPY": (150.0, 0),
}  # fmt: skip
"""Units for one US dollar, and decimals of the minor unit (ISO 4217)."""


def minor_per_dollar(currency: str) -> float:
    """Minor units of a currency for one US dollar."""
    rate, decimals = CURRENCIES[currency]
    return float(rate * 10**decimals)
