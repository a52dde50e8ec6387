"""When an attempt would land, per action: what a delay is worth depends on the hour at its end.

The context has the hour and the day of the decision where the cardholder is (``local_hour``,
``local_day``). They say how far that is from UTC, to the hour, and so what a clock there shows when
the attempt is sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, IntArray

ATTEMPT_HOUR, ATTEMPT_DAY, ATTEMPT_DATE = "attempt_hour", "attempt_day", "attempt_date"
SINCE_LAST, SINCE_FIRST = "attempt_since_last_s", "attempt_since_first_s"

CLOCK = (ATTEMPT_HOUR, ATTEMPT_DAY, ATTEMPT_DATE)
"""Hour (0-23), ISO day of the week (1-7) and day of the month (1-31) of the attempt."""

WAITS = {SINCE_LAST: "seconds_since_last_attempt", SINCE_FIRST: "seconds_since_first_attempt"}
"""Seconds from the payment's last and first attempt to this one, and the column they start from."""

HOUR_S, DAY_S = 3_600, 86_400
_THURSDAY = 3
_UNIX_ORDINAL = date(1970, 1, 1).toordinal()


def attempt_times(batch: DecisionBatch) -> Mapping[str, FloatArray]:
    """float64[m] each: ``CLOCK`` and ``WAITS`` of the attempt, NaN where the context lacks what it
    takes; ``stop`` sends no attempt.
    """
    counts, sent = batch.counts, ~batch.is_stop
    local, known = _local_seconds(batch)
    at = np.repeat(local, counts) + batch.action_delay_s
    days = at // DAY_S
    month = (days * DAY_S).astype("M8[s]").astype("M8[M]")
    date_of = days - month.astype("M8[D]").astype(np.int64) + 1
    shown = np.repeat(known, counts) & sent
    found = {
        ATTEMPT_HOUR: np.where(shown, at // HOUR_S % 24, np.nan),
        ATTEMPT_DAY: np.where(shown, (days + _THURSDAY) % 7 + 1, np.nan),
        ATTEMPT_DATE: np.where(shown, date_of, np.nan),
    }
    for name, start in WAITS.items():
        since = np.repeat(_numbers(batch, start), counts) + batch.action_delay_s
        found[name] = np.where(sent, since, np.nan)
    return found


def attempt_times_of_one(batch: DecisionBatch, delays: list[int]) -> Mapping[str, list[float]]:
    """As :func:`attempt_times` for a batch of one, without arrays; ``stop`` is not told apart."""
    hour, day = _one_number(batch, "local_hour"), _one_number(batch, "local_day")
    found: dict[str, list[float]] = {}
    if 0 <= hour < 24:
        utc = batch.decided_at.astype("M8[s]").astype(np.int64).item(0)
        local = utc + ((math.floor(hour) - utc // HOUR_S + 12) % 24 - 12) * HOUR_S
        if 1 <= day < 8:
            shown = (local // DAY_S + _THURSDAY) % 7 + 1
            local += ((math.floor(day) - shown + 3) % 7 - 3) * DAY_S
        at = [local + delay for delay in delays]
        found[ATTEMPT_HOUR] = [each // HOUR_S % 24 for each in at]
        found[ATTEMPT_DAY] = [(each // DAY_S + _THURSDAY) % 7 + 1 for each in at]
        found[ATTEMPT_DATE] = [date.fromordinal(_UNIX_ORDINAL + each // DAY_S).day for each in at]
    for name, start in WAITS.items():
        since = _one_number(batch, start)
        found[name] = [since + delay for delay in delays]
    return found


def _local_seconds(batch: DecisionBatch) -> tuple[IntArray, BoolArray]:
    """int64[n], seconds since 1970 as a clock shows them there; bool[n], where that is known."""
    hour, day = _numbers(batch, "local_hour"), _numbers(batch, "local_day")
    known, day_known = (hour >= 0) & (hour < 24), (day >= 1) & (day < 8)
    utc = batch.decided_at.astype("M8[s]").astype(np.int64)
    hour_there = np.floor(np.where(known, hour, 0.0)).astype(np.int64)
    # The shift that moves the clock least; the day of the week settles what lies beyond 12 hours.
    local = utc + ((hour_there - utc // HOUR_S + 12) % 24 - 12) * HOUR_S
    shown = (local // DAY_S + _THURSDAY) % 7 + 1
    day_there = np.floor(np.where(day_known, day, 0.0)).astype(np.int64)
    behind = np.where(day_known, (day_there - shown + 3) % 7 - 3, 0)
    return local + behind * DAY_S, known


def _numbers(batch: DecisionBatch, name: str) -> FloatArray:
    column = batch.context.get(name)
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return np.where(np.isfinite(column), np.asarray(column, np.float64), np.nan)
    return np.full(batch.n, np.nan)


def _one_number(batch: DecisionBatch, name: str) -> float:
    column = batch.context.get(name)
    if isinstance(column, np.ndarray) and column.dtype.char == "d":
        value = float(column[0])
        return value if math.isfinite(value) else math.nan
    return math.nan
