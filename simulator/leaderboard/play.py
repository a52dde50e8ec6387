"""Let a policy act in a setting, every payment to its end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from authopt.batch import DecisionBatch, LoggedBatch, concat
from authopt.policies.protocol import LearningPolicy, Policy
from simulator.leaderboard.setting import Setting
from simulator.live import simulate_live
from simulator.simulate import attempted, simulate


def played(setting: Setting, policy: Policy) -> Iterator[LoggedBatch]:
    """The decisions of a policy on all payments, each payment to its end.

    A policy that learns does so slot by slot until the last slot in which a payment may arrive.
    After that it stays as it is, and the retries that are still open are decided by it as it then
    is: a scenario of an hour in slots of ten seconds would otherwise be followed by a month of
    them.

    Yields
    ------
    LoggedBatch
        decisions with the probabilities of all actions and with their outcomes.
    """
    world, traffic, rules = setting.world, setting.traffic, setting.rules
    if not isinstance(policy, LearningPolicy):
        yield from simulate(world, traffic, policy, rules=rules)
        return
    slots = int(np.ceil(traffic.days * 86_400 / setting.slot_s))
    length_us = round(slots * setting.slot_s * 1e6)
    end = traffic.start.astype("M8[us]") + np.timedelta64(length_us, "us")
    left: list[DecisionBatch] = []
    for batch in simulate_live(world, traffic, policy, rules=rules, slot_s=setting.slot_s):
        # A batch is of one slot, and slots end where the traffic does.
        if batch.decided_at[0] >= end:
            break
        yield batch
        points = world.following(batch, traffic.seed)
        late = np.flatnonzero(points.decided_at >= end)
        if len(late):
            left.append(points.take(late))
    while left:
        batch = attempted(world, concat(left), policy, rules, traffic.seed)
        yield batch
        points = world.following(batch, traffic.seed)
        left = [points] if points.n else []
