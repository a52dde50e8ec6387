"""Months of card traffic in which nothing is arranged, and what was the matter when an alarm came.

What the world does by itself is no false alarm: an alarm is counted as found where the hidden state
had a route or an issuer that it names out of reach within the hour before, or, where it names none,
any route. Each month is another one of the calendar, with its own outages, paydays and season.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from authopt.alarms.alarm import Alarm
from authopt.alarms.counts import Minute
from authopt.batch import LoggedBatch
from authopt.policies.protocol import LearningPolicy
from authopt.policies.spec import load_policy
from benchmarks._alarm_minutes import minutes_of
from simulator.live import simulate_live
from simulator.logging_policy import MerchantRouter
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.world.cast_routes import DEFAULT_ORDER
from simulator.world.world import CardWorld

FIRST = np.datetime64("2026-01-05")
DAYS = 28
SLOT_S = 3_600
"""Between two lessons of a policy that learns."""

AWAY = 0.05
"""Chance to lose an attempt from which on a route or an issuer counts as out of reach."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Alarms of a month: raised while the world itself did something, and the others, in words."""

    found: int
    false: tuple[str, ...]


def month_minutes(world: CardWorld, seed: int, payments: int, spec: str = "") -> Iterator[Minute]:
    """The minutes of the seed's month, under a merchant's router or the policy of a spec."""
    start = FIRST + np.timedelta64(DAYS * (seed - 1), "D")
    traffic = Traffic(payments, start, DAYS, seed)
    end_us = int((start + np.timedelta64(DAYS, "D")).astype("M8[us]").astype(np.int64))
    # After the last arrival there are retries alone, which is no traffic of a merchant.
    return (each for each in minutes_of(_log(world, traffic, spec)) if each.start_us < end_us)


def _log(world: CardWorld, traffic: Traffic, spec: str) -> Iterator[LoggedBatch]:
    policy = load_policy(spec) if spec else MerchantRouter(DEFAULT_ORDER)
    if isinstance(policy, LearningPolicy):
        return simulate_live(world, traffic, policy, slot_s=SLOT_S)
    return simulate(world, traffic, policy)


def quiet_of(world: CardWorld, said: Sequence[Alarm]) -> Quiet:
    """Tell what was raised over something from what was raised over nothing."""
    raised = [each for each in said if each.firing]
    false = [each for each in raised if not _hidden(world, each)]
    return Quiet(len(raised) - len(false), tuple(f"{each.subject}: {each.what}" for each in false))


def _hidden(world: CardWorld, alarm: Alarm) -> bool:
    end_s = alarm.at_us // 1_000_000
    seconds = np.arange(end_s - 3_600, end_s, 60)
    latent = world.cast.latent
    if alarm.dimension == "issuer":
        if alarm.value not in world.issuer_names:
            return False
        place = np.full(len(seconds), world.issuer_names.index(alarm.value))
        return bool(latent.issuer_away(place, seconds).max() >= AWAY)
    names = [alarm.value] if alarm.dimension == "route" else world.route_names
    return any(
        latent.route_away(np.full(len(seconds), world.route_names.index(name)), seconds).max()
        >= AWAY
        for name in names
    )
