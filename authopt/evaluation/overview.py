"""The log at a glance: overlap by route, and the logged reward over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from authopt.evaluation.log_sums import LogSums
from authopt.evaluation.result import RouteOverlap, TimeBin

MOST_TIME_BINS = 120
BIN_HOURS = (1, 6, 24, 7 * 24, 30 * 24, 91 * 24)


def route_overlap(
    log: LogSums, masses: Mapping[str, Mapping[str, float]]
) -> tuple[RouteOverlap, ...]:
    """How often each route was eligible and taken, and how much each policy wants it.

    Parameters
    ----------
    log
        sums of the log.
    masses
        by policy and route: the sum of the policy's probabilities.
    """
    return tuple(
        RouteOverlap(
            route=route,
            eligible=log.eligible[route] / log.rows,
            logged=taken / log.rows,
            logging=None if log.without_probabilities else log.logging[route] / log.rows,
            evaluation={name: mass.get(route, 0.0) / log.rows for name, mass in masses.items()},
        )
        for route, taken in log.taken.most_common()
        if log.eligible[route]
    )


def reward_over_time(log: LogSums) -> tuple[TimeBin, ...]:
    """The log's reward by equal stretches of time."""
    if not log.hours:
        return ()
    hours = np.array(sorted(log.hours))
    span = hours[-1] - hours[0]
    step = next((step for step in BIN_HOURS if span / step < MOST_TIME_BINS), BIN_HOURS[-1])
    bins: dict[int, tuple[int, float]] = {}
    for hour in hours.tolist():
        rows, total = log.hours[hour]
        before = bins.get(hour // step, (0, 0.0))
        bins[hour // step] = (before[0] + rows, before[1] + total)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return tuple(
        TimeBin(epoch + timedelta(hours=place * step), rows, total / rows)
        for place, (rows, total) in bins.items()
    )
