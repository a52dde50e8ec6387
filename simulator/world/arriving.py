"""When payments arrive: the intensity over time, and its inverse. The shapes are invented.

A traffic of a day or more follows the hours of the day (UTC), the days of the week and the months;
a shorter one is even. Past its end, it begins again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from authopt.batch import FloatArray, IntArray
from simulator.traffic import Traffic

_HOUR_S = 3_600
_DAY_S = 86_400
_HOURS = np.array(
    [3, 2, 2, 2, 2, 3, 4, 5, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 7, 6, 4], np.float64
)
_WEEKDAYS = np.array([0.98, 0.97, 0.98, 1.0, 1.08, 1.05, 0.94])
_MONTHS = np.array([0.94, 0.93, 0.97, 0.98, 0.99, 0.98, 0.98, 0.99, 0.99, 1.0, 1.12, 1.22])


@lru_cache(maxsize=32)
def _knots(start: np.datetime64, days: float) -> tuple[FloatArray, FloatArray]:
    """Seconds from the start, and the share of the payments that arrive before each."""
    length = days * _DAY_S
    if days < 1:
        return np.array([0.0, length]), np.array([0.0, 1.0])
    start_s = int(start.astype("M8[s]").astype(np.int64))
    hour = np.arange(start_s // _HOUR_S, int(np.ceil((start_s + length) / _HOUR_S)))
    at = np.clip(np.append(hour, hour[-1] + 1) * _HOUR_S - start_s, 0.0, length)
    month = (hour * _HOUR_S).astype("M8[s]").astype("M8[M]").astype(np.int64) % 12
    weight = _HOURS[hour % 24] * _WEEKDAYS[(hour // 24 + 3) % 7] * _MONTHS[month]
    share = np.cumsum(weight * np.diff(at))
    return at, np.concatenate([[0.0], share / share[-1]])


def seconds_before(traffic: Traffic, share: FloatArray) -> IntArray:
    """int64[n], the times (seconds since 1970) before which these shares of payments arrive."""
    at, knots = _knots(traffic.start, traffic.days)
    again = np.floor(share)
    within = np.interp(share - again, knots, at)
    return _start_s(traffic) + (within + again * (traffic.days * _DAY_S)).astype(np.int64)


def share_before(traffic: Traffic, seconds: IntArray) -> FloatArray:
    """float64[n], the shares of payments that arrive before these times (seconds since 1970)."""
    at, knots = _knots(traffic.start, traffic.days)
    since = np.maximum(seconds - _start_s(traffic), 0)
    again, within = np.divmod(since, traffic.days * _DAY_S)
    return np.asarray(again + np.interp(within, at, knots))


def _start_s(traffic: Traffic) -> int:
    return int(traffic.start.astype("M8[s]").astype(np.int64))
