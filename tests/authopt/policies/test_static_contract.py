"""What holds for every policy, for those that neither explore nor learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from authopt.batch import Categorical, DecisionBatch, LoggedBatch
from authopt.learning.best_time import fit_best_time
from authopt.policies.lowest_cost import LowestCost
from authopt.policies.priority import Priority
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.random_split import RandomSplit
from authopt.policies.schedule import scheduled
from authopt.policies.success_rate import SuccessRate
from authopt.policies.timetable import SAME_HOUR, Timetable
from authopt.policies.uniform import Uniform
from authopt.prices import load_prices
from tests.authopt.policies.batches import Decision, batch_of, decisions
from tests.factories import logged_batch

PRICES = """
currency = "EUR"

[[fees]]
route = "adyen"
each = { fixed = 10 }
approved = { bps = 60 }

[[fees]]
route = ["braintree", "checkout"]
approved = { fixed = 30 }
"""


@cache
def training_log() -> LoggedBatch:
    """A log with retries, per-action features and a ``stop`` that is sometimes taken."""
    batch = logged_batch(1_500, with_stop=True, attempts_per_payment=3)
    rng = np.random.default_rng(3)
    previous = np.where(batch.attempt > 1, rng.integers(0, 3, batch.n), -1).astype(np.int32)
    return replace(
        batch,
        context={**batch.context, "previous_route": Categorical(previous, batch.routes)},
        action_features={"rate": rng.random(batch.m)},
    )


def lowest_cost(folder: Path) -> Policy:
    (folder / "prices.toml").write_text(PRICES, "utf-8")
    return LowestCost(load_prices(folder / "prices.toml"), 0.9, ("checkout",))


def learnt(_: Path) -> Policy:
    policy = SuccessRate(window=50, dimensions=("network",))
    policy.update(training_log())
    return scheduled(policy)


POLICIES: dict[str, Callable[[Path], Policy]] = {
    "random split": lambda _: RandomSplit({"checkout": 3.0, "adyen": 1.0}),
    "lowest cost": lowest_cost,
    "best time": lambda _: fit_best_time([training_log()]),
    "scheduled order": lambda _: scheduled(Priority(("checkout", "adyen")), Timetable()),
    "scheduled uniform": lambda _: scheduled(Uniform(), SAME_HOUR),
    "scheduled success-rate": learnt,
}


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    folder = tmp_path_factory.mktemp("policies")
    return {name: make(folder) for name, make in POLICIES.items()}


def in_euros(rows: list[Decision]) -> DecisionBatch:
    """The decisions, with a currency that the price list has."""
    batch = batch_of(rows)
    currency = Categorical.from_values(["EUR"] * batch.n)
    return replace(batch, context={**batch.context, "currency": currency})


@pytest.mark.parametrize("name", POLICIES)
@given(rows=decisions())
@settings(max_examples=12, deadline=None)
def test_probabilities_are_non_negative_and_sum_to_one(
    policies: dict[str, Policy], name: str, rows: list[Decision]
) -> None:
    batch = in_euros(rows)
    probability = policies[name].probabilities(batch)
    assert probability.dtype == np.float64
    assert probability.shape == (batch.m,)
    assert (probability >= 0).all()
    assert np.abs(batch.sum_by_decision(probability) - 1.0).max() < 1e-12


@pytest.mark.parametrize("name", POLICIES)
@given(rows=decisions())
@settings(max_examples=12, deadline=None)
def test_a_decision_does_not_depend_on_its_neighbours(
    policies: dict[str, Policy], name: str, rows: list[Decision]
) -> None:
    together = policies[name].probabilities(in_euros(rows))
    alone = [policies[name].probabilities(in_euros([row])) for row in rows]
    assert together == pytest.approx(np.concatenate(alone), abs=1e-12)


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
