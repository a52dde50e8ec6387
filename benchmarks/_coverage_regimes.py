"""Worlds whose values are known, from which the coverage benchmark draws its logs.

The four bandit regimes have 4 actions, the largest weights 4, 80, 80 and 200, and the values .839,
.925, .925 and .891. What else they are made of had to be chosen: 20 equally frequent contexts; a
deterministic evaluation policy; approvals. In ``mild`` the log's policy spreads its decisions
evenly in 7 of the contexts and follows the evaluation policy elsewhere; in the others it is
epsilon-greedy and its favourite is another action than the evaluation policy's in some contexts: in
6 of 20 with epsilon .05 and in 17 with epsilon .02 (``harsh``). These numbers were set by the
widths of the normal interval of IPS and of vw-estimators' Cressie-Read alone, so that they are near
those that were measured when the regimes were first described (.12, .33 and .81; .075, .26 and
.65).

The fifth regime is our own world: payments with retries, logged by a merchant's router that
explores 10% of its decisions; the policy in question takes the route and the delay with the best
chance. Rows of a payment are not independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from authopt.batch import Categorical, FloatArray, IntArray, LoggedBatch, concat
from authopt.evaluation.logged_arrays import LoggedArrays
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.simulate import simulate
from simulator.small.world import SmallWorld, small_world
from simulator.traffic import Traffic
from simulator.truth import OraclePolicy, value_on

ACTIONS, CONTEXTS = 4, 20
FOLDS, SHRINKAGE = 3, 5.0
PAYMENTS = 14_550
"""They make about 20,000 decisions."""


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """One simulated log.

    ``evaluation`` is float64[m], the probabilities of the policy in question; ``cluster`` int64[n]
    or None where rows are independent; ``value`` what the policy is worth at these decisions in
    expectation, and ``longest`` the most rows of a cluster.
    """

    arrays: LoggedArrays
    evaluation: FloatArray
    cluster: IntArray | None
    value: float
    longest: int = 1


@dataclass(frozen=True, slots=True)
class Regime:
    """Where logs are drawn from: ``draw`` takes a seed; ``value`` is None where logs say it."""

    name: str
    draw: Callable[[int], Log]
    value: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Bandit:
    """Success rates, logging and evaluation probabilities: float64[contexts, actions] each."""

    success: FloatArray
    logging: FloatArray
    evaluation: FloatArray
    n: int

    @property
    def value(self) -> float:
        """What the evaluation policy is worth."""
        return float((self.evaluation * self.success).sum(1).mean())

    def draw(self, seed: int) -> Log:
        """A log of n independent rows, with the predictions of a cross-fitted model."""
        rng = np.random.default_rng(seed)
        context = rng.integers(0, len(self.success), self.n)
        drawn = rng.random(self.n)[:, None] > self.logging[context].cumsum(1)
        chosen = drawn.sum(1).clip(0, ACTIONS - 1)
        reward = (rng.random(self.n) < self.success[context, chosen]).astype(np.float64)
        cells = (context[:, None] * ACTIONS + np.arange(ACTIONS)).ravel()
        offsets = np.arange(self.n + 1) * ACTIONS
        taken = cells[offsets[:-1] + chosen]
        fold = rng.integers(0, FOLDS, self.n)
        q = cell_means(cells, np.repeat(fold, ACTIONS), taken, fold, reward, self.success.size)
        probability = self.logging[context]
        arrays = LoggedArrays(
            offsets=offsets,
            chosen=chosen,
            reward=reward,
            propensity=probability[np.arange(self.n), chosen],
            probability=probability.ravel(),
            q=q,
        )
        return Log(arrays, self.evaluation[context].ravel(), None, self.value)


def cell_means(
    cells: IntArray,
    fold_of_action: IntArray,
    taken: IntArray,
    fold: IntArray,
    reward: FloatArray,
    size: int,
) -> FloatArray:
    """float64[m], mean reward by cell over the rows of other folds, drawn towards their mean."""
    rows, sums = (np.bincount(taken * FOLDS + fold, each, size * FOLDS) for each in (None, reward))
    rows, sums = (
        each.reshape(size, FOLDS).sum(1, keepdims=True) - each.reshape(size, FOLDS)
        for each in (rows, sums)
    )
    mean = sums.sum(0) / np.maximum(rows.sum(0), 1.0)
    predicted = (sums + SHRINKAGE * mean) / (rows + SHRINKAGE)
    return np.asarray(predicted[cells, fold_of_action])


def bandit(value: float, epsilon: float, disagreeing: int, n: int) -> Bandit:
    """An epsilon-greedy log whose favourite is not the evaluation policy's in some contexts."""
    rng = np.random.default_rng(0)
    each = np.arange(CONTEXTS)
    best = rng.integers(0, ACTIONS, CONTEXTS)
    success = rng.uniform(0.6, 0.95, (CONTEXTS, ACTIONS))
    around = rng.uniform(-0.05, 0.05, CONTEXTS)
    success[each, best] = value + around - around.mean()
    greedy = best.copy()
    greedy[:disagreeing] = (best[:disagreeing] + 1) % ACTIONS
    logging = np.full((CONTEXTS, ACTIONS), epsilon / ACTIONS)
    logging[each, greedy] += 1.0 - epsilon
    evaluation = np.zeros((CONTEXTS, ACTIONS))
    evaluation[each, best] = 1.0
    return Bandit(success, logging, evaluation, n)


