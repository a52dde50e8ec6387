"""All scenarios, by name."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.scenarios import (
    degradation,
    fraud,
    new_route,
    no_exploration,
    outage,
    payday,
    rule_change,
    steady,
)
from simulator.scenarios.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = {
    each.name: each
    for each in (
        steady.SCENARIO,
        outage.SCENARIO,
        degradation.SCENARIO,
        payday.SCENARIO,
        rule_change.SCENARIO,
        new_route.SCENARIO,
        fraud.SCENARIO,
        no_exploration.SCENARIO,
    )
}
