"""The policy that we recommend: the learner, guarded, with exploration at a price.

Its parts: a regression of the reward by Vowpal Wabbit that learns from every outcome as it comes
(:class:`authopt.policies.online.OnlineVw`), routes that are tried less and less and never for more
than a day's budget (:class:`authopt.policies.online.trying.Trying`), a floor under every
probability so that what is logged can judge other policies, and the guard that leaves a route that
is down (:class:`authopt.policies.guard.Guarded`).

What chose the settings, in the world of hidden states, value per payment of the last 45,000 of
60,000 payments over 60 days (the greedy oracle 0.9309, the waterfall with retries every 3 days
0.9240): with a floor of 0.01, nothing tried beyond it 0.9252; 8,000 tries 0.9270; the same with the
times of retries by the schedule of 1, 3, 5 and 7 days 0.9269. Retries planned with steps six times
as large had 0.9267. One seed each: differences below 0.0005 say nothing.
"""

from __future__ import annotations

from pathlib import Path

from authopt.policies.family import EPSILON, Family, Options
from authopt.policies.guard import Guarded
from authopt.policies.online.policy import OnlineVw

FLOOR = 0.005
TRIES = 10_000.0
LOST_PER_DAY = 20.0
"""Approvals a day."""


def recommended(
    epsilon: float = FLOOR, tries: float = TRIES, lost_per_day: float = LOST_PER_DAY
) -> Guarded:
    """The recommended policy, knowing nothing yet.

    Parameters
    ----------
    epsilon
        the floor: each of k eligible actions gets at least ``epsilon / k``.
    tries, lost_per_day
        as in :class:`authopt.policies.online.trying.Trying`.
    """
    return Guarded(OnlineVw(epsilon=epsilon, tries=tries, lost_per_day=lost_per_day))


def _make(file: Path | None, options: Options) -> Guarded:
    if file is None:
        return recommended(
            options.number(EPSILON, FLOOR),
            options.number("tries", TRIES),
            options.number("lost_per_day", LOST_PER_DAY),
        )
    options.refuse((EPSILON, "tries", "lost_per_day"))
    return Guarded.load(file)


FAMILY = Family(
    "recommended[:FILE.json or epsilon=0.005,tries=10000,lost_per_day=20]",
    _make,
    (EPSILON, "tries", "lost_per_day"),
    takes_file=True,
    own_epsilon=True,
)
