"""The truth that estimates are held against is itself true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch, concat
from authopt.evaluation.engine import evaluate
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.uniform import Uniform
from authopt.prices import load_prices
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic
from simulator.truth import (
    ExpectedMoney,
    OraclePolicy,
    true_value,
    value_of_own_log,
    value_on,
)

PRICES = """
currency = "USD"

[[fees]]
route = "atlas"
each = { fixed = 4 }
approved = { fixed = 10, bps = 25 }

[[fees]]
route = "delta"
each = { fixed = 6 }
"""
WORLD = small_world()
ROUTER = MerchantRouter(DEFAULT_ORDER)


@dataclass(frozen=True)
class GivesUp:
    """Stops wherever it may."""

    name: str = "gives up"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        stop = batch.is_stop.astype(np.float64)
        can = np.repeat(batch.sum_by_decision(stop), batch.counts)
        return np.where(can > 0, stop, np.repeat(1.0 / batch.counts, batch.counts))


def log(payments: int, seed: int, policy: Policy = ROUTER) -> LoggedBatch:
    return concat(list(simulate(WORLD, Traffic(payments, seed=seed), policy)))


def test_what_happens_scatters_around_the_known_chances_over_many_logs() -> None:
    z = []
    for seed in range(40):
        batch = log(500, 1_000 + seed)
        chance = WORLD.approval_probability(batch)[batch.chosen_action]
        z.append((batch.reward - chance).sum() / np.sqrt((chance * (1 - chance)).sum()))
    assert abs(np.mean(z)) < 4 / np.sqrt(40)
    # Chi-square with 40 degrees of freedom: between 15 and 80 but for one time in ten thousand.
    assert 15 < np.sum(np.square(z)) < 80


@pytest.mark.parametrize("policy", [Uniform(), OraclePolicy(WORLD)], ids=lambda each: each.name)
def test_the_standard_error_is_how_far_true_values_scatter(policy: Policy) -> None:
    values = [true_value(WORLD, policy, Traffic(400, seed=seed)) for seed in range(40)]
    for figure, error in (("per_decision", "per_decision_se"), ("per_payment", "per_payment_se")):
        scatter = np.std([getattr(value, figure) for value in values], ddof=1)
        claimed = np.mean([getattr(value, error) for value in values])
        # 40 values know their own scatter to about 11%.
        assert 0.6 < scatter / claimed < 1.5, figure


def test_the_true_value_per_payment_is_the_share_that_is_paid_in_the_end() -> None:
    batch = log(20_000, 3)
    value = value_of_own_log(WORLD, ROUTER, [batch])
    payments = (batch.attempt == 1).sum()
    paid = batch.reward.sum() / payments
    assert value.payments == payments
    assert value.per_payment == pytest.approx(paid, abs=4 * np.sqrt(paid * (1 - paid) / payments))
    stopped = batch.is_stop[batch.chosen_action].sum()
    assert value.attempts_per_payment == pytest.approx((batch.n - stopped) / payments)


def test_a_log_in_parts_has_the_true_value_of_the_whole() -> None:
    batch = log(1_000, 4)
    parts = [batch.take(slice(start, start + 90)) for start in range(0, batch.n, 90)]
    whole, summed = (value_of_own_log(WORLD, ROUTER, each) for each in ([batch], parts))
    assert summed.per_decision == pytest.approx(whole.per_decision, abs=1e-12)
    assert summed.per_payment_se == pytest.approx(whole.per_payment_se, rel=1e-9)


def test_a_single_payment_has_no_known_standard_error() -> None:
    value = true_value(WORLD, ROUTER, Traffic(1))
    assert value.payments == 1
    assert value.per_payment_se == float("inf")


def test_expectations_are_steadier_than_what_is_drawn() -> None:
    drawn, expected = [], []
    for seed in range(30):
        batch = log(300, 2_000 + seed)
        drawn.append(batch.reward.sum() / 300)
        expected.append(value_of_own_log(WORLD, ROUTER, [batch]).per_payment)
    assert np.std(expected) < np.std(drawn)


def test_giving_up_at_once_is_worth_the_first_attempt() -> None:
    traffic = Traffic(2_000, seed=6)
    value = true_value(WORLD, GivesUp(), traffic)
    batch = concat(list(simulate(WORLD, traffic, Uniform())))
    first = batch.take(np.flatnonzero(batch.attempt == 1)).decisions()
    assert value.per_payment == pytest.approx(value_on(WORLD, first, Uniform()).mean())
    assert value.attempts_per_payment == 1.0


def test_on_first_attempts_alone_the_two_values_agree() -> None:
    """On retries they differ: another policy meets other retries."""
    firsts = []
    for policy in (ROUTER, Uniform()):
        batch = log(800, 7, policy)
        first = batch.take(np.flatnonzero(batch.attempt == 1)).decisions()
        firsts.append(value_on(WORLD, first, Priority(DEFAULT_ORDER)).mean())
    assert firsts[0] == firsts[1]


def test_two_policies_that_take_the_same_action_see_the_same_come_back() -> None:
    logs = [log(2_000, 8, policy) for policy in (Uniform(), ROUTER)]
    seen = []
    for batch in logs:
        first = batch.take(np.flatnonzero(batch.attempt == 1))
        routes = [batch.routes[code] for code in first.action_route[first.chosen_action]]
        came = first.outcome["response_code"].values(), first.outcome["latency_ms"].tolist()
        seen.append(dict(zip(first.payment_id.to_pylist(),
                             zip(routes, *came, strict=True), strict=True)))  # fmt: skip
    same = [pid for pid, what in seen[0].items() if seen[1][pid][0] == what[0]]
    assert 400 < len(same) < 1_600
    assert all(seen[0][pid] == seen[1][pid] for pid in same)


def test_weighting_a_log_to_its_own_policy_gives_its_mean() -> None:
    batch = log(1_500, 9)
    estimates = evaluate([batch], [ROUTER], bootstrap=0).policies[1].estimates
    found = {each.estimator: each.value for each in estimates}
    assert found["ips"] == pytest.approx(batch.reward.mean(), abs=1e-12)
    assert found["snips"] == pytest.approx(batch.reward.mean(), abs=1e-12)


def test_the_interval_of_a_true_value_holds_what_happens_19_times_in_20() -> None:
    exact = true_value(WORLD, ROUTER, Traffic(20_000, seed=900)).per_payment
    values = [true_value(WORLD, ROUTER, Traffic(150, seed=seed)) for seed in range(40)]
    inside = [each.per_payment_interval[0] <= exact <= each.per_payment_interval[1]
              for each in values]  # fmt: skip
    # A true 95% falls below 80% of 40 less than once in a thousand times.
    assert np.mean(inside) >= 0.80
    lower, upper = values[0].per_decision_interval
    assert upper - values[0].per_decision == pytest.approx(
        1.96 * values[0].per_decision_se, rel=1e-3
    )
    assert lower < values[0].per_decision < upper


def test_money_is_expected_margin_less_expected_fees(tmp_path: Path) -> None:
    batch = log(300, 5).decisions()
    chance = WORLD.approval_probability(batch)
    amount = np.repeat(np.asarray(batch.context["amount_minor"]), batch.counts)
    assert np.allclose(ExpectedMoney(0.2)(WORLD, batch), 0.2 * chance * amount)
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    prices = load_prices(path)
    money = ExpectedMoney(0.2, prices)(WORLD, batch)
    approved, declined = (prices.fees_minor(batch, each) for each in (True, False))
    known = np.isfinite(approved)
    expected = chance * (0.2 * amount - approved) - (1 - chance) * declined
    assert known.any()
    assert np.allclose(money[known], expected[known])
    assert np.isnan(money[~known]).all()
    assert (money[batch.is_stop] == 0.0).all()


def test_the_true_value_in_money_is_what_the_log_brings() -> None:
    reward = ExpectedMoney(0.3)
    traffic = Traffic(8_000, seed=12)
    value = true_value(WORLD, ROUTER, traffic, reward=reward)
    batch = concat(list(simulate(WORLD, traffic, ROUTER)))
    earned = 0.3 * np.asarray(batch.context["amount_minor"]) * batch.reward
    # What is drawn scatters more than what is expected: the payments' amounts differ widely.
    error = np.sqrt(batch.n) * earned.std() / 8_000
    assert value.per_payment == pytest.approx(earned.sum() / 8_000, abs=4 * error)
    assert value.per_payment_se > 0


def test_a_log_that_does_not_say_all_probabilities_has_the_same_true_value() -> None:
    batch = log(500, 13)
    without = replace(batch, probability=None)
    assert value_of_own_log(WORLD, ROUTER, [without]) == value_of_own_log(WORLD, ROUTER, [batch])
