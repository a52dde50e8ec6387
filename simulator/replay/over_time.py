"""A replay and its log along time: payments by when they arrived, in equal stretches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import Categorical, FloatArray, IntArray, LoggedBatch, TimeArray
from simulator.replay.replayed import Replayed

MOST_STRETCHES = 30
ROWS_PER_STRETCH = 100
"""Decisions of the log that a stretch has on average, at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The replay, or the log, by stretch.

    Attributes
    ----------
    decisions
        int64[stretches].
    approved
        float64[stretches], share of the decisions with a known outcome; NaN where there is none.
    routes
        float64[stretches, routes], share of the decisions that took each; NaN where there is none.
    """

    decisions: IntArray
    approved: FloatArray
    routes: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class OverTime:
    """Stretches of equal length, with all decisions on the payments that arrived in them.

    So both sides of a stretch are the same payments, and late retries are not compared with first
    attempts.

    Attributes
    ----------
    middle
        datetime64[s][stretches].
    routes
        all routes that were taken, the most used ones first; ``stop`` is one of them.
    replay, log
        both on the same payments.
    """

    middle: TimeArray
    routes: tuple[str, ...]
    replay: Side
    log: Side


@dataclass(frozen=True, slots=True, eq=False)
class LatencyOverTime:
    """Milliseconds of decisions by when they were sent; stretches of equal length.

    Attributes
    ----------
    middle_s
        float64[stretches], seconds since the start.
    p50, p99
        float64[stretches], ms; NaN where nothing was sent.
    """

    middle_s: FloatArray
    p50: FloatArray
    p99: FloatArray


def over_time(replayed: Replayed) -> OverTime:
    """Cut the time in which the payments arrived into stretches."""
    log = replayed.log.first(replayed.payments)
    arrived = log.decided_at[replayed.log.start[: replayed.payments]]
    seconds = arrived.astype("M8[s]").astype(np.int64)
    first, last = int(seconds.min()), int(seconds.max())
    count = int(np.clip(log.n // ROWS_PER_STRETCH, 1, MOST_STRETCHES))
    width = (last - first + 1) / count
    stretch = np.minimum(((seconds - first) / width).astype(np.int64), count - 1)
    routes = _most_used(log, replayed.batch)
    middle = first + width * (np.arange(count) + 0.5)
    return OverTime(
        middle=middle.astype(np.int64).astype("M8[s]"),
        routes=routes,
        replay=_side(replayed.batch, stretch[replayed.payment], count, routes),
        log=_side(log, stretch[replayed.log.payment[: log.n]], count, routes),
    )


def latency_over_time(at_s: FloatArray, latency_s: FloatArray) -> LatencyOverTime:
    """Quantiles of the latencies (float64[n], s) of decisions sent ``at_s``."""
    count = int(np.clip(len(at_s) // ROWS_PER_STRETCH, 1, MOST_STRETCHES))
    width = max(float(at_s.max()), 1e-9) / count
    place = np.minimum((at_s / width).astype(np.int64), count - 1)
    p50: FloatArray = np.full(count, np.nan)
    p99: FloatArray = np.full(count, np.nan)
    for stretch in range(count):
        some = 1e3 * latency_s[place == stretch]
        if len(some):
            p50[stretch], p99[stretch] = np.quantile(some, [0.5, 0.99])
    middle_s: FloatArray = width * (np.arange(count, dtype=np.float64) + 0.5)
    return LatencyOverTime(middle_s, p50, p99)


def _side(batch: LoggedBatch, place: IntArray, count: int, routes: tuple[str, ...]) -> Side:
    known = np.isfinite(batch.reward)
    decisions = np.bincount(place, minlength=count)
    approved = np.bincount(place[known], batch.reward[known], count)
    taken = _taken(batch, routes)
    table = np.bincount(place * len(routes) + taken, minlength=count * len(routes))
    return Side(
        decisions,
        _share(approved, np.bincount(place[known], minlength=count)),
        _share(table.reshape(count, -1), decisions[:, None]),
    )


def _share(part: FloatArray | IntArray, whole: IntArray) -> FloatArray:
    share = np.full(part.shape, np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def _most_used(*batches: LoggedBatch) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for batch in batches for name in batch.routes))
    used = sum(np.bincount(_taken(batch, names), minlength=len(names)) for batch in batches)
    order = np.argsort(-np.asarray(used), kind="stable")
    return tuple(names[place] for place in order if np.asarray(used)[place])


def _taken(batch: LoggedBatch, routes: tuple[str, ...]) -> IntArray:
    taken = batch.action_route[batch.chosen_action]
    return Categorical(taken, batch.routes).recode(routes).astype(np.int64)
