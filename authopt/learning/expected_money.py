"""Fit the trees of an expected-money policy: for every route that has enough attempts, its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from authopt.batch import LoggedBatch, utc_datetime
from authopt.errors import UserError
from authopt.learning.best_time import fit_best_time
from authopt.policies.approval_by_route import RouteTrees
from authopt.policies.best_time.best_time import BestTime
from authopt.policies.expected_money import EPSILON_DEFAULT, ExpectedMoney
from authopt.rewards import MoneyReward

LEAST_ROWS = 500
"""Attempts from which on a route has a model of its own. On card payments by four PSPs, models of
their own predicted later approvals with a log loss of 0.461, one for all PSPs 0.471, logistic
regression 0.472 to 0.476."""

ReadLog = Callable[[str], Iterable[LoggedBatch]]
"""Reads the log from its start, with approval as the reward; the text says what for."""


def fit_expected_money(
    read: ReadLog,
    reward: MoneyReward,
    *,
    epsilon: float = EPSILON_DEFAULT,
    seed: int = 0,
    log: Path | None = None,
) -> ExpectedMoney:
    """Fit the chances of approval on what the log took.

    The log is read once for all routes together and once for each; it needs no propensities, as the
    models may depend on all that the log's policy went by. What that policy saw and the log does
    not hold is learned as if it were the routes' doing.

    Parameters
    ----------
    read
        gives the log chunk by chunk.
    reward
        of the policy.
    epsilon
        of the policy.
    seed
        of samples and trees.
    log
        where it is from, for errors.

    Raises
    ------
    UserError
        If outcomes are too few.
    """
    counts: dict[str, int] = {}
    began: list[np.datetime64] = []

    def counted() -> Iterator[LoggedBatch]:
        for batch in read("fitting all routes"):
            first = batch.decided_at[batch.attempt == 1]
            if len(first):
                began.append(first.max())
            route = batch.action_route[batch.chosen_action]
            known = np.isfinite(batch.reward) & ~batch.is_stop[batch.chosen_action]
            rows = np.bincount(route[known], minlength=len(batch.routes))
            for name, count in zip(batch.routes, rows.tolist(), strict=True):
                counts[name] = counts.get(name, 0) + count
            yield batch

    pooled = fit_best_time(counted(), seed=seed, log=log)
    models: dict[str, BestTime] = {}
    for name in sorted(name for name, count in counts.items() if count >= LEAST_ROWS):
        try:
            models[name] = fit_best_time(
                _of_route(read(f"fitting {name}"), name), seed=seed, log=log
            )
        except UserError:
            # A route that has nothing approved, or nothing declined, goes with the others.
            continue
    last = utc_datetime(max(began)) if began else None
    return ExpectedMoney(reward, RouteTrees(pooled, models), epsilon, last)


def _of_route(batches: Iterable[LoggedBatch], name: str) -> Iterator[LoggedBatch]:
    for batch in batches:
        if name in batch.routes:
            taken = batch.action_route[batch.chosen_action] == batch.routes.index(name)
            yield batch.take(np.flatnonzero(taken))
