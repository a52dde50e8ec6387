"""What the bandits' tests share: the policies, logs, and one log in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from authopt.batch import Categorical, LoggedBatch
from authopt.policies.bandits.fading import Fading
from authopt.policies.bandits.hierarchical import HierarchicalThompson
from authopt.policies.bandits.memory import Discounted, Windowed
from authopt.policies.bandits.thompson import Thompson
from authopt.policies.bandits.ucb import Ucb
from authopt.policies.success_rate import SuccessRate
from authopt.policies.success_rate_elimination import SuccessRateElimination
from tests.factories import logged_batch

Bandit = Ucb | Thompson | HierarchicalThompson | SuccessRate | SuccessRateElimination

DIMENSIONS = ("network", "previous_route")

FRESH: dict[str, Callable[[], Bandit]] = {
    "ucb discounted": lambda: Ucb(Discounted(0.99), dimensions=DIMENSIONS),
    "ucb windowed": lambda: Ucb(Windowed(60), dimensions=DIMENSIONS),
    "thompson discounted": lambda: Thompson(Discounted(0.99), DIMENSIONS),
    "thompson windowed": lambda: Thompson(Windowed(60), DIMENSIONS),
    "hierarchical": lambda: HierarchicalThompson(Fading(0.5), DIMENSIONS),
    "hierarchical without segments": lambda: HierarchicalThompson(Fading(), ()),
    "hierarchical of a given strength": lambda: HierarchicalThompson(Fading(), DIMENSIONS, 20.0),
    "elimination": lambda: SuccessRateElimination(),
    "success-rate of the engine": lambda: SuccessRate(
        125, 0.05, DIMENSIONS, start="full", hedge="others"
    ),
}


def log(n: int = 800, seed: int = 0) -> LoggedBatch:
    """A log with retries, a previous route at some, and a ``stop`` that is taken at times."""
    batch = logged_batch(n, seed=seed, with_stop=True)
    rng = np.random.default_rng(seed + 3)
    previous = np.where(batch.attempt > 1, rng.integers(0, 3, batch.n), -1).astype(np.int32)
    return replace(
        batch, context={**batch.context, "previous_route": Categorical(previous, batch.routes)}
    )


def taught(name: str) -> Bandit:
    """A policy that has learned from a log, in two parts."""
    policy, batch = FRESH[name](), log()
    for part in (slice(0, 500), slice(500, 800)):
        policy.update(batch.take(part))
    return policy


def rewarded(batch: LoggedBatch, good: str) -> LoggedBatch:
    """The same log, in which one route is always approved and the others never."""
    taken = batch.action_route[batch.chosen_action]
    return replace(batch, reward=(taken == batch.routes.index(good)).astype(np.float64))


def after(batch: LoggedBatch, days: float) -> LoggedBatch:
    """The same log, some days later."""
    return replace(batch, decided_at=batch.decided_at + np.timedelta64(int(days * 86_400), "s"))
