"""Fit a spibb policy: count how often a log took every action in every class of contexts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from authopt.batch import LoggedBatch, utc_datetime
from authopt.errors import UserError
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy
from authopt.policies.spibb import LEAST, Key, Spibb, classes

COLUMNS = ("network", "attempt")


def fit_spibb(
    batches: Iterable[LoggedBatch],
    candidate: str | Policy,
    live: str | Policy,
    *,
    columns: tuple[str, ...] = COLUMNS,
    least: int = LEAST,
) -> Spibb:
    """The candidate, held to the live policy where the log hardly took what it wants to do.

    Parameters
    ----------
    batches
        the log that the candidate was trained on; actions whose outcome is not known do not count.
    candidate, live
        specs, or policies (which cannot be saved).
    columns
        context columns of names, flags or whole numbers, or ``attempt``, that classes are formed
        by. They must be coarse: what is counted per class has to reach ``least``.
    least
        count from which on an action is certain. Laroche et al. (theorem 2) have the loss against
        the live policy shrink with its square root; they used 5 to 100 in their experiments.

    Raises
    ------
    UserError
        If nothing in the log has a known outcome, or ``least`` is below 1.
    """
    # What is wrong with a spec is said before the log is read.
    policies = [load_policy(each) if isinstance(each, str) else each for each in (candidate, live)]
    named = tuple(each if isinstance(each, str) else "" for each in (candidate, live))
    counts: Counter[tuple[Key, str, int]] = Counter()
    began: list[np.datetime64] = []
    for batch in batches:
        if (batch.attempt == 1).any():
            began.append(batch.decided_at[batch.attempt == 1].max())
        known = np.flatnonzero(np.isfinite(batch.reward))
        if not len(known):
            continue
        some = batch.take(known)
        keys, row = classes(some, columns)
        taken = some.chosen_action
        cells = np.stack(
            [row, some.action_route[taken].astype(np.int64), some.action_delay_s[taken]]
        )
        found, times = np.unique(cells, axis=1, return_counts=True)
        for (key, route, delay), count in zip(found.T.tolist(), times.tolist(), strict=True):
            counts[keys[key], some.routes[route], delay] += count
    if not counts:
        raise UserError("the log has no decision with a known outcome to count")
    last = utc_datetime(max(began)) if began else None
    return Spibb(policies[0], policies[1], dict(counts), columns, least, (named[0], named[1]), last)
