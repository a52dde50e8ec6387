"""What the attempts of a batch rest on, read from its ids and its context, one row a decision.

A card is known by its number in ``card_ref``; issuer, network, funding and country follow from it.
Amount, currency, merchant, initiator, token, 3-D Secure and the history are those of the context.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, IntArray
from authopt.hashing import UIntArray, hash_strings
from authopt.payments import Initiator
from simulator.context_columns import codes_of, numbers_of, places_in
from simulator.world.card_data import card_data
from simulator.world.cast import Cast
from simulator.world.codes import ADVICE_CODES, REFUSED_CODES, RESPONSE_CODES, SUSPECTED_CODES
from simulator.world.countries import CURRENCIES
from simulator.world.identifiers import card_numbers, of_attack
from simulator.world.keyed import lower, upper_normal
from simulator.world.latent import Latent

INITIATORS = tuple(each.value for each in Initiator)
MIT = INITIATORS.index(Initiator.MIT)
CURRENCY_NAMES = tuple(CURRENCIES)

BASE = 6.9
"""Log odds of approval, set so that declines are as frequent as published."""

FRAILTY = 2.9
"""Standard deviation of what an issuer thinks of a payment, on whichever route, log odds."""

FRAUD_LEFT = 0.35
"""How much of a fraudulent payment's disadvantage remains with 3-D Secure."""

CHOSEN_CARD = 1.4
"""Added to the log of a balance at a checkout: cardholders take a card that has the money."""


@dataclass(frozen=True, slots=True, eq=False)
class Attempts:
    """Arrays over the n decisions of a batch.

    Attributes
    ----------
    key
        uint64, of what is drawn for the payment.
    card, product, issuer, country, funding, merchant, currency
        int64, places in the cast.
    recurring, three_ds, token
        float64, 0 or 1.
    fraud
        bool, a fraudster's payment.
    decided_s, offset_s
        int64, time of decision, and the card's local time from UTC, seconds.
    amount_minor
        float64, minor units of the currency.
    log_due, log_size
        log of the balance (US dollars) that the amount asks for, and log of the amount against the
        merchant's median.
    previous_route
        int64, -1 at a first attempt.
    since_last_s, declines_24h
        0 at a first attempt.
    held_same, held_other, fade_rate
        log odds that the last refusal costs by route, and 1 / s at which that fades.
    step_up
        chance that the issuer asks for authentication.
    score
        log odds of approval that depend neither on the route nor on the time.
    refuses
        bool, the mandate is revoked or the data are wrong.
    stored_old, stored_gone
        bool, an expired and replaced, or a lost, stolen or closed card would be met as such.
    """

    key: UIntArray
    card: IntArray
    product: IntArray
    issuer: IntArray
    country: IntArray
    funding: IntArray
    merchant: IntArray
    currency: IntArray
    recurring: FloatArray
    three_ds: FloatArray
    token: FloatArray
    fraud: BoolArray
    decided_s: IntArray
    offset_s: IntArray
    amount_minor: FloatArray
    log_due: FloatArray
    log_size: FloatArray
    previous_route: IntArray
    since_last_s: FloatArray
    declines_24h: FloatArray
    held_same: FloatArray
    held_other: FloatArray
    fade_rate: FloatArray
    step_up: FloatArray
    score: FloatArray
    refuses: BoolArray
    stored_old: BoolArray
    stored_gone: BoolArray

    def blocked(self, latent: Latent, decision: IntArray | slice, seconds: IntArray) -> BoolArray:
        """bool[k], card or data let no attempt of these decisions pass at a time (UTC)."""
        card = self.card[decision]
        blocked = self.refuses[decision].copy()
        some = np.flatnonzero(self.stored_old[decision])
        blocked[some] |= latent.renewed(card[some], seconds[some])
        some = np.flatnonzero(self.stored_gone[decision])
        blocked[some] |= latent.gone(card[some], seconds[some])
        return np.asarray(blocked)


