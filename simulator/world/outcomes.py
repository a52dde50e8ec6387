"""What comes back from an attempt: approval, codes, latency, fees, and what is corrected later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.batch import BoolArray, Categorical, Column, FloatArray, IntArray, LoggedBatch
from authopt.hashing import UIntArray
from simulator.world.attempts import Attempts
from simulator.world.cast import Cast
from simulator.world.cast_issuers import NETWORKS
from simulator.world.cast_routes import of_routes
from simulator.world.chances import Chances
from simulator.world.codes import (
    ADVICE_CODES,
    GENERIC,
    NETWORK_GROUPS,
    NO_ATTEMPT,
    RESPONSE_CODES,
    Ending,
    codes_of,
    wait_advice,
)
from simulator.world.keyed import lower, lowest_bits, mixed, normal_steps, upper, with_number

LATENCY_SPREAD = 0.35
DISPUTED = 0.75
"""Share of approved fraud that comes back as a chargeback."""
FRIENDLY = 0.0006
"""Share of other approvals that do."""
_DAY_S = 86_400

_SPREAD = np.exp(LATENCY_SPREAD * normal_steps())
_GROUP = np.array([NETWORK_GROUPS.get(name, 2) for name in NETWORKS], np.int64)
_LATENCY = of_routes("latency_ms")
_FIXED, _BASIS_POINTS = of_routes("fixed"), of_routes("basis_points")
_PER_ATTEMPT = of_routes("per_attempt")


def with_outcome(
    cast: Cast,
    batch: LoggedBatch,
    attempts: Attempts,
    chances: Chances,
    made: BoolArray,
    seed: int,
) -> LoggedBatch:
    """The decisions with what came back; giving up is known to bring nothing.

    Parameters
    ----------
    cast
        who takes part.
    batch
        n decisions with the actions taken.
    attempts
        what they rest on.
    chances
        of the n actions; of no meaning where ``made`` (bool[n]) does not hold.
    made, seed
        whether an attempt was made, and of all that is drawn.
    """
    key = mixed(with_number(attempts.key, batch.attempt), f"attempt:{seed}")
    luck = upper(key)
    chance = chances.approval
    approved = made & (luck < chance)
    delay_s = batch.action_delay_s[batch.chosen_action]
    sent_s = attempts.decided_s + delay_s
    response = np.where(approved, RESPONSE_CODES.index("00"), -1)
    advice = np.full(batch.n, -1, np.int64)
    declined = np.flatnonzero(made & ~approved)
    response[declined], advice[declined] = _declines(
        cast, attempts, chances, declined, sent_s[declined], key[declined],
        (luck[declined] - chance[declined]) / (1.0 - chance[declined]),
    )  # fmt: skip
    route = np.where(made, batch.action_route[batch.chosen_action], 0)
    latency_ms = np.round(_LATENCY[route] * _SPREAD[lowest_bits(key)])
    fee = np.where(made, _fees(cast, attempts, route, approved), 0.0)
    known_us = batch.decided_at.astype("M8[us]").astype(np.int64) + delay_s * 1_000_000
    known_us += np.where(made, latency_ms * 1_000, 0.0).astype(np.int64)
    known = known_us.astype("M8[us]")
    outcome: dict[str, Column] = {
        "approved": approved.astype(np.float64),
        "response_code": Categorical(response.astype(np.int32), RESPONSE_CODES),
        "advice_code": Categorical(advice.astype(np.int32), ADVICE_CODES),
        "latency_ms": np.where(made, latency_ms, np.nan),
        "fee_minor": fee,
        "outcome_at": known,
        **_later(cast, batch, attempts, approved, known),
    }
    return replace(batch, outcome=outcome, reward=approved.astype(np.float64))


def _declines(
    cast: Cast,
    attempts: Attempts,
    chances: Chances,
    rows: IntArray,
    sent_s: IntArray,
    key: UIntArray,
    luck: FloatArray,
) -> tuple[IntArray, IntArray]:
    """Response and advice codes of declined attempts; ``luck`` (float64[k]) draws which."""
    ending = _endings(cast, attempts, chances, rows, sent_s, key, luck)
    drawn = mixed(key, "codes")
    group = _GROUP[cast.products.network[attempts.product[rows]]]
    response, advice = codes_of(group, ending, (drawn >> np.uint64(56)).astype(np.int64))
    no_funds = ending == Ending.NO_FUNDS
    hidden = no_funds & (lower(drawn) < cast.issuers.generic[attempts.issuer[rows]])
    advised = np.flatnonzero(no_funds & ~hidden & (group == 1) & (attempts.recurring[rows] == 1))
    if len(advised):
        advice[advised] = _waits(cast, attempts, rows[advised], sent_s[advised], drawn[advised])
    response[hidden], advice[hidden] = GENERIC, -1
    return response, advice


def _endings(
    cast: Cast,
    attempts: Attempts,
    chances: Chances,
    rows: IntArray,
    sent_s: IntArray,
    key: UIntArray,
    luck: FloatArray,
) -> IntArray:
    """How declined attempts end: what is met first, by its share in all that can end them."""
    reached = np.ones(len(rows))
    shares = []
    for chance in chances.before_answer():
        shares.append(reached * chance[rows])
        reached = reached * (1.0 - chance[rows])
    shares.append(reached * (1.0 - chances.approve[rows]))
    edges = np.cumsum(shares, axis=0)
    place = np.minimum((luck * edges[-1] >= edges).sum(axis=0), len(shares) - 1)
    ending: IntArray = _MET[place]
    blocked = np.flatnonzero(place == _BLOCKED)
    if len(blocked):
        ending[blocked] = _block(cast, attempts, rows[blocked], sent_s[blocked])
    answered = np.flatnonzero(place == len(shares) - 1)
    of = rows[answered]
    suspicion = np.where(attempts.fraud[of], 0.7, cast.issuers.suspicion[attempts.issuer[of]])
    suspicion *= np.where(attempts.recurring[of] == 1, 0.8, 1.0)
    suspected = lower(mixed(key[answered], "suspicion")) < suspicion
    ending[answered] = np.where(suspected, Ending.SUSPECTED, Ending.REFUSED)
    return ending


_BLOCKED = 2
_MET = np.array(
    [
        Ending.ROUTE_DOWN,
        Ending.ISSUER_AWAY,
        NO_ATTEMPT,
        Ending.AUTHENTICATE,
        Ending.OVER_VELOCITY,
        Ending.OVER_LIMIT,
        Ending.NO_FUNDS,
        Ending.REFUSED,
    ],
    np.int64,
)
"""Endings in the order of ``Chances.before_answer``, then the issuer's no."""


