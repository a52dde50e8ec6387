"""Chances of approval times what approvals are worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import DecisionBatch, LoggedBatch
from authopt.errors import UserError
from authopt.learning.expected_money import LEAST_ROWS, fit_expected_money
from authopt.learning.gate.trained_on import trained_on
from authopt.policies.approval_by_route import RouteTrees
from authopt.policies.expected_money import ExpectedMoney, reward_if
from authopt.policies.spec import load_policy
from authopt.rewards import MoneyReward, parse_reward
from tests.factories import logged_batch

PRICES = """
currency = "EUR"
fees = [
  { route = "adyen", approved = { fixed = 10 }, declined = { fixed = 5 } },
  { route = "braintree", approved = { fixed = 400 }, declined = { fixed = 300 } },
  { route = "checkout", approved = { fixed = 10, bps = 100 }, declined = { fixed = 10 } },
]
"""

REWARD = """
currency = "EUR"
prices = "prices.toml"
[margin]
share = 0.10
[fees]
excess_retries = false
[largest]
amount_minor = 100_000
fees_minor = 2_000
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("money")
    (path / "prices.toml").write_text(PRICES, "utf-8")
    (path / "reward.toml").write_text(REWARD, "utf-8")
    return path


@pytest.fixture(scope="module")
def reward(folder: Path) -> MoneyReward:
    found = parse_reward(f"money:{folder / 'reward.toml'}")
    assert isinstance(found, MoneyReward)
    return found


@pytest.fixture(scope="module")
def log() -> LoggedBatch:
    return logged_batch(4 * LEAST_ROWS, with_stop=True, uniform_logging=True)


@pytest.fixture(scope="module")
def policy(log: LoggedBatch, reward: MoneyReward) -> ExpectedMoney:
    return fit_expected_money(lambda _: [log], reward, epsilon=0.1)


@pytest.fixture(scope="module")
def later() -> DecisionBatch:
    return logged_batch(60, seed=3, with_stop=True).decisions()


def test_what_an_action_is_worth_is_what_the_reward_says_of_it_in_a_log(
    log: LoggedBatch, reward: MoneyReward
) -> None:
    some = log.take(slice(0, 50))
    expected = reward.of(some)
    approved, declined = (
        reward_if(reward, some, each)[some.chosen_action] for each in (True, False)
    )
    assert np.where(some.reward == 1.0, approved, declined) == pytest.approx(expected)


def test_giving_up_is_worth_nothing(later: DecisionBatch, policy: ExpectedMoney) -> None:
    assert not policy.expected(later)[later.is_stop].any()


def test_the_best_action_is_taken_but_for_exploration(
    later: DecisionBatch, policy: ExpectedMoney
) -> None:
    value = policy.expected(later).reshape(later.n, -1)
    found = policy.probabilities(later).reshape(later.n, -1)
    assert found[np.arange(later.n), value.argmax(axis=1)] == pytest.approx(0.9 + 0.1 / 4)
    assert found.min() == pytest.approx(0.1 / 4)


def test_a_small_payment_is_not_sent_where_fees_eat_the_margin(
    later: DecisionBatch, policy: ExpectedMoney
) -> None:
    small = replace(later, context={**later.context, "amount_minor": np.full(later.n, 200.0)})
    found = policy.probabilities(small).reshape(small.n, -1)
    assert found[:, small.routes.index("braintree")] == pytest.approx(0.1 / 4)


def test_payments_of_which_every_attempt_loses_money_are_given_up(
    later: DecisionBatch, policy: ExpectedMoney
) -> None:
    tiny = replace(later, context={**later.context, "amount_minor": np.full(later.n, 1.0)})
    found = policy.probabilities(tiny)
    assert found[tiny.is_stop] == pytest.approx(0.9 + 0.1 / 4)


def test_every_route_with_enough_attempts_has_a_model_of_its_own(
    log: LoggedBatch, reward: MoneyReward, policy: ExpectedMoney, later: DecisionBatch
) -> None:
    taken = np.bincount(log.action_route[log.chosen_action], minlength=4)
    enough = {name for name, count in zip(log.routes, taken, strict=True) if count >= LEAST_ROWS}
    assert isinstance(policy.model, RouteTrees)
    assert set(policy.model.by_route) == enough - {"stop"}
    few = fit_expected_money(lambda _: [log.take(slice(0, LEAST_ROWS))], reward)
    assert isinstance(few.model, RouteTrees)
    assert not few.model.by_route
    assert (few.approval(later)[~later.is_stop] > 0.0).all()


def test_it_is_restored_exactly_and_says_what_it_learned_from(
    folder: Path, log: LoggedBatch, policy: ExpectedMoney, later: DecisionBatch
) -> None:
    path = folder / "money.json"
    policy.save(path)
    spec = f"expected-money:{path},reward={folder / 'reward.toml'},epsilon=0.1"
    assert np.array_equal(load_policy(spec).probabilities(later), policy.probabilities(later))
    known = trained_on(spec)
    assert known is not None
    assert known.until == log.decided_at[log.attempt == 1].max()


def test_a_decision_does_not_depend_on_the_others_of_its_batch(
    policy: ExpectedMoney, later: DecisionBatch
) -> None:
    alone = [policy.probabilities(later.take(slice(row, row + 1))) for row in range(5)]
    together = policy.probabilities(later)[: 5 * 4]
    assert np.concatenate(alone) == pytest.approx(together, abs=1e-12)


def test_without_amounts_it_says_what_it_lacks(policy: ExpectedMoney, later: DecisionBatch) -> None:
    context = {name: column for name, column in later.context.items() if name != "amount_minor"}
    with pytest.raises(UserError, match="amount_minor"):
        policy.probabilities(replace(later, context=context))


def test_a_spec_without_a_reward_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="needs a reward"):
        load_policy(f"expected-money:{folder / 'money.json'}")
