"""The decision point that follows a decline on a course that the log did not take.

It is made after a donor: a logged decline that is as like as can be found. Whether the payment goes
on at all, after how long, and with which actions to choose from is the donor's. What the context
says of the past is this payment's own.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from authopt.batch import (
    Categorical,
    Column,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
    TimeArray,
)
from authopt.durations import DAY_S
from authopt.rules import DATA_UPDATED
from simulator.replay.logged_payments import LoggedPayments, sent_at

_PREVIOUS = {
    "previous_response_code": "response_code",
    "previous_advice_code": "advice_code",
}


def following_like(log: LoggedPayments, batch: LoggedBatch, donor: IntArray) -> DecisionBatch:
    """Decision points after the declines of a batch, as the donors' payments went on.

    A payment does not go on where its donor's did not, past its deadline, or past the largest
    attempt number of the log.

    Parameters
    ----------
    log
        of which the donors are.
    batch
        k decisions with the log's ids, the actions taken, and their outcomes: declines.
    donor
        int64[k], rows of the log; -1 where there is none.
    """
    next_row = log.next_row(donor)
    goes_on = (next_row >= 0) & (batch.attempt < log.batch.attempt.max())
    rows = np.flatnonzero(goes_on)
    batch, donor, next_row = batch.take(rows), donor[rows], next_row[rows]
    sent = sent_at(batch)
    gap = log.batch.decided_at[next_row] - log.sent_at[donor]
    decided_at = sent + np.maximum(gap, np.timedelta64(0, "us"))
    offered = log.batch.take(next_row)
    context = {
        **batch.context,
        **_told_by_donor(log.batch, batch, donor, next_row),
        **_own_past(batch, sent, decided_at),
        **_local_time(batch, decided_at),
    }
    points = DecisionBatch(
        decision_id=pa.array(
            [
                f"{payment}~{attempt + 1}"
                for payment, attempt in zip(
                    batch.payment_id.to_pylist(), batch.attempt.tolist(), strict=True
                )
            ],
            pa.string(),
        ),
        payment_id=batch.payment_id,
        attempt=(batch.attempt + 1).astype(np.int32),
        decided_at=decided_at,
        context={name: context[name] for name in batch.context},
        routes=offered.routes,
        action_route=offered.action_route,
        action_delay_s=offered.action_delay_s,
        offsets=offered.offsets,
        action_features=offered.action_features,
    )
    in_vain = _number(points, "seconds_to_deadline") < 0
    if in_vain.any():
        points = points.take(np.flatnonzero(~in_vain))
    return points


def _own_past(batch: LoggedBatch, sent: TimeArray, decided_at: TimeArray) -> dict[str, Column]:
    """What the context says of the attempt just made and of those before it."""
    since_sent = _seconds(decided_at - sent)
    elapsed = _seconds(decided_at - batch.decided_at)
    before = _number(batch, "seconds_since_first_attempt")
    past: dict[str, Column] = {
        "previous_route": Categorical(batch.action_route[batch.chosen_action], batch.routes),
        "seconds_since_last_attempt": np.floor(since_sent),
        "seconds_since_first_attempt": np.floor(
            np.where(np.isfinite(before), before + elapsed, since_sent)
        ),
        "card_declines_24h": np.where(elapsed < DAY_S, _number(batch, "card_declines_24h"), 0.0)
        + (since_sent < DAY_S),
        "card_attempts_30d": _number(batch, "card_attempts_30d") + 1,
        "seconds_to_deadline": np.floor(_number(batch, "seconds_to_deadline") - elapsed),
    }
    for name, of_outcome in _PREVIOUS.items():
        code = batch.outcome.get(of_outcome)
        nothing = Categorical(np.full(batch.n, -1, np.int32), ())
        past[name] = nothing if code is None else code
    return past


def _told_by_donor(
    log: LoggedBatch, batch: LoggedBatch, donor: IntArray, next_row: IntArray
) -> dict[str, Column]:
    """What happened between two attempts: the data corrected, the cardholder authenticated."""
    told: dict[str, Column] = {}
    updated = log.context.get(DATA_UPDATED)
    if isinstance(updated, np.ndarray):
        told[DATA_UPDATED] = updated[next_row]
    three_ds = log.context.get("three_ds")
    if isinstance(three_ds, np.ndarray):
        authenticated = (three_ds[donor] == 0) & (three_ds[next_row] == 1)
        told["three_ds"] = np.where(authenticated, 1.0, _number(batch, "three_ds"))
    return told


def _local_time(batch: LoggedBatch, decided_at: TimeArray) -> dict[str, Column]:
    """Hour and day where the cardholder is, by the difference from UTC that the last ones show."""
    hour, day = _number(batch, "local_hour"), _number(batch, "local_day")
    utc = _hours(batch.decided_at)
    ahead = (hour - utc) % 24
    same_day = _weekday(utc + ahead) == day
    # No place is more than 14 hours ahead of UTC.
    ahead = np.where(np.isfinite(day), np.where(same_day, ahead, ahead - 24),
                     np.where(ahead > 14, ahead - 24, ahead))  # fmt: skip
    local = _hours(decided_at) + ahead
    return {"local_hour": local % 24, "local_day": _weekday(local) + 0 * day}


def _hours(times: TimeArray) -> FloatArray:
    return np.asarray(times.astype("M8[h]").astype(np.int64), np.float64)


def _weekday(hours: FloatArray) -> FloatArray:
    """ISO day of the week; 1 January 1970 was a Thursday."""
    return (np.floor(hours / 24) + 3) % 7 + 1


def _seconds(span: np.ndarray) -> FloatArray:
    return np.asarray(span.astype("m8[us]").astype(np.int64) / 1e6)


def _number(batch: DecisionBatch, name: str) -> FloatArray:
    column = batch.context.get(name)
    return np.asarray(column) if isinstance(column, np.ndarray) else np.full(batch.n, np.nan)
