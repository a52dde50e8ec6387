"""What the learner is told, declared before any outcome is known: from the columns' names alone.

A declaration learned from a log cuts numbers into bins where its rows lie. Here there is no log
yet, so numbers are cut on scales that fit what the schema says they are.

Few columns interact. What is the same for all actions of a payment (``payment``) only takes up what
makes the whole payment easy or hard; crossed with the route it would add noise. The history bears
on the time of a retry and on whether it goes to the same route again, not on each route by name.
Columns of the user's own (``x_...``) interact with routes and delays.
"""

from __future__ import annotations

import numpy as np

from authopt.batch import Categorical, Column, DecisionBatch
from authopt.features.attempt_time import ATTEMPT_DATE, ATTEMPT_DAY, ATTEMPT_HOUR
from authopt.features.tabular import ATTEMPT, DELAY, ROUTE, SAME_ROUTE
from authopt.features.vw_features import WAIT_EDGES, VwColumn, VwFeatures
from authopt.payments import CUSTOM_PREFIX

MERCHANT, PAYMENT, CARD, HISTORY, WINDOW = "merchant", "payment", "card", "history", "window"
OWN = "own"
ROUTES, DELAYS, SAME, LANDING, ACTION = "route", "delay", "same", "landing", "action"

INTERACTIONS = ("cr", "mr", "or", "cd", "hd", "od", "sr", "hs", "sd", "hl", "ar", "ac", "ha")
LATER_INTERACTIONS = ("wd", "hd", "wwd")
"""By the first letters of namespaces."""

_CARD = ("issuer", "issuer_country")
_CARD_OTHERWISE = ("bin", "issuer_country", "network", "funding", "currency")
"""Where no issuer is known, it is told by these."""

_HISTORY = (
    "previous_route",
    "previous_response_code",
    "previous_advice_code",
    "card_declines_24h",
    "seconds_since_first_attempt",
    "seconds_since_last_attempt",
)

_WINDOW = ("initiator", "seconds_to_deadline", "seconds_since_first_attempt")
_TO_DEADLINE = (3_600.0, 21_600.0, *(each * 86_400.0 for each in (*range(1, 15), 20, 30)))

_COUNTS = tuple(number + 0.5 for number in range(8))
_FLAG = (0.5,)
_HOURS = tuple(hour + 0.5 for hour in range(1, 23, 2))
_DAYS_OF_WEEK = tuple(day + 0.5 for day in range(1, 7))
_DATES = tuple(day + 0.5 for day in range(2, 30, 3))
_AMOUNTS = tuple(float(round(10.0**step)) for step in np.arange(2.0, 7.0, 0.25))
_SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_ANY = (
    *(-(10.0**step) for step in range(6, -1, -1)),
    *(-0.05, 0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95),
    *(each * 10.0**step for step in range(7) for each in (1.5, 3.5, 7.5)),
)

_EDGES: dict[str, tuple[float, ...]] = {
    "token": _FLAG,
    "three_ds": _FLAG,
    "local_hour": _HOURS,
    "local_day": _DAYS_OF_WEEK,
    "amount_minor": _AMOUNTS,
    "churn_value_minor": _AMOUNTS,
    "fraud_score": _SHARES,
    "seconds_to_deadline": _TO_DEADLINE,
    "card_attempts_30d": _COUNTS,
    "card_declines_24h": _COUNTS,
    "seconds_since_first_attempt": WAIT_EDGES,
    "seconds_since_last_attempt": WAIT_EDGES,
}


def declared_features(batch: DecisionBatch, *, merchant_own: bool = False) -> VwFeatures:
    """Declare the features of decisions like these; their values do not matter.

    Parameters
    ----------
    batch
        decisions; columns that none of them has are left out for good.
    merchant_own
        give every merchant weights of its own for the routes, beside the shared ones: one of many
        payments gets what is particular to it, a new one starts from what all share.
    """
    of_card = _CARD if "issuer" in batch.context else _CARD_OTHERWISE
    places = dict.fromkeys(_HISTORY, HISTORY) | dict.fromkeys(of_card, CARD)
    if merchant_own:
        places["merchant_id"] = MERCHANT
    context = [VwColumn(ATTEMPT, HISTORY, _COUNTS)]
    for name, column in batch.context.items():
        if name != "bin" or name in places:
            otherwise = OWN if name.startswith(CUSTOM_PREFIX) else PAYMENT
            context += _declared(name, column, places.get(name, otherwise))
    action = [VwColumn(ROUTE, ROUTES), VwColumn(DELAY, DELAYS, WAIT_EDGES)]
    if isinstance(batch.context.get("previous_route"), Categorical):
        action.append(VwColumn(SAME_ROUTE, SAME, _FLAG))
    if "local_hour" in batch.context:
        action.append(VwColumn(ATTEMPT_HOUR, LANDING, _HOURS))
        action.append(VwColumn(ATTEMPT_DAY, LANDING, _DAYS_OF_WEEK))
        action.append(VwColumn(ATTEMPT_DATE, LANDING, _DATES))
    for name, column in batch.action_features.items():
        action += _declared(name, column, ACTION)
    there = {column.namespace[0] for column in (*context, *action)}
    return VwFeatures(
        _in_order(context),
        _in_order(action),
        tuple(each for each in INTERACTIONS if set(each) <= there),
    )


def declared_for_later(batch: DecisionBatch) -> VwFeatures:
    """As :func:`declared_features`, of what follows an attempt: the time that it leaves matters."""
    places = dict.fromkeys(_HISTORY, HISTORY) | dict.fromkeys(_WINDOW, WINDOW)
    context = [VwColumn(ATTEMPT, WINDOW, _COUNTS)]
    for name, column in batch.context.items():
        if name in places:
            context += _declared(name, column, places[name])
    action = [VwColumn(ROUTE, ROUTES), VwColumn(DELAY, DELAYS, WAIT_EDGES)]
    there = {column.namespace[0] for column in (*context, *action)}
    return VwFeatures(
        _in_order(context),
        _in_order(action),
        tuple(each for each in LATER_INTERACTIONS if set(each) <= there),
    )


def _declared(name: str, column: Column, namespace: str) -> list[VwColumn]:
    """A column as a feature; none for references and times, which are never features."""
    if isinstance(column, Categorical):
        return [VwColumn(name, namespace)]
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return [VwColumn(name, namespace, _EDGES.get(name, _ANY))]
    return []


def _in_order(columns: list[VwColumn]) -> tuple[VwColumn, ...]:
    return tuple(sorted(columns, key=lambda column: (column.namespace, column.name)))
