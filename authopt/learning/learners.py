"""Let a policy that learns while it acts learn from a log instead."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.policies.family import EPSILON
from authopt.policies.protocol import LearningPolicy
from authopt.policies.spec import load_policy
from authopt.policies.vw_manifest import LeftOut


@runtime_checkable
class Learner(LearningPolicy, Protocol):
    """A policy that learns, and whose state can be kept."""

    def save(self, path: Path) -> None:
        """Write options and state."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a policy learned from, following a log.

    Attributes
    ----------
    rows
        attempts that it learned from.
    mean_reward
        their mean reward.
    rates
        mean reward of each route that they were sent to.
    left_out
        rows that teach nothing, and why.
    """

    rows: int
    mean_reward: float
    rates: dict[str, float]
    left_out: tuple[LeftOut, ...]


def fresh_learner(family: str, keys: str | None = None) -> Learner:
    """A learner that knows nothing yet.

    Parameters
    ----------
    family
        the name of a family of policies that learn.
    keys
        its options, as its specs have them: ``discount=0.999,dimensions=issuer``.

    Raises
    ------
    UserError
        If the options are not understood.
    """
    if keys is not None and "=" not in keys.partition(",")[0]:
        raise UserError(
            f"the options of {family} are {keys!r}; expected KEY=VALUE,... as its specs have them"
        )
    policy = load_policy(family if keys is None else f"{family}:{keys}")
    if not isinstance(policy, Learner):
        raise UserError(
            f"{EPSILON} is not learned: give it where the policy is used, as in "
            f"{family}:FILE.json,{EPSILON}=0.05"
        )
    return policy


def replay_learner(
    policy: LearningPolicy, batches: Iterable[LoggedBatch], log: Path | None = None
) -> Replayed:
    """Let a policy learn from a whole log, in the order of time.

    It sees the outcomes of what the log's policy took, not of what it would have taken itself: what
    it counts by route it learns, and a route that the log hardly took it knows as little of.

    Parameters
    ----------
    policy
        that learns; it is left as it is after the last outcome.
    batches
        the log, chunk by chunk; the policy learns from one chunk after the other.
    log
        where it is from, for errors.

    Raises
    ------
    UserError
        If the log is not in the order of time, or holds nothing to learn from.
    """
    rows, total, unknown, stops = 0, 0.0, 0, 0
    attempts: dict[str, int] = {}
    rewards: dict[str, float] = {}
    last: np.datetime64 | None = None
    for batch in batches:
        times = batch.decided_at
        before = np.concatenate([times[:1] if last is None else [last], times[:-1]])
        early = np.flatnonzero(times < before)
        if len(early):
            raise UserError(
                f"{log or 'the log'}: {policy.name} learns in the order of time, but decision "
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
        route = batch.action_route[batch.chosen_action[known]]
        for code in np.unique(route).tolist():
            name, of_route = batch.routes[code], batch.reward[known][route == code]
            attempts[name] = attempts.get(name, 0) + len(of_route)
            rewards[name] = rewards.get(name, 0.0) + math.fsum(of_route)
    if not rows:
        raise UserError(f"{log or 'the log'}: no attempt with a known outcome to learn from")
    left_out = [("the outcome is not known", unknown), ("the payment was given up (stop)", stops)]
    return Replayed(
        rows,
        total / rows,
        {name: rewards[name] / attempts[name] for name in sorted(attempts)},
        tuple(LeftOut(reason, count) for reason, count in left_out if count),
    )