def _block(cast: Cast, attempts: Attempts, rows: IntArray, sent_s: IntArray) -> IntArray:
    """Which lasting state a blocked attempt meets."""
    card = attempts.card[rows]
    gone = attempts.stored_gone[rows] & cast.latent.gone(card, sent_s)
    kind = lower(mixed(cast.cards.key[card], "gone"))
    how = np.where(kind < 0.45, Ending.LOST, np.where(kind < 0.62, Ending.STOLEN, Ending.CLOSED))
    cvv = upper(mixed(attempts.key[rows], "mistyped")) < 0.57
    typed = np.where(cvv, Ending.WRONG_CVV, Ending.WRONG_NUMBER)
    refuses = np.where(attempts.recurring[rows] == 1, Ending.CANCELLED, typed)
    ending = np.where(gone, how, Ending.EXPIRED)
    return np.where(attempts.refuses[rows], refuses, ending).astype(np.int64)


def _waits(
    cast: Cast, attempts: Attempts, rows: IntArray, sent_s: IntArray, drawn: UIntArray
) -> IntArray:
    """Advice on waiting: by the true payday, a step or two off where the issuer guesses."""
    local_s = sent_s + attempts.offset_s[rows]
    wait_s = cast.latent.until_payday_s(attempts.card[rows], local_s)
    again = mixed(drawn, "advice")
    sure = lower(again) < cast.issuers.advice[attempts.issuer[rows]]
    shift = np.where(sure, 0, (upper(again) * 5).astype(np.int64) - 2)
    return wait_advice(wait_s, shift)


def _fees(cast: Cast, attempts: Attempts, route: IntArray, approved: BoolArray) -> FloatArray:
    """float64[n], fees in whole minor units of the payment's currency."""
    # Fees are set in US cents, and a minor unit need not be a hundredth (the yen's is not).
    minor = np.exp(cast.log_minor)[attempts.currency] / 100
    kept = _FIXED[route] * minor + _BASIS_POINTS[route] / 10_000 * attempts.amount_minor
    return np.asarray(np.round(_PER_ATTEMPT[route] * minor + np.where(approved, kept, 0.0)))


def _later(
    cast: Cast, batch: LoggedBatch, attempts: Attempts, approved: BoolArray, known: np.ndarray
) -> dict[str, Column]:
    """Refunds and chargebacks, as they stand once nothing more can come."""
    drawn = mixed(attempts.key, "later")
    disputed = np.where(attempts.fraud, DISPUTED, FRIENDLY)
    charged_back = approved & (upper(drawn) < disputed)
    paid_back = approved & ~charged_back & ~attempts.fraud
    paid_back &= lower(drawn) < cast.merchants.refunds[attempts.merchant]
    corrected = np.full(batch.n, np.datetime64("NaT"), "M8[us]")
    refunded = np.zeros(batch.n)
    rows = np.flatnonzero(charged_back | paid_back)
    when = upper(mixed(attempts.key[rows], "when"))
    days = np.where(charged_back[rows], 12.0 + 60.0 * when, 1.0 + 25.0 * when)
    corrected[rows] = known[rows] + (days * _DAY_S).astype(np.int64).astype("m8[s]")
    back = np.flatnonzero(paid_back)
    part = upper(mixed(attempts.key[back], "part"))
    amount = attempts.amount_minor[back]
    refunded[back] = np.where(part < 0.75, amount, np.ceil(amount * part))
    return {
        "refunded_minor": refunded,
        "charged_back": charged_back.astype(np.float64),
        "corrected_at": corrected,
    }
