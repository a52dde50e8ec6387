"""Payments as they arrive: their first decision points, drawn by keyed hashes.

Every number is a hash of the payment's id and of what it is for, so that a payment is the same
whatever policy it meets and in whatever chunk it is drawn.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtri

from authopt.batch import Categorical, CodeArray, Column, DecisionBatch, FloatArray, IntArray
from authopt.hashing import hash_strings, salted, unit_interval
from authopt.payments import Initiator
from authopt.rules import DATA_UPDATED
from simulator.small.approval import INITIATORS, ApprovalModel, local_time
from simulator.small.cast import (
    CURRENCIES,
    HOURS_FROM_UTC,
    THREE_DS_SHARE,
    TOKEN_SHARE,
    UTC_HOUR_WEIGHTS,
)
from simulator.small.eligible import Offers
from simulator.traffic import Traffic

HOME_SHARE = 8.0
"""How much likelier a card of the merchant's own country is than one of another issuer's size."""

DAY_S = 86_400


def draw(payment_id: pa.StringArray, purpose: str, seed: int) -> FloatArray:
    """float64[n] in [0, 1), fixed by the payment, the purpose and the seed."""
    return unit_interval(salted(hash_strings(payment_id), f"{purpose}:{seed}"))


def payment_ids(first: int, last: int, seed: int) -> pa.StringArray:
    """Ids of the payments from ``first`` to before ``last``."""
    number = pc.utf8_lpad(pa.array(np.arange(first, last)).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise(f"p{seed}", number, "-")


def decision_ids(payment_id: pa.StringArray, attempt: CodeArray) -> pa.StringArray:
    """Ids of the decisions on these attempts (int32[n], from 1) of these payments."""
    return pc.binary_join_element_wise(payment_id, pa.array(attempt).cast(pa.string()), "-")


def arrivals(
    world: ApprovalModel, offers: Offers, traffic: Traffic, first: int, last: int
) -> DecisionBatch:
    """The first decision points of the payments from ``first`` to before ``last``, by time."""
    ids = payment_ids(first, last, traffic.seed)
    n = last - first

    def uniform(purpose: str) -> FloatArray:
        return draw(ids, purpose, traffic.seed)

    seconds = _times(traffic, np.arange(first, last), uniform("time"))
    merchant = _pick(np.array([shop.size for shop in world.merchants]), uniform("merchant"))
    recurring = np.array([shop.recurring for shop in world.merchants])[merchant]
    initiator = np.where(
        uniform("initiator") < recurring,
        INITIATORS.index(Initiator.MIT),
        INITIATORS.index(Initiator.CIT),
    )
    issuer, card = _cards(world, merchant, uniform("issuer"), uniform("card"))
    shops, banks = world.merchants, world.issuers
    cards = [card for bank in banks for card in bank.cards]
    country = np.array([list(HOURS_FROM_UTC).index(bank.country) for bank in banks])[issuer]
    currency = np.array([CURRENCIES.index(shop.currency) for shop in shops])[merchant]
    median = np.array([shop.median_minor for shop in shops])[merchant]
    spread = np.array([shop.spread for shop in shops])[merchant]
    amount = np.exp(np.log(median) + spread * ndtri(np.clip(uniform("amount"), 1e-6, 1 - 1e-6)))
    token_share = np.array([TOKEN_SHARE[each] for each in INITIATORS])[initiator]
    three_ds_share = np.array([*THREE_DS_SHARE.values()])[country]
    checkout = initiator == INITIATORS.index(Initiator.CIT)
    hour, weekday = local_time(seconds, np.array([*HOURS_FROM_UTC.values()])[country])
    none = Categorical(np.full(n, -1, np.int32), ())
    number = np.floor(uniform("card number") * 40_000).astype(np.int64)
    context: dict[str, Column] = {
        "merchant_id": _named([shop.name for shop in shops], merchant),
        "card_ref": pc.binary_join_element_wise(
            pa.array([f"c{place}" for place in range(len(cards))]).take(pa.array(card)),
            pa.array(number).cast(pa.string()),
            "-",
        ),
        "bin": _named([prefix for prefix, _, _ in cards], card),
        "issuer": _named([bank.name for bank in banks], issuer),
        "network": _named([network.value for _, network, _ in cards], card),
        "funding": _named([funding.value for _, _, funding in cards], card),
        "issuer_country": _named(list(HOURS_FROM_UTC), country),
        "merchant_country": _named([shop.country for shop in shops], merchant),
        "currency": _named(CURRENCIES, currency),
        "amount_minor": np.maximum(np.round(amount), 50.0),
        "mcc": _named([shop.mcc for shop in shops], merchant),
        "initiator": _named([each.value for each in INITIATORS], initiator),
        "token": (uniform("token") < token_share).astype(np.float64),
        "three_ds": (checkout & (uniform("3ds") < three_ds_share)).astype(np.float64),
        "local_hour": hour.astype(np.float64),
        "local_day": weekday.astype(np.float64),
        "previous_route": none,
        "previous_response_code": none,
        "previous_advice_code": none,
        "seconds_since_first_attempt": np.full(n, np.nan),
        "seconds_since_last_attempt": np.full(n, np.nan),
        DATA_UPDATED: np.zeros(n),
    }
    route, delay_s, offsets = offers.of(currency, initiator, retry=False)
    return DecisionBatch(
        decision_id=decision_ids(ids, np.ones(n, np.int32)),
        payment_id=ids,
        attempt=np.ones(n, np.int32),
        decided_at=seconds.astype("M8[s]").astype("M8[us]"),
        context=context,
        routes=offers.routes,
        action_route=route,
        action_delay_s=delay_s,
        offsets=offsets,
    )


def _named(names: tuple[str, ...] | list[str], codes: IntArray) -> Categorical:
    """Codes into a list that may name the same value twice."""
    distinct = tuple(dict.fromkeys(names))
    table = np.array([distinct.index(name) for name in names], np.int32)
    return Categorical(table[codes], distinct)


def _times(traffic: Traffic, number: IntArray, uniform: FloatArray) -> IntArray:
    """Seconds since 1970: payment i arrives in the i-th of equal parts of the traffic."""
    day = (number + uniform) / traffic.payments * traffic.days
    start = int(traffic.start.astype("M8[s]").astype(np.int64))
    if traffic.days < 1:
        return np.asarray(start + np.floor(day * DAY_S), np.int64)
    hours = np.arange(25) * 3600.0
    weights = np.array(UTC_HOUR_WEIGHTS, np.float64)
    edges = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
    day = day + np.interp(start % DAY_S, hours, edges)
    within = np.interp(day % 1.0, edges, hours)
    midnight = start - start % DAY_S
    seconds = midnight + np.floor(day) * DAY_S + np.minimum(within, DAY_S - 1)
    return np.asarray(seconds, np.int64)


def _pick(weights: FloatArray, uniform: FloatArray) -> IntArray:
    edges = np.cumsum(weights) / weights.sum()
    place = np.searchsorted(edges, uniform, side="right")
    return np.asarray(np.minimum(place, len(weights) - 1), np.int64)


def _cards(
    world: ApprovalModel, merchant: IntArray, uniform: FloatArray, which: FloatArray
) -> tuple[IntArray, IntArray]:
    """Issuer and card (numbered over all issuers) of each payment."""
    issuer = np.zeros(len(merchant), np.int64)
    for place, shop in enumerate(world.merchants):
        weights = np.array(
            [
                bank.size * (HOME_SHARE if bank.country == shop.country else 1.0)
                for bank in world.issuers
            ]
        )
        rows = merchant == place
        issuer[rows] = _pick(weights, uniform[rows])
    sizes = np.array([len(bank.cards) for bank in world.issuers])
    first = np.cumsum(sizes) - sizes
    return issuer, first[issuer] + np.floor(which * sizes[issuer]).astype(np.int64)
