"""Logs whose values are known, on which the estimator benchmark measures errors.

The first bandit worlds are those of the coverage benchmark and one with epsilon .2 (20 contexts, 4
actions, largest weights 4, 20, 80 and 200), each with success as it is there (near 0.9), moved to
near 0.5, and made rare (0.005). There, the evaluation policy does about as well in one context as
in the next, and any rows that it agrees with will do. In the uneven worlds it does not: odds differ
by up to a factor of 20 between contexts, and the log's policy takes its own way in the worst ones.

A log of each comes with five reward models: the truth; cell means of context and action,
cross-fitted and shrunken; the same that ignores the context; and two that are badly off and nobody
noticed: by 0.1 everywhere, and by 0.1 up or down, depending on context and action. The last two are
the truth otherwise. An error of the same size everywhere is one that normalising weights cures
completely; one that depends on the action is not.

Our own world adds payments with retries, logged by a router that explores 10% of its decisions; the
model is the one that ``authopt evaluate`` fits. Its policies are the best there is (and
deterministic), a waterfall, and a router like the one that made the log with another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from authopt.batch import FloatArray, IntArray, concat
from authopt.evaluation.blocks import arrays_of
from authopt.evaluation.buckets import bucket_of, cluster_hashes, integer_hashes
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.learning.reward_model import fit_reward_model
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from benchmarks._coverage_regimes import (
    ACTIONS,
    CONTEXTS,
    FOLDS,
    Bandit,
    bandit,
    cell_means,
    mild,
)
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.simulate import simulate
from simulator.small.world import SmallWorld, small_world
from simulator.traffic import Traffic
from simulator.truth import OraclePolicy, value_on

ROWS = (300, 2_000, 20_000)
OWN_PAYMENTS = dict(zip(ROWS, (218, 1_455, 14_550), strict=True))
"""They make about so many decisions."""

OFF = 0.1
MODELS = ("true", "fitted", "no context", "off by 0.1", "off by action")
OWN_MODEL = "trees"
OWN_WORLD = "own world"


@dataclass(frozen=True, slots=True)
class Case:
    """What errors are averaged within: a world, a success rate or a policy, a size, a model."""

    world: str
    what: str
    rows: int
    model: str


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """One log with one reward model.

    ``evaluation`` is float64[m], the probabilities of the policy in question; ``bucket`` int64[n];
    ``value`` and ``logging_value`` what both policies are worth at such decisions in expectation.
    """

    arrays: LoggedArrays
    evaluation: FloatArray
    bucket: IntArray
    value: float
    logging_value: float


@cache
def bandits() -> dict[tuple[str, str], Bandit]:
    """By world and success rate; the number of rows is set later."""
    found = {}
    for name, world in (
        ("mild", mild(0)),
        ("ε = .2", bandit(0.925, 0.2, 6, 0)),
        ("ε = .05", bandit(0.925, 0.05, 6, 0)),
        ("harsh", bandit(0.891, 0.02, CONTEXTS, 0)),
    ):
        value = world.value
        found[name, "near 0.9"] = world
        found[name, "near 0.5"] = replace(world, success=world.success + 0.5 - value)
        found[name, "0.005"] = replace(world, success=world.success * 0.005 / value)
    for name, epsilon in (("uneven, ε = .2", 0.2), ("uneven, ε = .05", 0.05)):
        for what, rate in (("near 0.9", 0.9), ("near 0.5", 0.5), ("0.005", 0.005)):
            found[name, what] = uneven(rate, epsilon)
    return found


def uneven(rate: float, epsilon: float) -> Bandit:
    """A bandit whose contexts differ; in the six worst, the log's favourite is another action."""
    policies = bandit(rate, epsilon, 6, 0)
    odds = rate / (1.0 - rate) * np.exp(np.linspace(-1.5, 1.5, CONTEXTS))[:, None]
    worse = np.random.default_rng(0).uniform(0.2, 1.2, (CONTEXTS, ACTIONS))
    odds = odds * np.exp(-worse * (policies.evaluation == 0.0))
    return replace(policies, success=odds / (1.0 + odds))


def logs_of(world: str, what: str, rows: int, seed: int) -> Iterator[tuple[Case, Log]]:
    """The log of one seed with every reward model, and in our own world for every policy."""
    if world == OWN_WORLD:
        yield from _own_world(rows, seed)
        return
    made = bandits()[world, what]
    logging_value = float((made.logging * made.success).sum(1).mean())
    bucket = bucket_of(integer_hashes(np.arange(rows)))
    rng = np.random.default_rng([seed, rows])
    context = rng.integers(0, CONTEXTS, rows)
    drawn = rng.random(rows)[:, None] > made.logging[context].cumsum(1)
    chosen = drawn.sum(1).clip(0, ACTIONS - 1)
    reward = (rng.random(rows) < made.success[context, chosen]).astype(np.float64)
    probability = made.logging[context]
    arrays = LoggedArrays(
        offsets=np.arange(rows + 1) * ACTIONS,
        chosen=chosen,
        reward=reward,
        propensity=probability[np.arange(rows), chosen],
        probability=probability.ravel(),
    )
    fold = rng.integers(0, FOLDS, rows)
    for model, q in _predictions(made, context, arrays, fold).items():
        log = replace(arrays, q=q)
        evaluation = made.evaluation[context].ravel()
        yield (
            Case(world, what, rows, model),
            Log(log, evaluation, bucket, made.value, logging_value),
        )


def _predictions(
    made: Bandit, context: IntArray, arrays: LoggedArrays, fold: IntArray
) -> dict[str, FloatArray]:
    actions = np.tile(np.arange(ACTIONS), arrays.n)
    cells = np.repeat(context, ACTIONS) * ACTIONS + actions
    spread = np.repeat(fold, ACTIONS)

    def fitted(cell: IntArray) -> FloatArray:
        taken = cell[arrays.chosen_action]
        return cell_means(cell, spread, taken, fold, arrays.reward, CONTEXTS * ACTIONS)

    truth = made.success.ravel()
    sign = np.where((cells // ACTIONS + actions) % 2, OFF, -OFF)
    found = (truth[cells], fitted(cells), fitted(actions), truth[cells] + OFF, truth[cells] + sign)
    return dict(zip(MODELS, found, strict=True))


@cache
def _world() -> SmallWorld:
    return small_world()


def _policies() -> dict[str, Policy]:
    return {
        "the best": OraclePolicy(_world()),
        "waterfall": Priority(("atlas", "everywhere", "delta", "borealis", "cordillera")),
        "other order": MerchantRouter(DEFAULT_ORDER[::-1]),
    }


def _own_world(rows: int, seed: int) -> Iterator[tuple[Case, Log]]:
    world, router = _world(), MerchantRouter(DEFAULT_ORDER)
    batch = concat(list(simulate(world, Traffic(OWN_PAYMENTS[rows], seed=seed), router)))
    arrays = arrays_of(batch, fit_reward_model([batch], bounds=(0.0, 1.0), seed=seed))
    bucket = bucket_of(cluster_hashes(batch, "payment_id"))
    decisions = batch.decisions()
    logging_value = float(value_on(world, decisions, router).mean())
    for name, policy in _policies().items():
        value = float(value_on(world, decisions, policy).mean())
        yield (
            Case(OWN_WORLD, name, rows, OWN_MODEL),
            Log(arrays, policy.probabilities(decisions), bucket, value, logging_value),
        )


def worlds() -> list[tuple[str, str]]:
    """All that :func:`logs_of` knows."""
    return [*bandits(), (OWN_WORLD, "")]
