"""How an attempt ends, and the response and advice codes that tell it, by network.

Codes and their meanings are those of the tables in ``authopt/rules``. Mastercard merges reasons
into 79 (lifecycle), 82 (policy) and 83 (security) and adds a merchant advice code; 24 to 30 ask for
a wait after a lack of funds on a recurring payment (developer.paypal.com/braintree). In Europe 65
on Mastercard asks for authentication, as 1A does on Visa. How often an issuer uses which code is
invented but for two shares: generic 05 is large (retries.com), suspected fraud about 9.4% of
declines (Ethoca).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from authopt.batch import IntArray


class Ending(IntEnum):
    """How an attempt ends; those from ``ROUTE_DOWN`` to ``REFUSED`` in the order they are met."""

    APPROVED = 0
    ROUTE_DOWN = 1
    ISSUER_AWAY = 2
    EXPIRED = 3
    LOST = 4
    STOLEN = 5
    CLOSED = 6
    CANCELLED = 7
    WRONG_NUMBER = 8
    WRONG_CVV = 9
    AUTHENTICATE = 10
    OVER_VELOCITY = 11
    OVER_LIMIT = 12
    NO_FUNDS = 13
    REFUSED = 14
    SUSPECTED = 15


NO_ATTEMPT = -1
"""Stands for the ending where the payment was given up."""

NONE = ""
_Weighted = tuple[tuple[str, str, float], ...]
"""Response code, advice code (or ``NONE``) and weight."""

_OTHERS: dict[Ending, _Weighted] = {
    Ending.APPROVED: (("00", NONE, 1.0),),
    Ending.ROUTE_DOWN: (("96", NONE, 1.0),),
    Ending.ISSUER_AWAY: (("91", NONE, 1.0),),
    Ending.EXPIRED: (("54", NONE, 1.0),),
    Ending.LOST: (("41", NONE, 1.0),),
    Ending.STOLEN: (("43", NONE, 1.0),),
    Ending.CLOSED: (("46", NONE, 1.0),),
    Ending.CANCELLED: (("R1", NONE, 0.8), ("R3", NONE, 0.2)),
    Ending.WRONG_NUMBER: (("14", NONE, 1.0),),
    Ending.WRONG_CVV: (("N7", NONE, 1.0),),
    Ending.AUTHENTICATE: (("1A", NONE, 1.0),),
    Ending.OVER_VELOCITY: (("65", NONE, 1.0),),
    Ending.OVER_LIMIT: (("61", NONE, 1.0),),
    Ending.NO_FUNDS: (("51", NONE, 1.0),),
    Ending.REFUSED: (
        ("05", NONE, 0.88), ("57", NONE, 0.03), ("62", NONE, 0.05), ("63", NONE, 0.04),
    ),
    Ending.SUSPECTED: (("59", NONE, 1.0),),
}  # fmt: skip

_WITHOUT_CATEGORIES: dict[Ending, _Weighted] = {
    Ending.CANCELLED: (("05", NONE, 1.0),),
}
"""American Express, Discover and others have no code of their own for this."""

_MASTERCARD: dict[Ending, _Weighted] = {
    Ending.ISSUER_AWAY: (("91", "02", 1.0),),
    Ending.EXPIRED: (("54", "01", 0.6), ("79", "01", 0.4)),
    Ending.LOST: (("41", "03", 0.6), ("79", "03", 0.4)),
    Ending.STOLEN: (("43", "03", 0.6), ("79", "03", 0.4)),
    Ending.CLOSED: (("46", "03", 0.5), ("79", "03", 0.5)),
    Ending.CANCELLED: (("79", "21", 1.0),),
    Ending.WRONG_NUMBER: (("14", "01", 0.5), ("79", "01", 0.5)),
    Ending.WRONG_CVV: (("N7", NONE, 1.0),),
    Ending.AUTHENTICATE: (("65", "01", 0.8), ("83", "01", 0.2)),
    Ending.OVER_VELOCITY: (("65", "02", 0.7), ("82", "02", 0.3)),
    Ending.OVER_LIMIT: (("61", "02", 1.0),),
    Ending.NO_FUNDS: (("51", "02", 1.0),),
    Ending.REFUSED: (
        ("05", NONE, 0.45), ("05", "02", 0.25), ("82", "02", 0.12), ("79", "02", 0.06),
        ("57", NONE, 0.03), ("62", "02", 0.05), ("63", NONE, 0.04),
    ),
    Ending.SUSPECTED: (("59", "02", 0.35), ("83", "02", 0.40), ("83", "03", 0.25)),
}  # fmt: skip

_WAIT_ADVICE = ("24", "25", "26", "27", "28", "29", "30")
_WAIT_UP_TO_S = np.array([3, 36, 72, 120, 168, 216]) * 3_600.0
"""Longest true wait that each advice on waiting but the last is given for."""

RESPONSE_CODES = tuple(
    dict.fromkeys(
        code
        for table in (_OTHERS, _MASTERCARD)
        for weighted in table.values()
        for code, _, _ in weighted
    )
)
ADVICE_CODES = tuple(
    dict.fromkeys(
        [advice for weighted in _MASTERCARD.values() for _, advice, _ in weighted if advice != NONE]
        + list(_WAIT_ADVICE)
    )
)

REFUSED_CODES = ("05", "57", "62", "63", "82", "79")
SUSPECTED_CODES = ("59", "83")
"""Codes after which an issuer holds the refusal against the next attempt. 83 and 65 with advice 01
ask for authentication; they are not among them once the cardholder was authenticated."""

AUTHENTICATE_CODES = ("1A", "65", "83")

GENERIC = RESPONSE_CODES.index("05")
FIRST_WAIT_ADVICE = ADVICE_CODES.index(_WAIT_ADVICE[0])
NETWORK_GROUPS = {"mastercard": 1, "maestro": 1, "visa": 0}
"""Visa 0, Mastercard 1, all others 2."""

_STEPS = 256


def _table() -> IntArray:
    """int64[3, endings, steps, 2]: response and advice code (-1 none) by network group."""
    table = np.full((3, len(Ending), _STEPS, 2), -1, np.int64)
    at = (np.arange(_STEPS) + 0.5) / _STEPS
    owns: tuple[dict[Ending, _Weighted], ...] = ({}, _MASTERCARD, _WITHOUT_CATEGORIES)
    for group, own in enumerate(owns):
        for ending in Ending:
            weighted = own.get(ending, _OTHERS[ending])
            edges = np.cumsum([weight for _, _, weight in weighted])
            for step, place in enumerate(np.searchsorted(edges[:-1], at, side="right")):
                response, advice, _ = weighted[place]
                table[group, ending, step, 0] = RESPONSE_CODES.index(response)
                table[group, ending, step, 1] = ADVICE_CODES.index(advice) if advice else -1
    return table


_CODES = _table()


def codes_of(group: IntArray, ending: IntArray, step: IntArray) -> tuple[IntArray, IntArray]:
    """Response and advice codes of endings (none ``NO_ATTEMPT``); ``step`` in 0-255 draws."""
    found = _CODES[group, ending, step]
    return found[:, 0], found[:, 1]


def wait_advice(wait_s: np.ndarray, shift: IntArray) -> IntArray:
    """int64[k], the advice for a wait (seconds), ``shift`` steps off the mark."""
    place = np.searchsorted(_WAIT_UP_TO_S, wait_s) + shift
    return np.asarray(FIRST_WAIT_ADVICE + np.clip(place, 0, len(_WAIT_ADVICE) - 1))
