"""Payments as they arrive: their first decision points, drawn by keyed hashes.

Payment i of a traffic arrives in the i-th of equal shares of its intensity, which follows the hours
of the day, the days of the week and the seasons. A subscription is a place in a billing period:
the payments whose numbers are a period's worth of arrivals apart share merchant, card, amount and
token, and arrive about 30 days (or 7 days) apart.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from authopt.batch import (
    BoolArray,
    Categorical,
    CodeArray,
    Column,
    DecisionBatch,
    FloatArray,
    IntArray,
)
from authopt.hashing import UIntArray, hash_strings, hash_text
from authopt.rules import DATA_UPDATED
from simulator.traffic import Traffic
from simulator.world.arriving import seconds_before, share_before
from simulator.world.attempts import CURRENCY_NAMES, INITIATORS, MIT
from simulator.world.cast import Cast
from simulator.world.cast_issuers import FUNDINGS, NETWORKS
from simulator.world.cast_merchants import CHECKOUT, MONTHLY, STEPS, WEEKLY
from simulator.world.clocks import hour_of_week
from simulator.world.codes import ADVICE_CODES, RESPONSE_CODES
from simulator.world.countries import CODES, COUNTRIES
from simulator.world.identifiers import card_refs, decision_ids, payment_ids
from simulator.world.keyed import lower, lower_normal, mixed, upper, upper_normal, with_number
from simulator.world.offers import Offers
from simulator.world.shocks import Attack, Shocks

MONTH_DAYS, WEEK_DAYS = 30, 7
CIT = 1 - MIT
TOKEN_AT_CHECKOUT = 0.30
"""Share of checkouts with a stored network token. Invented."""
SCORE_OF_FRAUD, SCORE_SPREAD, SCORE_BASE = 2.8, 1.1, -4.4
"""The merchant's own fraud score is the logistic of a normal of this spread around the base, and
around so much more for a fraudulent payment. Invented."""
TESTED_DOLLARS = 4.0
"""Typical amount of a card tester."""

_THREE_DS = np.array([country.three_ds for country in COUNTRIES])


def arrivals(
    cast: Cast, shocks: Shocks, offers: Offers, traffic: Traffic, first: int, last: int
) -> DecisionBatch:
    """The first decision points of the payments from ``first`` to before ``last``, by time."""
    number = np.arange(first, last)
    n = len(number)
    ids = payment_ids(number, traffic.seed)
    key = hash_strings(ids)
    seconds = _times(traffic, number, key)
    kind, agent = _agents(cast, traffic, number, key)
    one = mixed(agent, "who")
    merchant = cast.merchants.pick[kind, (upper(one) * STEPS).astype(np.int64)].astype(np.int64)
    other = mixed(agent, "card")
    card = _cards(cast, merchant, lower(one), other)
    what = mixed(agent, "what")
    log_size = cast.merchants.spread[merchant] * upper_normal(what)
    fraud = (kind == CHECKOUT) & (lower(key) < cast.merchants.fraud[merchant])
    tested = np.zeros(n, np.bool_)
    for attack in shocks.attacks:
        now = _tested(traffic, attack, seconds, key) & ~tested
        if now.any():
            kind = np.where(now, CHECKOUT, kind)
            merchant = np.where(now, attack.merchant, merchant)
            card = _tested_cards(cast, attack, card, now, key)
            typical = np.log(TESTED_DOLLARS) + cast.log_minor[cast.merchants.currency[merchant]]
            small = typical - cast.merchants.log_median[merchant] + 0.4 * upper_normal(what)
            log_size = np.where(now, small, log_size)
            tested |= now
    if tested.any():
        fraud |= tested
        ids = _with_attack(ids, number, traffic.seed, tested)
    context = _context(cast, seconds, kind, merchant, card, log_size, fraud, tested, key, what)
    checkout = kind == CHECKOUT
    initiator = np.where(checkout, CIT, MIT)
    currency = cast.merchants.currency[merchant]
    route, delay_s, offsets = offers.of(currency, initiator, seconds, retry=False)
    attempt = np.ones(n, np.int32)
    return DecisionBatch(
        decision_id=decision_ids(ids, attempt),
        payment_id=ids,
        attempt=attempt,
        decided_at=seconds.astype("M8[s]").astype("M8[us]"),
        context=context,
        routes=offers.routes,
        action_route=route,
        action_delay_s=delay_s,
        offsets=offsets,
    )


def _times(traffic: Traffic, number: IntArray, key: UIntArray) -> IntArray:
    """int64[n], seconds since 1970."""
    share = (number + upper(mixed(key, "time"))) / traffic.payments
    return seconds_before(traffic, share)


def _agents(
    cast: Cast, traffic: Traffic, number: IntArray, key: UIntArray
) -> tuple[IntArray, UIntArray]:
    """Which kind of payment it is (``cast_merchants.CHECKOUT``, ...), and who pays.

    What is drawn by the second, uint64[n], is the same for every bill of a subscription.
    """
    per_day = traffic.payments / traffic.days
    seed = np.uint64(hash_text(f"subscriptions:{traffic.seed}"))
    kind = np.full(len(number), CHECKOUT, np.int64)
    agent = key
    shares = cast.merchants.shares
    # Where the places of a week and of a month meet, the month's bill is the one that is due.
    for billing, days in ((WEEKLY, WEEK_DAYS), (MONTHLY, MONTH_DAYS)):
        place = number % max(1, round(per_day * days))
        subscription = mixed(with_number(seed, place), f"billing {billing}")
        share = shares[billing] if billing == MONTHLY else shares[billing] / (1 - shares[MONTHLY])
        due = upper(subscription) < share
        kind[due] = billing
        agent = np.where(due, mixed(subscription, "of"), agent)
    return kind, agent


def _cards(cast: Cast, merchant: IntArray, uniform: FloatArray, hashes: UIntArray) -> IntArray:
    step = (uniform * STEPS).astype(np.int64)
    country = cast.merchants.pick_country.ravel()[merchant * STEPS + step]
    within = (upper(hashes) * cast.cards.number[country]).astype(np.int64)
    return np.asarray(cast.cards.first[country] + within)


def _context(
    cast: Cast,
    seconds: IntArray,
    kind: IntArray,
    merchant: IntArray,
    card: IntArray,
    log_size: FloatArray,
    fraud: BoolArray,
    tested: BoolArray,
    key: UIntArray,
    what: UIntArray,
) -> dict[str, Column]:
    n = len(card)
    merchants, products = cast.merchants, cast.products
    product = cast.cards.product[card].astype(np.int64)
    country = products.country[product]
    checkout = kind == CHECKOUT
    amount = np.maximum(np.round(np.exp(merchants.log_median[merchant] + log_size)), 1.0)
    stored = np.where(checkout, TOKEN_AT_CHECKOUT, merchants.token[merchant])
    token = (lower(what) < stored) & ~tested
    drawn = mixed(key, "at the checkout")
    three_ds = checkout & (upper(drawn) < _THREE_DS[country]) & ~fraud
    noise = SCORE_SPREAD * lower_normal(drawn)
    score = 1.0 / (1.0 + np.exp(-(SCORE_BASE + SCORE_OF_FRAUD * fraud + noise)))
    local = seconds + cast.offset_s[country]
    hour = hour_of_week(local)
    lost = np.round(amount * merchants.months[merchant])
    none = np.full(n, -1, np.int32)
    missing = np.full(n, np.nan)
    return {
        "merchant_id": _named(merchants.names, merchant),
        "card_ref": card_refs(card),
        "bin": _named(products.bins, product),
        "issuer": _named(cast.issuers.names, products.issuer[product]),
        "network": _named(NETWORKS, products.network[product]),
        "funding": _named(FUNDINGS, products.funding[product]),
        "issuer_country": _named(CODES, country),
        "merchant_country": _named(CODES, merchants.country[merchant]),
        "currency": _named(CURRENCY_NAMES, merchants.currency[merchant]),
        "amount_minor": amount,
        "mcc": _mccs(merchants.mccs, merchant),
        "initiator": _named(INITIATORS, np.where(checkout, CIT, MIT)),
        "token": token.astype(np.float64),
        "three_ds": three_ds.astype(np.float64),
        "local_hour": (hour % 24).astype(np.float64),
        "local_day": (hour // 24 + 1).astype(np.float64),
        "previous_route": Categorical(none, cast.route_names),
        "previous_response_code": Categorical(none, RESPONSE_CODES),
        "previous_advice_code": Categorical(none, ADVICE_CODES),
        "seconds_since_first_attempt": missing,
        "seconds_since_last_attempt": missing,
        "card_declines_24h": np.zeros(n),
        "card_attempts_30d": np.zeros(n),
        "seconds_to_deadline": np.where(checkout, np.nan, merchants.grace_s[merchant]),
        "fraud_score": score,
        "churn_value_minor": np.where(checkout, np.nan, lost),
        DATA_UPDATED: np.zeros(n),
    }


def _named(names: tuple[str, ...], codes: IntArray) -> Categorical:
    return Categorical(codes.astype(np.int32), names)


def _mccs(mccs: tuple[str, ...], merchant: IntArray) -> Categorical:
    distinct = tuple(dict.fromkeys(mccs))
    table: CodeArray = np.array([distinct.index(mcc) for mcc in mccs], np.int32)
    return Categorical(table[merchant], distinct)


def _tested(traffic: Traffic, attack: Attack, seconds: IntArray, key: UIntArray) -> BoolArray:
    """bool[n], arrivals that are card testers' instead."""
    within = (seconds >= attack.start_s) & (seconds < attack.end_s)
    if not within.any():
        return within
    ends = share_before(traffic, np.array([attack.start_s, attack.end_s]))
    arrive = (ends[1] - ends[0]) * traffic.payments
    share = attack.payments / max(arrive, 1e-9)
    drawn = mixed(key, f"attack {attack.start_s} {attack.merchant}")
    return np.asarray(within & (upper(drawn) < share))


def _tested_cards(
    cast: Cast, attack: Attack, card: IntArray, tested: BoolArray, key: UIntArray
) -> IntArray:
    deck = attack.cards if len(attack.cards) else np.arange(len(cast.cards.product))
    rows = np.flatnonzero(tested)
    at = (upper(mixed(key[rows], "tested card")) * len(deck)).astype(np.int64)
    card = card.copy()
    card[rows] = deck[at]
    return card


def _with_attack(
    ids: pa.StringArray, number: IntArray, seed: int, tested: BoolArray
) -> pa.StringArray:
    both = pa.concat_arrays([ids, payment_ids(number, seed, attack=True)])
    return both.take(pa.array(np.arange(len(ids)) + len(ids) * tested))
