"""Tables by day and by hour: paydays, seasons, and how strictness and strength walk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, IntArray
from simulator.world.keyed import drawn_normal

Float32Array = npt.NDArray[np.float32]

DAY_S = 86_400
FIRST_DAY = int(np.datetime64("2015-01-01").astype(np.int64))
LAST_DAY = int(np.datetime64("2040-12-31").astype(np.int64))
"""Days that the tables know, since 1970; a time outside meets the first or the last of them."""
DAYS = LAST_DAY - FIRST_DAY + 1

WEEKLY_KINDS, BIWEEKLY_KINDS = 7, 14
MONTH_DAYS = (1, 15, 25)
PAYDAY_KINDS = WEEKLY_KINDS + BIWEEKLY_KINDS + len(MONTH_DAYS)
"""Weekly and biweekly paydays by their first day, then those of each month."""

PAID_AT_S = 6 * 3_600
"""A wage is there from this local time on."""


def day_of(seconds: IntArray) -> IntArray:
    """int64[n], places in the tables by day of times in seconds since 1970."""
    return np.clip(seconds // DAY_S - FIRST_DAY, 0, DAYS - 1)


def hour_of_week(seconds: IntArray) -> IntArray:
    """int64[n], hours since Monday 00:00 (0-167) of times in seconds since 1970."""
    # 1 January 1970 was a Thursday.
    return (seconds // 3_600 + 72) % 168


def paydays() -> tuple[Float32Array, Float32Array]:
    """Days since the last payday at the start of each day, and days between the two around it.

    float32[PAYDAY_KINDS, DAYS] each.
    """
    day = np.arange(FIRST_DAY, LAST_DAY + 1)
    since = np.zeros((PAYDAY_KINDS, DAYS), np.float32)
    length = np.ones((PAYDAY_KINDS, DAYS), np.float32)
    for kind in range(WEEKLY_KINDS + BIWEEKLY_KINDS):
        period = WEEKLY_KINDS if kind < WEEKLY_KINDS else BIWEEKLY_KINDS
        since[kind] = (day - kind) % period
        length[kind] = period
    for place, of_month in enumerate(MONTH_DAYS):
        paid = np.arange("2014-11", "2041-03", dtype="M8[M]").astype("M8[D]").astype(np.int64)
        paid = paid + of_month - 1
        last = np.searchsorted(paid, day, side="right") - 1
        since[WEEKLY_KINDS + BIWEEKLY_KINDS + place] = day - paid[last]
        length[WEEKLY_KINDS + BIWEEKLY_KINDS + place] = paid[last + 1] - paid[last]
    return since, length


def december() -> FloatArray:
    """float64[DAYS], 1 in the weeks before Christmas, 0 elsewhere."""
    days = np.arange(FIRST_DAY, LAST_DAY + 1).astype("M8[D]")
    month = days.astype("M8[M]").astype(np.int64) % 12
    of_month = (days - days.astype("M8[M]")).astype(np.int64)
    return np.asarray((month == 11) & (of_month < 25), np.float64)


def walks(seed: int, purpose: str, number: int, spread: float, step_days: int) -> Float32Array:
    """float32[number, steps], slow walks (log odds) with this standard deviation.

    Each returns to its mean with a time constant of eight steps; a step lasts ``step_days``.
    """
    steps = -(-DAYS // step_days)
    keep = float(np.exp(-1 / 8))
    fresh = drawn_normal(seed, purpose, steps, number) * spread * np.sqrt(1 - keep**2)
    walk = np.empty((steps, number))
    walk[0] = fresh[0] / np.sqrt(1 - keep**2)
    for step in range(1, steps):
        walk[step] = keep * walk[step - 1] + fresh[step]
    return np.ascontiguousarray(walk.T.astype(np.float32))
