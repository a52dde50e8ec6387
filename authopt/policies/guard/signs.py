"""What the outcome of an attempt says about the route it was sent by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from authopt.batch import Categorical, IntArray, LoggedBatch
from authopt.rules.tables import canonical


class Sign(IntEnum):
    """Of one outcome."""

    APPROVED = 0
    DECLINED = 1
    """By a code that may be the route's doing or not."""
    ABOUT_THE_CARD = 2
    """Declined for a reason that only the issuer can know: the route has reached it."""
    FAILED = 3
    """The route or the network's switch failed."""
    UNREACHABLE = 4
    """The issuer did not answer, for whichever reason."""


FAILURES = frozenset({"06", "28", "68", "90", "92", "96", "98"})
"""Error, file unavailable, late answer, cut-off, cannot route, malfunction (ISO 8583; the meanings
are those of ``authopt/rules/response_codes.csv``)."""

UNREACHABLE = frozenset({"91"})
"""Issuer or switch inoperative."""

ABOUT_THE_CARD = frozenset(
    {"04", "07", "14", "33", "36", "41", "43", "46", "51", "54", "55", "61", "65", "75", "78"}
    | {"1A", "6P", "N4", "N7", "R0", "R1", "R3"}
)
"""Funds, limits, expiry, lost and closed cards, wrong data, withdrawn consent."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The attempts of a batch whose outcome is known, by the time of the answer.

    Attributes
    ----------
    row
        int64[k], decision in the batch.
    at_us
        int64[k], microseconds since 1970 at which the answer came, ascending.
    sign
        int64[k] of :class:`Sign`.
    """

    row: IntArray
    at_us: IntArray
    sign: IntArray


def answers_of(batch: LoggedBatch, late_ms: float) -> Answers:
    """The answers in a batch.

    Without a column ``approved`` a reward above 0 counts as an approval; without response codes
    every decline may be the route's doing.
    """
    approved = batch.reward > 0.0
    known = np.isfinite(batch.reward)
    given = batch.outcome.get("approved")
    if isinstance(given, np.ndarray):
        flag = np.asarray(given, np.float64)
        known, approved = np.isfinite(flag), flag > 0.0
    known &= ~batch.is_stop[batch.chosen_action]
    sign = np.where(approved, int(Sign.APPROVED), int(Sign.DECLINED))
    codes = batch.outcome.get("response_code")
    if isinstance(codes, Categorical):
        meaning = np.array([_sign_of(code) for code in codes.categories] + [Sign.DECLINED])
        sign = np.where(approved, sign, meaning[codes.codes])
    latency = batch.outcome.get("latency_ms")
    if isinstance(latency, np.ndarray):
        sign = np.where(np.asarray(latency, np.float64) >= late_ms, int(Sign.FAILED), sign)
    at_us = answered_us(batch)
    row = np.flatnonzero(known)
    row = row[np.argsort(at_us[row], kind="stable")]
    return Answers(row, at_us[row], sign[row].astype(np.int64))


def answered_us(batch: LoggedBatch) -> IntArray:
    """int64[n], microseconds since 1970: when the answer came; when it was sent if not known."""
    delay = batch.action_delay_s[batch.chosen_action].astype("m8[s]")
    sent = batch.decided_at.astype("M8[us]") + delay
    came = batch.outcome.get("outcome_at")
    if isinstance(came, np.ndarray):
        times: npt.NDArray[np.datetime64] = came.astype("M8[us]")
        sent = np.where(np.isnat(times), sent, times)
    return np.asarray(sent.astype(np.int64))


def _sign_of(code: str) -> Sign:
    code = canonical(code)
    if code in FAILURES:
        return Sign.FAILED
    if code in UNREACHABLE:
        return Sign.UNREACHABLE
    return Sign.ABOUT_THE_CARD if code in ABOUT_THE_CARD else Sign.DECLINED
