"""Where policies compete: the worlds in steady state, and the scenarios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from authopt.errors import UserError
from authopt.rules import DEFAULT_RULES
from simulator.leaderboard.setting import Setting
from simulator.scenarios.catalogue import SCENARIOS
from simulator.scenarios.scenario import Scenario
from simulator.traffic import Traffic
from simulator.world.cast_routes import DEFAULT_ORDER
from simulator.worlds import NamedWorld, named_world

PAYMENTS = 200_000
DAYS = 60.0
SLOT_S = 6 * 3_600
LEAST_IN_SLOT = 100
"""Payments that arrive between two updates, at least: few payments are learnt from more seldom."""

AFTER_SHARE = 0.25
"""Share of the payments of a steady state that counts as the time to settle."""

_PRIORITY = "priority:routes="


@dataclass(frozen=True, slots=True)
class Place:
    """Where policies compete.

    Attributes
    ----------
    name
        for the command line and tables.
    payments
        how many arrive, unless asked otherwise.
    after_share
        share of the payments, the first ones, that the main figures leave out.
    steady
        nothing happens, so that a static policy can be tuned on other payments of the same place.
    attainable
        all that bears on an attempt stands in its context, so that a learner can reach the oracle.
    module, constants
        where the place is made, and with which numbers of this module: a part of what a result
        depends on.
    setting
        from the number of payments and the seed.
    """

    name: str
    payments: int
    after_share: float
    steady: bool
    attainable: bool
    module: str
    constants: str
    setting: Callable[[int, int], Setting]

    def after(self, payments: int) -> int:
        """Number of the first payment that the main figures count, unless asked otherwise."""
        return int(payments * self.after_share)


def place_named(name: str) -> Place:
    """A world (``cards``, ``small``) in steady state, or a scenario.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name in WORLDS:
        return _steady(name)
    if name in SCENARIOS:
        return _of_scenario(SCENARIOS[name])
    known = ", ".join((*WORLDS, *SCENARIOS))
    raise UserError(f"there is no place {name!r}; expected one of {known}")


WORLDS = ("small", "cards")


def _steady(name: str) -> Place:
    def setting(payments: int, seed: int) -> Setting:
        named = _world(name)
        traffic = Traffic(payments, days=DAYS, seed=seed)
        slot_s = max(SLOT_S, DAYS * 86_400 * LEAST_IN_SLOT / payments)
        return Setting(named.world, traffic, DEFAULT_RULES, slot_s, named.order)

    module = "simulator.small.world" if name == "small" else "simulator.world"
    constants = f"{DAYS:g} days in slots of {SLOT_S} s, at least {LEAST_IN_SLOT} payments in each"
    return Place(name, PAYMENTS, AFTER_SHARE, True, name == "small", module, constants, setting)


def _of_scenario(scenario: Scenario) -> Place:
    def setting(payments: int, seed: int) -> Setting:
        stage = scenario.stage(payments, seed)
        statics = [spec for spec in stage.policies.values() if spec.startswith(_PRIORITY)]
        # A merchant's own order names no route that is still to come.
        order = tuple(statics[0].removeprefix(_PRIORITY).split(",")) if statics else DEFAULT_ORDER
        return Setting(stage.world, stage.traffic, stage.rules, stage.slot_s, order)

    module = scenario.stage.__module__
    return Place(scenario.name, scenario.payments, 0.0, False, False, module, "", setting)


@lru_cache(maxsize=2)
def _world(name: str) -> NamedWorld:
    return named_world(name)
