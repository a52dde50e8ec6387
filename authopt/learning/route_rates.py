"""What each route got approved over a log: the baselines that a merchant's own rules come from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.policies.best_route import BestRoute, RouteRecord
from authopt.policies.success_rate import SuccessRate
from authopt.policies.vw_manifest import LeftOut


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


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a policy learned from, following a log.

    Attributes
    ----------
    rows
        attempts that it learned from.
    mean_reward
        their mean reward.
    routes
        the routes they were sent to.
    left_out
        rows that teach nothing, and why.
    """

    rows: int
    mean_reward: float
    routes: frozenset[str]
    left_out: tuple[LeftOut, ...]


def replay_success_rate(
    policy: SuccessRate, batches: Iterable[LoggedBatch], log: Path | None = None
) -> Replayed:
    """Let a success-rate policy learn from a whole log, in the order of time.

    Raises
    ------
    UserError
        If the log is not in the order of time, or holds nothing to learn from.
    """
    rows, total, unknown, stops = 0, 0.0, 0, 0
    routes: set[str] = set()
    last: np.datetime64 | None = None
    for batch in batches:
        times = batch.decided_at
        before = np.concatenate([times[:1] if last is None else [last], times[:-1]])
        early = np.flatnonzero(times < before)
        if len(early):
            raise UserError(
                f"{log or 'the log'}: success-rate learns in the order of time, but decision "
                f"{batch.decision_id[int(early[0])].as_py()!r} ({times[early[0]]}Z) stands after "
                f"one at {before[early[0]]}Z. Sort the log by decided_at"
            )
        last = times[-1] if len(times) else last
        policy.update(batch)
        stopped = batch.is_stop[batch.chosen_action]
        known = np.isfinite(batch.reward) & ~stopped
        rows += int(known.sum())
        total += math.fsum(batch.reward[known])
        stops += int(stopped.sum())
        unknown += int((~known & ~stopped).sum())
        taken = np.unique(batch.action_route[batch.chosen_action[known]])
        routes.update(batch.routes[code] for code in taken.tolist())
    if not rows:
        raise UserError(f"{log or 'the log'}: no attempt with a known outcome to learn from")
    left_out = [("the outcome is not known", unknown), ("the payment was given up (stop)", stops)]
    return Replayed(
        rows,
        total / rows,
        frozenset(routes),
        tuple(LeftOut(reason, count) for reason, count in left_out if count),
    )
