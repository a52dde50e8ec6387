from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch, concat
from authopt.learning.targets import Targets
from authopt.learning.train_vw import train_vw
from authopt.learning.warm_start import fit_support, pessimistic_targets
from authopt.policies.priority import Priority, first_of_each
from authopt.policies.protocol import Policy
from authopt.policies.schedule import scheduled
from authopt.policies.timetable import Timetable
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.truth import true_value
from simulator.worlds import named_world
from tests.factories import logged_batch

ROUTES = ("adyen", "braintree", "checkout")
NETWORKS = ("visa", "mastercard", "amex")
SUCCESS = np.array([[0.9, 0.5, 0.2], [0.1, 0.45, 0.2], [0.3, 0.8, 0.2]])
"""By network and route: adyen is good for visa alone; checkout is never taken."""

RULE = (0, 1, 0)
"""The route of each network; that of amex is changed to braintree halfway."""


def log_of_rules(n: int = 6000) -> LoggedBatch:
    rng = np.random.default_rng(4)
    batch = logged_batch(n, routes=ROUTES, attempts_per_payment=1)
    network = rng.integers(0, 3, n)
    chosen = np.array(RULE)[network]
    chosen[(network == 2) & (np.arange(n) >= n // 2)] = 1
    approved = (rng.random(n) < SUCCESS[network, chosen]).astype(np.float64)
    return replace(
        batch,
        context={**batch.context, "network": Categorical(network.astype(np.int32), NETWORKS)},
        chosen=chosen.astype(np.int64),
        propensity=np.ones(n),
        probability=None,
        reward=approved,
        outcome={},
    )


def favourite(folder: Path, targets: Targets) -> list[int]:
    """The route that the trained model likes best, by network."""
    log = log_of_rules()
    out = folder / "model.vw"
    train_vw(lambda _: [log], out, VwOptions(), targets=targets, judge=False)
    decisions = log.decisions().take(np.arange(600))
    probability: FloatArray = VwPolicy.load(out).probabilities(decisions).reshape(-1, 3)
    network = decisions.context["network"].codes  # type: ignore[union-attr]
    return [int(probability[network == each].mean(0).argmax()) for each in range(3)]


def test_it_does_as_the_rules_did_unless_something_else_was_better_like_for_like(
    tmp_path: Path,
) -> None:
    assert favourite(tmp_path, "pessimistic") == [0, 1, 1]


def test_regression_takes_the_payments_of_a_route_for_its_doing(tmp_path: Path) -> None:
    assert favourite(tmp_path, "observed")[1] == 0


def test_the_columns_that_the_rules_go_by_are_found() -> None:
    log = log_of_rules()
    assert fit_support(log, log.reward, 0.0).columns == ("network",)


def test_a_bound_lies_below_the_mean_and_is_the_worst_where_nothing_was_seen() -> None:
    log = log_of_rules()
    bounds = fit_support(log, log.reward, 0.0).bounds(log).reshape(-1, 3)
    network = log.context["network"].codes  # type: ignore[union-attr]
    assert (bounds[:, 2] == 0.0).all()
    for one, route in ((0, 0), (1, 1), (2, 0), (2, 1)):
        mean = log.reward[(network == one) & (log.chosen == route)].mean()
        assert mean - 0.1 < bounds[network == one, route][0] < mean
    assert (bounds[network == 1, 0] == 0.0).all()


def test_the_bounds_do_not_depend_on_the_order_of_vocabularies() -> None:
    log = log_of_rules()
    support = fit_support(log, log.reward, 0.0)
    order = [2, 0, 1]
    network = log.context["network"]
    assert isinstance(network, Categorical)
    other = replace(
        log,
        routes=tuple(ROUTES[each] for each in order),
        action_route=np.argsort(order)[log.action_route].astype(np.int32),
        context={
            **log.context,
            "network": Categorical(
                np.argsort(order)[network.codes].astype(np.int32),
                tuple(NETWORKS[each] for each in order),
            ),
        },
    )
    assert np.array_equal(support.bounds(log), support.bounds(other))


def test_decisions_that_explored_are_learned_as_they_are() -> None:
    log = log_of_rules(100)
    half = replace(log, propensity=np.where(np.arange(100) < 50, 1.0, 0.9))
    target, actions = pessimistic_targets(half, half.reward, fit_support(log, log.reward, 0.0))
    assert len(actions) == 50 * 3 + 50
    assert np.array_equal(target[half.chosen_action], half.reward)


class Greedy:
    name = "greedy"

    def __init__(self, policy: VwPolicy) -> None:
        self.policy = policy

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return first_of_each(batch, -self.policy.probabilities(batch))


def made_by(name: str, policy: Policy, start: str = "2026-01-05", seed: int = 3) -> LoggedBatch:
    traffic = Traffic(20_000, np.datetime64(start), 28, seed)
    return concat(list(simulate(named_world(name).world, traffic, policy)))


def trained(folder: Path, log: LoggedBatch, targets: Targets) -> VwPolicy:
    out = folder / "model.vw"
    train_vw(lambda _: [log], out, VwOptions(epsilon=0.1), targets=targets, judge=False)
    return VwPolicy.load(out)


def worth(name: str, policy: Policy) -> float:
    """True value per payment, where a trained policy takes what it likes best."""
    asked = Greedy(policy) if isinstance(policy, VwPolicy) else policy
    return true_value(named_world(name).world, asked, Traffic(12_000, days=28, seed=77)).per_payment


NOISE = 0.002
"""About the standard error of a difference in value per payment."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "cards"])
def test_of_good_rules_regression_loses_and_the_warm_start_keeps_what_they_earn(
    tmp_path: Path, name: str
) -> None:
    rules = scheduled(Priority(named_world(name).order), Timetable((1.0, 3.0, 5.0, 7.0), "repeat"))
    log, earned = made_by(name, rules), worth(name, rules)
    assert worth(name, trained(tmp_path, log, "observed")) < earned - NOISE
    assert worth(name, trained(tmp_path, log, "pessimistic")) > earned - NOISE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "cards"])
def test_of_rules_that_can_be_improved_it_keeps_what_they_earn_and_gains_as_it_explores(
    tmp_path: Path, name: str
) -> None:
    rules = Priority(named_world(name).order)
    warm = trained(tmp_path, made_by(name, rules), "pessimistic")
    begun = worth(name, warm)
    assert begun > worth(name, rules) - NOISE
    explored = made_by(name, warm, "2026-02-02", 5)
    assert worth(name, trained(tmp_path, explored, "observed")) > begun + NOISE
