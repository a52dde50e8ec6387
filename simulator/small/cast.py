"""Who takes part in the default world: routes, issuers with their cards, merchants. All invented.

The magnitudes follow the published facts that simulator/README.md names; the tastes (which issuer
likes which route) have no source: they are there so that no route is the best everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from authopt.payments import Funding, Network


@dataclass(frozen=True, slots=True)
class Route:
    """An acquirer account.

    ``strength``, ``local_gain`` (for cards of its own countries) and ``token_gain`` are added to
    the log odds of approval; ``failure`` is the chance that an attempt gets lost on the way. It
    takes ``currencies``; all where there are none named.
    """

    name: str
    countries: frozenset[str]
    strength: float
    local_gain: float
    token_gain: float
    failure: float
    fee_fixed_minor: int
    fee_basis_points: float
    attempt_fee_minor: int
    latency_ms: float
    currencies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Issuer:
    """A bank and its tastes, in log odds of approval where nothing else is said.

    ``amount`` is per unit of log(amount / the merchant's median), ``night`` is what the small hours
    cost, ``step_up`` the share of checkout payments without 3-D
    Secure that it sends back for authentication, ``funds`` a factor on missing funds, ``down`` the
    share of attempts that find it unreachable.
    """

    name: str
    country: str
    size: float
    base: float
    three_ds: float
    night: float
    weekend: float
    amount: float
    recurring: float
    step_up: float
    funds: float
    down: float
    suspicion: float
    cards: tuple[tuple[str, Network, Funding], ...]


@dataclass(frozen=True, slots=True)
class Merchant:
    """A shop: amounts are log-normal around ``median_minor``."""

    name: str
    country: str
    currency: str
    mcc: str
    size: float
    recurring: float
    median_minor: float
    spread: float
    risk: float


ROUTES = (
    Route("atlas", frozenset({"US"}), 0.10, 0.55, 0.10, 0.004, 10, 25.0, 4, 620.0),
    Route("borealis", frozenset({"GB", "DE", "FR"}), 0.05, 0.60, 0.35, 0.003, 12, 18.0, 3, 540.0,
          frozenset({"EUR", "GBP", "USD"})),
    Route("cordillera", frozenset({"BR"}), -0.25, 1.10, 0.05, 0.012, 8, 32.0, 2, 910.0,
          frozenset({"BRL"})),
    Route("delta", frozenset({"US", "GB"}), -0.10, 0.30, 0.55, 0.006, 5, 12.0, 6, 480.0,
          frozenset({"EUR", "GBP", "USD"})),
    Route("everywhere", frozenset(), 0.20, 0.00, 0.20, 0.002, 20, 40.0, 5, 700.0),
)  # fmt: skip

_V, _M = Network.VISA, Network.MASTERCARD
_CREDIT, _DEBIT, _PREPAID = Funding.CREDIT, Funding.DEBIT, Funding.PREPAID

ISSUERS = (
    Issuer("prairie", "US", 3.0, 2.75, 0.1, -0.3, -0.1, -0.10, -0.5, 0.0, 1.0, 0.004, 0.15,
           (("400102", _V, _CREDIT), ("400103", _V, _DEBIT))),
    Issuer("golden", "US", 2.0, 2.55, 0.3, -0.6, 0.0, -0.25, -0.3, 0.0, 1.2, 0.006, 0.30,
           (("520411", _M, _CREDIT), ("520412", _M, _DEBIT))),
    Issuer("liberty", "US", 1.0, 3.10, 0.0, -0.1, 0.0, -0.05, -0.2, 0.0, 0.6, 0.003, 0.10,
           (("370021", Network.AMEX, _CREDIT),)),
    Issuer("greenpenny", "US", 1.0, 2.10, 0.5, -0.9, -0.3, -0.45, -0.8, 0.0, 2.2, 0.010, 0.35,
           (("411731", _V, _PREPAID), ("530032", _M, _PREPAID))),
    Issuer("lakes", "US", 0.6, 2.80, 0.2, -0.2, -0.2, -0.10, -0.4, 0.0, 0.9, 0.005, 0.15,
           (("601141", Network.DISCOVER, _CREDIT),)),
    Issuer("thames", "GB", 1.6, 2.85, 0.8, -0.2, 0.0, -0.15, -0.4, 0.09, 1.0, 0.004, 0.15,
           (("465851", _V, _DEBIT), ("543452", _M, _CREDIT))),
    Issuer("monarch", "GB", 1.0, 2.65, 1.1, -0.4, -0.1, -0.20, -0.6, 0.13, 1.1, 0.005, 0.20,
           (("535561", _M, _DEBIT), ("374462", Network.AMEX, _CREDIT))),
    Issuer("rhein", "DE", 1.4, 2.80, 1.0, -0.5, -0.1, -0.10, -0.3, 0.11, 0.8, 0.004, 0.20,
           (("455771", _V, _CREDIT), ("501772", Network.MAESTRO, _DEBIT))),
    Issuer("spree", "DE", 1.0, 2.50, 0.6, -0.8, 0.0, -0.30, -0.7, 0.07, 1.1, 0.008, 0.30,
           (("545281", _M, _DEBIT), ("417882", _V, _DEBIT))),
    Issuer("loire", "FR", 1.2, 2.60, 1.3, -0.4, -0.2, -0.20, -0.5, 0.15, 0.9, 0.005, 0.20,
           (("497091", _V, _DEBIT), ("513192", _M, _CREDIT))),
    Issuer("ipe", "BR", 1.2, 2.15, 0.4, -0.5, -0.1, -0.35, -0.5, 0.0, 1.5, 0.009, 0.30,
           (("516211", _M, _CREDIT), ("406212", _V, _DEBIT))),
    Issuer("nuvem", "BR", 1.0, 2.40, 0.2, -0.2, 0.0, -0.25, -0.2, 0.0, 1.3, 0.006, 0.25,
           (("550221", _M, _CREDIT), ("423222", _V, _PREPAID))),
)  # fmt: skip

MERCHANTS = (
    Merchant("m-gadget", "US", "USD", "5732", 2.0, 0.05, 7_900.0, 0.9, -0.15),
    Merchant("m-stream", "US", "USD", "5968", 2.4, 0.85, 1_299.0, 0.3, 0.00),
    Merchant("m-fashion", "GB", "GBP", "5651", 1.6, 0.02, 5_400.0, 0.8, 0.00),
    Merchant("m-desk", "DE", "EUR", "5734", 1.8, 0.70, 2_900.0, 0.6, 0.05),
    Merchant("m-bazaar", "BR", "BRL", "5399", 1.4, 0.15, 12_500.0, 0.8, -0.05),
)

HOURS_FROM_UTC = {"US": -6, "GB": 0, "DE": 1, "FR": 1, "BR": -3}
CURRENCIES = tuple(dict.fromkeys(merchant.currency for merchant in MERCHANTS))
COUNTRIES = tuple(HOURS_FROM_UTC)
"""Where cards come from."""

THREE_DS_SHARE = {"US": 0.05, "GB": 0.55, "DE": 0.55, "FR": 0.60, "BR": 0.10}
TOKEN_SHARE = {"cit": 0.25, "mit": 0.50}

UTC_HOUR_WEIGHTS = (
    3, 2, 2, 2, 2, 3, 4, 5, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 7, 6, 4,
)  # fmt: skip
"""Payments by the hour of the day, UTC."""
