"""Scenarios: what happens to a merchant's payments, each in one command and one picture."""

from simulator.scenarios.catalogue import SCENARIOS
from simulator.scenarios.run import draw, log_of, run_scenario, write_picture
from simulator.scenarios.scenario import Scenario, ScenarioRun

__all__ = [
    "SCENARIOS",
    "Scenario",
    "ScenarioRun",
    "draw",
    "log_of",
    "run_scenario",
    "write_picture",
]
