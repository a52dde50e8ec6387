"""Every scenario run once with few payments, for all tests of a process."""

from __future__ import annotations

from functools import cache

from simulator.scenarios import SCENARIOS, ScenarioRun, run_scenario

PAYMENTS = {
    "steady": 3_000,
    "outage": 9_000,
    "degradation": 10_000,
    "payday": 80_000,
    "rule-change": 40_000,
    "new-route": 8_000,
    "fraud": 12_000,
    "no-exploration": 3_000,
}


@cache
def ran(name: str) -> ScenarioRun:
    """The run of a scenario, of seed 1."""
    return run_scenario(SCENARIOS[name], 1, payments=PAYMENTS[name])
