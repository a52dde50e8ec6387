"""The decision points that follow declines."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, DecisionBatch, LoggedBatch, take_column
from authopt.hashing import UIntArray, hash_strings
from authopt.rules import DATA_UPDATED
from simulator.context_columns import codes_of, numbers_of
from simulator.world.arrivals import CIT
from simulator.world.attempts import (
    CURRENCY_NAMES,
    INITIATORS,
    MIT,
    asks_for_authentication,
    fraudulent,
)
from simulator.world.card_data import data_corrected, data_keys, mistyped, stored_as_old
from simulator.world.cast import Cast
from simulator.world.clocks import DAY_S, hour_of_week
from simulator.world.countries import CODES
from simulator.world.identifiers import card_numbers, decision_ids
from simulator.world.keyed import lower, mixed
from simulator.world.offers import Offers

AUTHENTICATES = 0.86
"""Share of cardholders who authenticate when they are asked to; no thief does. Invented."""

_AUTHENTICATION_S = 45
_TYPING_S = 40


def following(cast: Cast, offers: Offers, batch: LoggedBatch) -> DecisionBatch:
    """The decision points after the declines of decisions with their outcomes.

    ``card_declines_24h`` counts the payment's own declines, up to where a day goes by without one;
    ``card_attempts_30d`` counts its own attempts. A subscription has none once its deadline passed.
    """
    initiator = codes_of(batch, "initiator", INITIATORS)
    chosen = batch.chosen_action
    delay_s = batch.action_delay_s[chosen]
    response, advice = batch.outcome["response_code"], batch.outcome["advice_code"]
    assert isinstance(response, Categorical)
    assert isinstance(advice, Categorical)
    open_ = (response.codes >= 0) & (np.asarray(batch.outcome["approved"]) == 0.0)
    open_ &= batch.attempt < offers.most_attempts[initiator]
    rows = np.flatnonzero(open_)
    rows = rows[~(numbers_of(batch, "seconds_to_deadline")[rows] <= delay_s[rows])]
    payment_id = batch.payment_id.take(pa.array(rows))
    key = hash_strings(payment_id)
    asked = asks_for_authentication(response[rows], advice[rows])
    asked &= (initiator[rows] == CIT) & (numbers_of(batch, "three_ds")[rows] == 0)
    some = np.flatnonzero(asked)
    if len(some):
        merchant = codes_of(batch, "merchant_id", cast.merchants.names)[rows[some]]
        checkout = np.zeros(len(some), np.bool_)
        thief = fraudulent(cast, payment_id.take(pa.array(some)), key[some], merchant, checkout)
        goes = thief | (lower(mixed(key[some], "authentication")) >= AUTHENTICATES)
        stays = np.ones(len(rows), np.bool_)
        stays[some[goes]] = False
        rows, key, asked = rows[stays], key[stays], asked[stays]
        payment_id = payment_id.take(pa.array(np.flatnonzero(stays)))
    return _points(cast, offers, batch, rows, payment_id, key, asked)


def _points(
    cast: Cast,
    offers: Offers,
    batch: LoggedBatch,
    rows: np.ndarray,
    payment_id: pa.StringArray,
    key: UIntArray,
    asked: np.ndarray,
) -> DecisionBatch:
    chosen = batch.chosen_action[rows]
    delay_s = batch.action_delay_s[chosen]
    last = {name: take_column(column, rows) for name, column in batch.context.items()}
    sent_s = batch.decided_at[rows].astype("M8[s]").astype(np.int64) + delay_s
    answered_s = sent_s + np.ceil(np.asarray(batch.outcome["latency_ms"])[rows] / 1000)
    initiator = codes_of(batch, "initiator", INITIATORS)[rows]
    first = batch.attempt[rows] == 1
    mended = np.zeros(len(rows), np.bool_)
    some = np.flatnonzero(first)
    if len(some):
        mended[some] = _mended(cast, batch, rows[some], key[some], sent_s[some], initiator[some])
    typing = mended & (initiator == CIT)
    decided_s = (answered_s + _AUTHENTICATION_S * asked + _TYPING_S * typing).astype(np.int64)
    since_last = (decided_s - sent_s).astype(np.float64)
    passed = delay_s + since_last
    before = np.asarray(last["seconds_since_first_attempt"])
    country = codes_of(batch, "issuer_country", CODES)[rows]
    hour = hour_of_week(decided_s + cast.offset_s[country])
    declines = np.asarray(last["card_declines_24h"])
    attempt = (batch.attempt[rows] + 1).astype(np.int32)
    context: dict[str, Column] = {
        **last,
        "three_ds": np.where(asked, 1.0, np.asarray(last["three_ds"])),
        "local_hour": (hour % 24).astype(np.float64),
        "local_day": (hour // 24 + 1).astype(np.float64),
        "previous_route": _routes(cast, batch, chosen),
        "previous_response_code": take_column(batch.outcome["response_code"], rows),
        "previous_advice_code": take_column(batch.outcome["advice_code"], rows),
        "seconds_since_first_attempt": np.where(first, since_last, before + passed),
        "seconds_since_last_attempt": since_last,
        "card_declines_24h": np.where(delay_s >= DAY_S, 0.0, declines) + 1.0,
        "card_attempts_30d": (attempt - 1).astype(np.float64),
        "seconds_to_deadline": np.maximum(np.asarray(last["seconds_to_deadline"]) - passed, 0.0),
        DATA_UPDATED: (asked | mended).astype(np.float64),
    }
    currency = codes_of(batch, "currency", CURRENCY_NAMES)[rows]
    route, delays, offsets = offers.of(currency, initiator, decided_s, retry=True)
    return DecisionBatch(
        decision_id=decision_ids(payment_id, attempt),
        payment_id=payment_id,
        attempt=attempt,
        decided_at=decided_s.astype("M8[s]").astype("M8[us]"),
        context=context,
        routes=offers.routes,
        action_route=route,
        action_delay_s=delays,
        offsets=offsets,
    )


def _routes(cast: Cast, batch: LoggedBatch, chosen: np.ndarray) -> Categorical:
    taken = Categorical(batch.action_route[chosen], batch.routes)
    return Categorical(taken.recode(cast.route_names), cast.route_names)


def _mended(
    cast: Cast,
    batch: LoggedBatch,
    rows: np.ndarray,
    key: UIntArray,
    sent_s: np.ndarray,
    initiator: np.ndarray,
) -> np.ndarray:
    """bool[k], data that the first attempt found bad were corrected after it."""
    card_ref = batch.context["card_ref"]
    assert isinstance(card_ref, pa.Array)
    card = card_numbers(card_ref.take(pa.array(rows)))
    product = cast.cards.product[card].astype(np.int64)
    is_mit = initiator == MIT
    data = data_keys(key)
    old = stored_as_old(data, is_mit, numbers_of(batch, "token")[rows])
    bad = old & cast.latent.renewed(card, sent_s)
    bad |= ~is_mit & mistyped(data)
    return bad & data_corrected(cast, key, cast.products.issuer[product], is_mit)
