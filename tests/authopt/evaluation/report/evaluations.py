"""Evaluations to render: the ordinary one, and those at the edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch
from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.bound_sums import PartialValue
from authopt.evaluation.engine import evaluate
from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.result import Evaluation
from authopt.logs.schema import PropensitySource
from authopt.rewards import ColumnReward
from tests.factories import logged_batch

HOSTILE = "<script>alert('x')</script> & [red]b[/]"


@dataclass(frozen=True)
class Named:
    """Prefers the first action of each decision."""

    name: str = "first"
    share: float = 0.6

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        given = np.repeat((1.0 - self.share) / batch.counts, batch.counts)
        given[batch.offsets[:-1]] += self.share
        return given


@dataclass(frozen=True)
class ByAmount:
    def predict(self, batch: DecisionBatch) -> FloatArray:
        amount = np.asarray(batch.context["amount_minor"]) / 100_000
        return np.repeat(0.3 + 0.4 * amount, batch.counts)


def ordinary(policies: int = 2) -> Evaluation:
    chosen = [Named(f"policy {place}", 0.1 * place) for place in range(policies)]
    log = logged_batch(1_500)
    return evaluate([log], chosen, reward_model=ByAmount(), bootstrap=50, path=Path("log.parquet"))


def without_overlap() -> Evaluation:
    n = 400
    logging = np.tile([1.0, 0.0], (n, 1))
    return evaluate_arrays(
        chosen=np.zeros(n, np.int64),
        reward=(np.arange(n) % 3 == 0).astype(np.float64),
        evaluation={"elsewhere": np.tile([0.0, 1.0], (n, 1))},
        logging=logging,
        bootstrap=20,
    )


def one_row() -> Evaluation:
    return evaluate([logged_batch(1)], [Named()], bootstrap=10)


def estimated() -> Evaluation:
    source = PropensitySource.ESTIMATED
    return evaluate([logged_batch(600)], [Named()], propensity_source=source, bootstrap=10)


def hostile() -> Evaluation:
    path = Path("<b>log</b>.parquet")
    return evaluate([logged_batch(500)], [Named(HOSTILE)], path=path, bootstrap=10)


def money() -> Evaluation:
    log = logged_batch(800)
    batch: LoggedBatch = replace(log, reward=log.reward * 80.0 - 5.0)
    reward = ColumnReward("margin", (-20.0, 100.0))
    return evaluate([batch], [Named()], reward=reward, bootstrap=10)


def many_routes() -> Evaluation:
    routes = tuple(f"acquirer-{number:02d}" for number in range(40))
    long = Named("a policy with a name that goes on and on, " * 4)
    return evaluate([logged_batch(800, routes)], [long], bootstrap=10)


def alarming() -> Evaluation:
    """Propensities that say half of what they were."""
    log = logged_batch(4_000)
    wrong = replace(log, propensity=0.5 * log.propensity, probability=None)
    return evaluate([wrong], [Named()], bootstrap=10, max_weight=1_000.0)


def narrow() -> Evaluation:
    """Money that hardly varies about a large mean: few decimals would show no width."""
    log = logged_batch(3_000)
    batch: LoggedBatch = replace(log, reward=1_234_567.0 + 0.01 * log.reward)
    reward = ColumnReward("margin", (1_234_567.0, 1_234_567.5))
    return evaluate([batch], [Named()], reward=reward, bootstrap=10)


def without_times() -> Evaluation:
    log = logged_batch(500)
    chosen = log.chosen
    return evaluate_arrays(
        chosen=chosen,
        reward=log.reward,
        evaluation={"uniform": np.full((500, 3), 1 / 3)},
        propensity=log.propensity,
        bootstrap=0,
    )


def never_taken() -> Evaluation:
    """The policy wants the one of 40 routes that the log never takes."""
    routes = tuple(f"acquirer-{number:02d}" for number in range(40))
    log = logged_batch(600, routes)
    assert log.probability is not None
    given = log.probability.reshape(600, 40).copy()
    given[:, 39] = 0.0
    given /= given.sum(axis=1, keepdims=True)
    chosen = np.where(log.chosen == 39, 0, log.chosen)
    flat = given.reshape(-1)
    batch = replace(
        log, chosen=chosen, probability=flat, propensity=flat[log.offsets[:-1] + chosen]
    )
    return evaluate([batch], [OnlyTheLast()], bootstrap=10)


@dataclass(frozen=True)
class OnlyTheLast:
    name: str = "last"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        given = np.zeros(batch.m)
        given[batch.offsets[1:] - 1] = 1.0
        return given


def winning() -> Evaluation:
    """The first action always succeeds, the others never: to prefer it is better."""
    log = logged_batch(3_000, uniform_logging=True)
    batch = replace(log, reward=(log.chosen == 0).astype(np.float64))
    chosen = [Named("often", 0.9), Named("sometimes", 0.3), Named("never", 0.0)]
    options = {"segments": ("network", "attempt"), "volume": True, "bootstrap": 10}
    return evaluate([batch], chosen, **options)  # type: ignore[arg-type]


def hostile_segments() -> Evaluation:
    log = logged_batch(800, (HOSTILE, "b", "c"))
    codes = np.zeros(800, np.int32)
    context = {
        **log.context,
        "network": Categorical(np.arange(800, dtype=np.int32) % 2, (HOSTILE, "other")),
        "currency": Categorical(codes, (HOSTILE,)),
    }
    batch = replace(log, context=context)
    options = {"segments": ("network",), "volume": True, "bootstrap": 10}
    return evaluate([batch], [Named(), Named(HOSTILE)], **options)  # type: ignore[arg-type]


def bounded() -> Evaluation:
    """With what a stated assumption on delays says."""
    evaluation = winning()
    interval = Interval("cressie-read", 0.1, 0.4, 0.95, Guarantee.COVERS)
    bounds = PartialValue("lipschitz:0.02/h", 0.2, 0.3, interval, interval, 0.05, 0.01, 3.5)
    policies = tuple(
        each if each.is_logging_policy else replace(each, bounds=bounds)
        for each in evaluation.policies
    )
    return replace(evaluation, policies=policies)


_CASES: dict[str, Callable[[], Evaluation]] = {
    "ordinary": ordinary,
    "the logging policy alone": lambda: ordinary(0),
    "six policies": lambda: ordinary(6),
    "no overlap": without_overlap,
    "one row": one_row,
    "estimated propensities": estimated,
    "hostile names": hostile,
    "money": money,
    "many routes": many_routes,
    "an alarm": alarming,
    "narrow intervals": narrow,
    "no times": without_times,
    "a route never taken": never_taken,
    "a winner": winning,
    "hostile segments": hostile_segments,
    "bounds": bounded,
}
CASES = {name: cache(make) for name, make in _CASES.items()}