def attempts_of(cast: Cast, batch: DecisionBatch) -> Attempts:
    """Read a batch.

    Raises
    ------
    ValueError
        If a card, an issuer or a merchant is not of this world.
    """
    key = hash_strings(batch.payment_id)
    card = card_numbers(_strings(batch, "card_ref"))
    _check("card_ref", (card < 0) | (card >= len(cast.cards.product)))
    merchant = codes_of(batch, "merchant_id", cast.merchants.names)
    _check("merchant_id", merchant < 0)
    currency = codes_of(batch, "currency", CURRENCY_NAMES)
    _check("currency", currency < 0)
    product = cast.cards.product[card].astype(np.int64)
    issuer = cast.products.issuer[product]
    named = batch.context.get("issuer")
    if isinstance(named, Categorical) and named.categories is not cast.issuers.names:
        _check("issuer", named.recode(cast.issuers.names) != issuer)
    country = cast.products.country[product]
    is_mit = codes_of(batch, "initiator", INITIATORS) == MIT
    three_ds, token = numbers_of(batch, "three_ds"), numbers_of(batch, "token")
    amount_minor = numbers_of(batch, "amount_minor")
    log_amount = np.log(np.maximum(amount_minor, 1.0))
    fraud = fraudulent(cast, batch.payment_id, key, merchant, is_mit)
    refuses, stored_old, stored_gone = card_data(cast, batch.attempt, key, issuer, is_mit, token)
    recurring = is_mit.astype(np.float64)
    log_size = log_amount - cast.merchants.log_median[merchant]
    issuers = cast.issuers
    score = BASE + FRAILTY * upper_normal(key)
    score += cast.merchants.by_issuer.ravel()[merchant * len(issuers.names) + issuer]
    score += issuers.amount[issuer] * log_size + issuers.three_ds[issuer] * three_ds
    score += issuers.token[issuer] * token + issuers.recurring[issuer] * recurring
    if fraud.any():
        some = np.flatnonzero(fraud)
        score[some] += issuers.skill[issuer[some]] * np.where(three_ds[some] == 1, FRAUD_LEFT, 1.0)
    later = _History.of(cast, batch, issuer, three_ds)
    return Attempts(
        key=key,
        card=card,
        product=product,
        issuer=issuer,
        country=country,
        funding=cast.products.funding[product],
        merchant=merchant,
        currency=currency,
        recurring=recurring,
        three_ds=three_ds,
        token=token,
        fraud=fraud,
        decided_s=batch.decided_at.astype("M8[s]").astype(np.int64),
        offset_s=cast.offset_s[country],
        amount_minor=amount_minor,
        log_due=log_amount - cast.log_minor[currency] - CHOSEN_CARD * (1.0 - recurring),
        log_size=log_size,
        previous_route=later.previous_route,
        since_last_s=later.since_last_s,
        declines_24h=later.declines_24h,
        held_same=later.held_same,
        held_other=later.held_other,
        fade_rate=1.0 / issuers.fade_s[issuer],
        step_up=cast.step_up[product] * (1.0 - recurring) * (1.0 - three_ds),
        score=score,
        refuses=refuses,
        stored_old=stored_old,
        stored_gone=stored_gone,
    )


def fraudulent(
    cast: Cast, payment_id: pa.StringArray, key: UIntArray, merchant: IntArray, is_mit: BoolArray
) -> BoolArray:
    """bool[k], a fraudster pays; ``key`` is the hash of ``payment_id``."""
    own = ~is_mit & (lower(key) < cast.merchants.fraud[merchant])
    return np.asarray(own | of_attack(payment_id))


@dataclass(frozen=True, slots=True, eq=False)
class _History:
    """What a payment's own attempts did, from the context; all zero where all are first ones."""

    previous_route: IntArray
    since_last_s: FloatArray
    declines_24h: FloatArray
    held_same: FloatArray
    held_other: FloatArray

    @classmethod
    def of(
        cls, cast: Cast, batch: DecisionBatch, issuer: IntArray, three_ds: FloatArray
    ) -> _History:
        n = batch.n
        if not n or int(batch.attempt.max()) == 1:
            zero = np.zeros(n)
            return cls(np.full(n, -1, np.int64), zero, zero, zero, zero)
        code = codes_of(batch, "previous_response_code", RESPONSE_CODES)
        authenticated = (code == _ASKS) & (three_ds == 1)
        weight = np.where(authenticated, 0.0, _HELD[code])
        return cls(
            codes_of(batch, "previous_route", cast.route_names),
            np.where(batch.attempt > 1, numbers_of(batch, "seconds_since_last_attempt"), 0.0),
            np.where(batch.attempt > 1, numbers_of(batch, "card_declines_24h"), 0.0),
            weight * cast.issuers.held_same[issuer],
            weight * cast.issuers.held_other[issuer],
        )


_ASKS = RESPONSE_CODES.index("83")
_HELD = np.array(
    [
        *(1.0 * (each in REFUSED_CODES) + 1.5 * (each in SUSPECTED_CODES)
          for each in RESPONSE_CODES),
        0.0,
    ]
)  # fmt: skip
"""How much a response code is held against the next attempt, by code; 0 where there is none."""


def asks_for_authentication(response: Categorical, advice: Categorical) -> BoolArray:
    """bool[n], response codes that call the cardholder to authenticate: 1A; 65 or 83 with 01."""
    code = places_in(response, RESPONSE_CODES)
    with_advice = (code == RESPONSE_CODES.index("65")) | (code == _ASKS)
    with_advice &= places_in(advice, ADVICE_CODES) == ADVICE_CODES.index("01")
    return np.asarray((code == RESPONSE_CODES.index("1A")) | with_advice)


def _strings(batch: DecisionBatch, name: str) -> pa.StringArray:
    column = batch.context.get(name)
    if not isinstance(column, pa.Array):
        raise ValueError(f"the batch has no column {name!r}, so its cards are not known")
    return column


def _check(name: str, strange: BoolArray) -> None:
    if strange.any():
        row = int(np.flatnonzero(strange)[0])
        raise ValueError(f"row {row}, column {name!r}: not of this world")