def mild(n: int) -> Bandit:
    """No weight above 4."""
    base = bandit(0.839, 0.05, 0, n)
    logging = base.logging.copy()
    logging[:7] = 1.0 / ACTIONS
    return Bandit(base.success, logging, base.evaluation, n)


@cache
def _world() -> SmallWorld:
    return small_world()


def own_world(seed: int) -> Log:
    """A log of the simulator; its reward model goes by issuer and route, cross-fitted."""
    world = _world()
    policy = OraclePolicy(world)
    traffic = Traffic(PAYMENTS, seed=seed)
    batch = concat(list(simulate(world, traffic, MerchantRouter(DEFAULT_ORDER))))
    cluster = np.unique(batch.payment_id.to_numpy(zero_copy_only=False), return_inverse=True)[1]
    cells, size = _cells(batch)
    fold = cluster % FOLDS
    q = cell_means(
        cells,
        fold[batch.decision_of_action],
        cells[batch.chosen_action],
        fold,
        batch.reward,
        size,
    )
    arrays = LoggedArrays(
        offsets=batch.offsets,
        chosen=batch.chosen,
        reward=batch.reward,
        propensity=batch.propensity,
        probability=batch.probability,
        q=q,
    )
    decisions = batch.decisions()
    value = float(value_on(world, decisions, policy).mean())
    evaluation = policy.probabilities(decisions)
    return Log(arrays, evaluation, cluster, value, int(batch.attempt.max()))


def _cells(batch: LoggedBatch) -> tuple[IntArray, int]:
    """int64[m] of issuer, route (or stop) and whether it is a retry; and how many there are."""
    issuer = batch.context["issuer"]
    assert isinstance(issuer, Categorical)
    routes = len(batch.routes) + 1
    route = np.where(batch.is_stop, routes - 1, batch.action_route)
    row = (issuer.codes.astype(np.int64) + 1) * 2 + (batch.attempt > 1)
    return row[batch.decision_of_action] * routes + route, (len(issuer.categories) + 1) * 2 * routes


_BANDITS = {
    "mild, n = 1,000": mild(1_000),
    "ε = .05, n = 100": bandit(0.925, 0.05, 6, 100),
    "ε = .05, n = 1,000": bandit(0.925, 0.05, 6, 1_000),
    "harsh, n = 1,000": bandit(0.891, 0.02, 17, 1_000),
}
OWN_WORLD = "own world, n = 20,000"

REGIMES = {
    **{name: Regime(name, each.draw, each.value) for name, each in _BANDITS.items()},
    OWN_WORLD: Regime(OWN_WORLD, own_world, None),
}
