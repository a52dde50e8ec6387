"""What each route got approved over a log: the baselines that a merchant's own rules come from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from authopt.batch import LoggedBatch
from authopt.policies.best_route import BestRoute, RouteRecord


def route_rates(batches: Iterable[LoggedBatch]) -> dict[str, float]:
    """Mean reward of each route's attempts, shrunken towards the mean of all, best first.

    It is what the logging policy's own choices got: a route that was sent the easy payments looks
    better than it is. Compare policies with ``authopt evaluate``, which corrects for that.

    Parameters
    ----------
    batches
        the log; attempts whose reward is not known, and ``stop``, do not count.

    Returns
    -------
    dict
        rate by route, for every route that was taken with a known reward.
    """
    return fit_best_route(batches).rates()


def fit_best_route(batches: Iterable[LoggedBatch]) -> BestRoute:
    """The policy that always takes the route of the highest rate; see :func:`route_rates`."""
    attempts: dict[str, int] = {}
    rewards: dict[str, float] = {}
    for batch in batches:
        route = batch.action_route[batch.chosen_action]
        known = np.isfinite(batch.reward) & ~batch.is_stop[batch.chosen_action]
        size = len(batch.routes)
        counts = np.bincount(route[known], minlength=size)
        totals = np.bincount(route[known], weights=batch.reward[known], minlength=size)
        for code in np.flatnonzero(counts).tolist():
            name = batch.routes[code]
            attempts[name] = attempts.get(name, 0) + int(counts[code])
            rewards[name] = rewards.get(name, 0.0) + float(totals[code])
    return BestRoute(
        {name: RouteRecord(name, count, rewards[name]) for name, count in attempts.items()}
    )
