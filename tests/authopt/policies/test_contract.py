"""What holds for every policy: probabilities of a decision, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from authopt.batch import Categorical, LoggedBatch
from authopt.learning.route_rates import fit_best_route
from authopt.learning.train_vw import train_vw
from authopt.policies.best_route import BestRoute
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.table import TablePolicy
from authopt.policies.uniform import Uniform
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from tests.authopt.policies.batches import ROUTES, Decision, batch_of, decisions
from tests.factories import logged_batch

EPSILON = 0.05


def training_log() -> LoggedBatch:
    """A log with retries, per-action features and a ``stop`` that is sometimes taken."""
    batch = logged_batch(800, with_stop=True)
    rng = np.random.default_rng(3)
    previous = np.where(batch.attempt > 1, rng.integers(0, 3, batch.n), -1).astype(np.int32)
    return replace(
        batch,
        context={**batch.context, "previous_route": Categorical(previous, batch.routes)},
        action_features={"rate": rng.random(batch.m)},
    )


def vw(explorer: str, folder: Path) -> Policy:
    out = folder / f"{explorer}.vw"
    train_vw(lambda _: [training_log()], out, VwOptions(explorer=explorer, epsilon=EPSILON))  # type: ignore[arg-type]
    return VwPolicy.load(out)


def trained_rates(_: Path) -> Policy:
    policy = SuccessRate(window=50, dimensions=("network", "previous_route"))
    policy.update(training_log())
    return policy


def table(folder: Path) -> Policy:
    lines = ["network,route,probability"]
    for network in ("visa", "mastercard", "a new | one", ""):
        lines += [f"{network},{route},0.2" for route in ROUTES]
    (folder / "router.csv").write_text("\n".join(lines))
    return TablePolicy.load(folder / "router.csv")


POLICIES: dict[str, Callable[[Path], Policy]] = {
    "uniform": lambda _: Uniform(),
    "priority": lambda _: Priority(("checkout", "adyen")),
    "priority from the top": lambda _: Priority(("checkout", "adyen"), cascade=False),
    "best-route": lambda _: fit_best_route([training_log()]),
    "best-route unfitted": lambda _: BestRoute(),
    "success-rate": trained_rates,
    "success-rate fresh": lambda _: SuccessRate(),
    "mixed": lambda _: mixed(Priority(("adyen",)), EPSILON),
    "mixed success-rate": lambda folder: mixed(trained_rates(folder), EPSILON),
    "table": table,
    "vw": lambda folder: vw("epsilon", folder),
    "vw squarecb": lambda folder: vw("squarecb", folder),
}
EXPLORERS = ("uniform", "mixed", "mixed success-rate", "success-rate", "vw", "vw squarecb")


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    folder = tmp_path_factory.mktemp("policies")
    return {name: make(folder) for name, make in POLICIES.items()}


@pytest.mark.parametrize("name", POLICIES)
@given(rows=decisions())
@settings(max_examples=40, deadline=None)
def test_probabilities_are_non_negative_and_sum_to_one(
    policies: dict[str, Policy], name: str, rows: list[Decision]
) -> None:
    batch = batch_of(rows)
    probability = policies[name].probabilities(batch)
    assert probability.dtype == np.float64
    assert probability.shape == (batch.m,)
    assert (probability >= 0).all()
    assert np.abs(batch.sum_by_decision(probability) - 1.0).max() < 1e-12


@pytest.mark.parametrize("name", POLICIES)
@given(rows=decisions())
@settings(max_examples=40, deadline=None)
def test_a_decision_does_not_depend_on_its_neighbours(
    policies: dict[str, Policy], name: str, rows: list[Decision]
) -> None:
    together = policies[name].probabilities(batch_of(rows))
    alone = [policies[name].probabilities(batch_of([row])) for row in rows]
    assert together == pytest.approx(np.concatenate(alone), abs=1e-12)


@pytest.mark.parametrize("name", EXPLORERS)
@given(rows=decisions())
@settings(max_examples=40, deadline=None)
def test_explorers_never_go_below_their_floor(
    policies: dict[str, Policy], name: str, rows: list[Decision]
) -> None:
    batch = batch_of(rows)
    floor = EPSILON / np.repeat(batch.counts, batch.counts)
    assert (policies[name].probabilities(batch) >= floor * (1 - 1e-5)).all()


@pytest.mark.parametrize("name", POLICIES)
def test_the_order_of_the_vocabulary_means_nothing(policies: dict[str, Policy], name: str) -> None:
    batch = training_log().decisions()
    turned = replace(
        batch,
        routes=batch.routes[::-1],
        action_route=(len(batch.routes) - 1 - batch.action_route).astype(np.int32),
    )
    before, after = (policies[name].probabilities(each) for each in (batch, turned))
    assert before == pytest.approx(after, abs=1e-12)


@pytest.mark.parametrize("name", POLICIES)
def test_an_empty_batch_has_no_probabilities(policies: dict[str, Policy], name: str) -> None:
    empty = training_log().decisions().take(slice(0, 0))
    assert len(policies[name].probabilities(empty)) == 0


@pytest.mark.parametrize("name", POLICIES)
def test_a_logged_batch_is_decided_as_its_decisions_are(
    policies: dict[str, Policy], name: str
) -> None:
    log = replace(training_log(), routes=("adyen", "braintree", "never seen", "stop"))
    expected = policies[name].probabilities(log.decisions())
    assert policies[name].probabilities(log) == pytest.approx(expected, abs=0)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_has_a_name_and_says_whether_it_learns(
    policies: dict[str, Policy], name: str
) -> None:
    policy = policies[name]
    assert isinstance(policy, Policy)
    assert policy.name
    assert isinstance(policy, LearningPolicy) == ("success-rate" in name)
