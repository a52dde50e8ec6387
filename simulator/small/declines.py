"""Why an attempt ends as it does, the codes that say so, and how long each state lasts.

The response code of an attempt says which state the world was in, and states are left at a constant
rate. So the codes and times that a decision's context carries are all that bears on the next
attempt: the chance of approval is a known function of context and action at every attempt, not only
at the first.
"""

from __future__ import annotations

from enum import IntEnum

from authopt.payments import Funding, Initiator, Network

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


class Ending(IntEnum):
    """How an attempt ends."""

    APPROVED = 0
    REFUSED = 1
    SUSPECTED = 2
    NO_FUNDS = 3
    OVER_LIMIT = 4
    ISSUER_DOWN = 5
    ROUTE_DOWN = 6
    AUTHENTICATE = 7
    EXPIRED = 8
    INVALID = 9
    LOST = 10
    STOLEN = 11


CODES: dict[Ending, str] = {
    Ending.APPROVED: "00",
    Ending.REFUSED: "05",
    Ending.SUSPECTED: "59",
    Ending.NO_FUNDS: "51",
    Ending.OVER_LIMIT: "61",
    Ending.ISSUER_DOWN: "91",
    Ending.ROUTE_DOWN: "96",
    Ending.AUTHENTICATE: "1A",
    Ending.EXPIRED: "54",
    Ending.INVALID: "14",
    Ending.LOST: "41",
    Ending.STOLEN: "43",
}
MASTERCARD_CODES = CODES | {Ending.SUSPECTED: "83", Ending.AUTHENTICATE: "65"}
MASTERCARD_NETWORKS = frozenset({Network.MASTERCARD, Network.MAESTRO})

ADVICE: dict[tuple[Ending, Initiator], tuple[tuple[str | None, float], ...]] = {
    (Ending.REFUSED, Initiator.CIT): ((None, 0.6), ("02", 0.4)),
    (Ending.REFUSED, Initiator.MIT): ((None, 0.6), ("02", 0.4)),
    (Ending.SUSPECTED, Initiator.CIT): (("02", 0.7), ("03", 0.3)),
    (Ending.SUSPECTED, Initiator.MIT): (("02", 0.7), ("03", 0.3)),
    (Ending.NO_FUNDS, Initiator.CIT): (("02", 1.0),),
    (Ending.NO_FUNDS, Initiator.MIT): (
        ("24", 0.30),
        ("25", 0.35),
        ("26", 0.25),
        ("27", 0.07),
        ("28", 0.03),
    ),
    (Ending.AUTHENTICATE, Initiator.CIT): (("01", 1.0),),
    (Ending.EXPIRED, Initiator.CIT): (("01", 1.0),),
    (Ending.EXPIRED, Initiator.MIT): (("01", 1.0),),
    **{
        (ending, initiator): (("02", 1.0),)
        for ending in (Ending.OVER_LIMIT, Ending.ISSUER_DOWN)
        for initiator in Initiator
    },
    **{
        (ending, initiator): (("03", 1.0),)
        for ending in (Ending.INVALID, Ending.LOST, Ending.STOLEN)
        for initiator in Initiator
    },
}
"""Merchant advice codes with their weights, as Mastercard's issuers give them."""

STATES = (
    Ending.NO_FUNDS,
    Ending.OVER_LIMIT,
    Ending.ISSUER_DOWN,
    Ending.EXPIRED,
    Ending.INVALID,
    Ending.LOST,
    Ending.STOLEN,
)
"""States of card and issuer in which no route gets an approval."""

LASTING = (Ending.EXPIRED, Ending.INVALID, Ending.LOST, Ending.STOLEN)
"""States that no wait ends; new card data end the first."""

STATE_SHARE: dict[Initiator, tuple[float, ...]] = {
    Initiator.CIT: (0.030, 0.006, 0.0, 0.004, 0.004, 0.0015, 0.0010),
    Initiator.MIT: (0.085, 0.006, 0.0, 0.022, 0.008, 0.0030, 0.0015),
}
"""Share of first attempts that meet each of STATES; that of ISSUER_DOWN is the issuer's own."""

FUNDS_FACTOR = {Funding.CREDIT: 0.6, Funding.DEBIT: 1.3, Funding.PREPAID: 1.8}
FUNDS_RETURN_S = {Funding.CREDIT: 12 * DAY, Funding.DEBIT: 8 * DAY, Funding.PREPAID: 16 * DAY}
"""Mean time until missing funds are there."""
FUNDS_RETURN_BY_ADVICE_S = {
    "24": 8 * HOUR,
    "25": 3 * DAY,
    "26": 6 * DAY,
    "27": 9 * DAY,
    "28": 14 * DAY,
}
LIMIT_RETURN_S = 14 * HOUR
ISSUER_RETURN_S = 4 * MINUTE
ROUTE_RETURN_S = 3 * MINUTE

REFUSED_SAME_ROUTE = -4.0
REFUSED_OTHER_ROUTE = -2.9
SUSPECTED_ANY_ROUTE = -4.5
REFUSAL_FADES_S = 12 * DAY
"""A refusal is held against the next attempt (log odds), the less the longer ago."""

UPDATER_SHARE = 0.45
"""Share of expired cards of subscriptions whose new data the account updater brings."""

STEP_UP_SHARE = 0.85
"""Share of cardholders who authenticate when they are asked to."""
