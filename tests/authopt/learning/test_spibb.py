"""Safe improvement on the simulator, where true values are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch, concat
from authopt.learning.spibb import fit_spibb
from authopt.policies.best_route import best_of_each
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.spibb import classes
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.truth import value_on
from simulator.worlds import named_world

COLUMNS = ("issuer", "attempt")


@dataclass(frozen=True)
class BestSeen:
    """The route with the highest rate in the log, class by class, however little was seen of it."""

    rates: dict[tuple[object, str], float]
    name: str = "best-seen"

    @classmethod
    def of(cls, log: LoggedBatch) -> BestSeen:
        keys, row = classes(log, COLUMNS)
        totals: dict[tuple[object, str], list[float]] = {}
        taken = log.action_route[log.chosen_action]
        for place, route, reward in zip(
            row.tolist(), taken.tolist(), log.reward.tolist(), strict=True
        ):
            totals.setdefault((keys[place], log.routes[route]), []).append(reward)
        return cls({key: float(np.mean(rewards)) for key, rewards in totals.items()})

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        keys, row = classes(batch, COLUMNS)
        table = np.array([[self.rates.get((key, r), -1.0) for r in batch.routes] for key in keys])
        return best_of_each(batch, table[np.repeat(row, batch.counts), batch.action_route])


@pytest.mark.slow
def test_held_to_the_live_policy_a_greedy_candidate_is_never_shown_to_be_worse() -> None:
    world = named_world("small")
    live = mixed(Priority(world.order), 0.3)
    judged = concat(list(simulate(world.world, Traffic(6_000, seed=99), live))).decisions()

    def gain(policy: Policy) -> tuple[float, float]:
        gap = value_on(world.world, judged, policy) - value_on(world.world, judged, live)
        return float(gap.mean()), float(gap.std() / np.sqrt(len(gap)))

    worse = {"greedy": 0, "spibb": 0}
    for seed in range(1, 9):
        log = concat(list(simulate(world.world, Traffic(700, seed=seed), live)))
        greedy = BestSeen.of(log)
        held = fit_spibb([log], greedy, live, columns=COLUMNS, least=20)
        for name, policy in (("greedy", greedy), ("spibb", held)):
            mean, error = gain(policy)
            worse[name] += mean + 3.0 * error < 0.0
    assert worse["greedy"] >= 4
    assert worse["spibb"] == 0
