"""A month of card traffic in which nothing is arranged: what a guard does there, and its price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.policies.guard import Outage, wrap
from simulator.live import simulate_live
from simulator.logging_policy import MerchantRouter
from simulator.traffic import Traffic
from simulator.truth import value_on
from simulator.world import make_world
from simulator.world.cast_routes import DEFAULT_ORDER
from simulator.world.world import CardWorld

PAYMENTS, DAYS = 60_000, 28
SLOT_S = 3_600
OUTAGE = 0.05
"""Chance to lose an attempt from which on a route counts as down by itself."""


@dataclass(frozen=True, slots=True)
class Month:
    """What a guard did.

    Attributes
    ----------
    days, attempts
        of the traffic.
    true_alarms, false_alarms
        alarms while the world's hidden state had the route down, or not.
    guarded, plain
        approvals per decision at the decision points met, in expectation, with and without it.
    """

    days: int
    attempts: int
    true_alarms: int
    false_alarms: int
    guarded: float
    plain: float


def quiet_month(seed: int) -> Month:
    """The traffic of one seed, routed by a merchant's router under a guard."""
    world = make_world()
    router = MerchantRouter(DEFAULT_ORDER)
    watched = wrap(router)
    attempts = decisions = 0
    values = np.zeros(2)
    traffic = Traffic(PAYMENTS, days=DAYS, seed=seed)
    for batch in simulate_live(world, traffic, watched, slot_s=SLOT_S):
        attempts += int((~batch.is_stop[batch.chosen_action]).sum())
        decisions += batch.n
        assert batch.probability is not None
        chance = world.approval_probability(batch)
        values[0] += float(batch.probability @ chance)
        values[1] += float(value_on(world, batch.decisions(), router).sum())
    guarded, plain = (values / decisions).tolist()
    true = sum(_hidden(world, each) for each in watched.outages)
    return Month(DAYS, attempts, true, watched.alarms - true, guarded, plain)


def _hidden(world: CardWorld, outage: Outage) -> bool:
    """Whether the world had the route down at the time."""
    place = np.array([world.route_names.index(outage.route)])
    at_s = np.array([outage.since_us // 1_000_000])
    return bool(world.cast.latent.route_away(place, at_s)[0] >= OUTAGE)
