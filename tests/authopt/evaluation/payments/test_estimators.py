"""Estimators per payment: exact expectations, definitions, logs without end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from math import prod

import numpy as np
import pytest

from authopt.batch import DecisionBatch, FloatArray
from authopt.evaluation.engine import evaluate
from authopt.evaluation.payments.paths import paths_of
from authopt.evaluation.payments.rows import PaymentSums
from authopt.evaluation.payments.summary import payment_result
from authopt.evaluation.payments.survey import survey
from authopt.evaluation.settings import Settings
from simulator.tiny_episodes import (
    EPISODES,
    LOGGING,
    Policy,
    by_state,
    episode_log,
)
from tests.authopt.evaluation.payments.tiny_payments import (
    FAST,
    GOES_ON,
    NEVER_STOPS,
    POLICY,
    STOPS_EARLIER,
    WRONG,
    added,
    every_payment,
    point_estimates,
    values,
)

UNBIASED = ("ips", "pdis", "dr")


def expectations(
    n: int, policy: Policy, logging: Policy = LOGGING, *, stopping: bool = True
) -> dict[tuple[str, str], float]:
    """Mean of every estimate over all logs of n payments."""
    mean: dict[tuple[str, str], float] = {}
    for payments, chance in EPISODES.logs(logging, n):
        sums = added(
            [episode_log(payments, logging)],
            lambda batch: by_state(batch, policy),
            lambda batch: by_state(batch, WRONG),
            stopping=stopping,
        )
        for name, value in point_estimates(sums).items():
            mean[name] = mean.get(name, 0.0) + chance * value
    return mean


@pytest.mark.parametrize("policy", [POLICY, STOPS_EARLIER, GOES_ON])
@pytest.mark.parametrize("stopping", [True, False])
def test_whole_path_per_decision_and_doubly_robust_are_unbiased(
    policy: Policy, stopping: bool
) -> None:
    found = expectations(1, policy, stopping=stopping)
    truth = float(EPISODES.value(policy))
    for name in UNBIASED:
        assert found["r", name] == pytest.approx(truth, abs=1e-9)
    attempts = float(EPISODES.attempts(policy))
    for name in ("ips", "pdis"):
        assert found["made", name] == pytest.approx(attempts, abs=1e-9)


def test_they_are_unbiased_where_the_policy_gives_up_and_the_log_never_does() -> None:
    found = expectations(1, STOPS_EARLIER, NEVER_STOPS)
    for name in UNBIASED:
        assert found["r", name] == pytest.approx(float(EPISODES.value(STOPS_EARLIER)), abs=1e-9)
    attempts = float(EPISODES.attempts(STOPS_EARLIER))
    for name in ("ips", "pdis"):
        assert found["made", name] == pytest.approx(attempts, abs=1e-9)


@pytest.fixture(scope="module")
def logs_of_two() -> dict[tuple[str, str], float]:
    return expectations(2, POLICY)


@pytest.mark.parametrize("estimator", UNBIASED)
def test_they_stay_unbiased_with_values_to_come_fitted_on_other_payments(
    logs_of_two: dict[tuple[str, str], float], estimator: str
) -> None:
    assert logs_of_two["r", estimator] == pytest.approx(float(EPISODES.value(POLICY)), abs=1e-9)


@pytest.mark.parametrize("estimator", ["wis", "wpdis"])
def test_self_normalised_estimators_are_biased_in_small_logs(
    logs_of_two: dict[tuple[str, str], float], estimator: str
) -> None:
    assert abs(logs_of_two["r", estimator] - float(EPISODES.value(POLICY))) > 1e-3


@pytest.mark.parametrize("policy", [POLICY, STOPS_EARLIER, GOES_ON])
def test_all_but_the_doubly_robust_give_the_truth_on_a_log_without_end(policy: Policy) -> None:
    sums = added([every_payment()], lambda batch: by_state(batch, policy))
    result = payment_result(sums, FAST)
    found = values(result)
    assert set(found) == {"ips", "wis", "pdis", "wpdis", "mis"}
    for value in found.values():
        assert value == pytest.approx(float(EPISODES.value(policy)), abs=1e-9)
    for value in values(result, "attempts").values():
        assert value == pytest.approx(float(EPISODES.attempts(policy)), abs=1e-9)


def by_definition(sums: PaymentSums) -> dict[str, float]:
    """Every estimator, payment by payment and step by step, as its paper writes it."""
    to_go = survey(sums).to_go
    assert to_go is not None
    episodes: list[list[tuple[float, ...]]] = []
    for paths in paths_of(sums.rows):
        q, v = to_go.values(paths)
        columns = (paths.rows["w"], paths.rows["r"], q, v, paths.rows["state"])
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        ends = [*paths.start.tolist()[1:], len(rows)]
        episodes += [rows[a:b] for a, b in zip(paths.start.tolist(), ends, strict=True)]
    n, longest = len(episodes), max(map(len, episodes))

    def rho(episode: list[tuple[float, ...]], steps: int) -> float:
        return prod((row[0] for row in episode[:steps]), start=1.0)

    total = dict.fromkeys(("ips", "wis", "pdis", "wpdis", "dr", "wdr", "mis"), 0.0)
    whole = [rho(each, longest) * sum(row[1] for row in each) for each in episodes]
    total["ips"] = sum(whole) / n
    total["wis"] = sum(whole) / sum(rho(each, longest) for each in episodes)
    share = {each[0][4]: 0.0 for each in episodes}
    for each in episodes:
        share[each[0][4]] += 1 / n
    for step in range(longest):
        present = [each for each in episodes if len(each) > step]
        after = sum(rho(each, step + 1) for each in episodes)
        before = sum(rho(each, step) for each in episodes)
        rows = [each[step] for each in present]
        weights = [rho(each, step) for each in present]
        pairs = list(zip(rows, weights, strict=True))
        reward = sum(past * w * r for (w, r, _, _, _), past in pairs)
        error = sum(past * w * (r - q) for (w, r, q, _, _), past in pairs)
        value = sum(past * v for (_, _, _, v, _), past in pairs)
        total["pdis"] += reward / n
        total["wpdis"] += reward / after
        total["dr"] += (value + error) / n
        total["wdr"] += value / before + error / after
        following: dict[float, float] = {}
        for state, chance in share.items():
            inside = [each for each in present if each[step][4] == state]
            total["mis"] += (
                chance * sum(each[step][0] * each[step][1] for each in inside) / len(inside)
            )
            for each in inside:
                if len(each) > step + 1:
                    target = each[step + 1][4]
                    move = chance * each[step][0] / len(inside)
                    following[target] = following.get(target, 0.0) + move
        share = following
    return total


@pytest.mark.parametrize("policy", [POLICY, STOPS_EARLIER, GOES_ON])
def test_every_estimator_is_what_its_paper_writes(policy: Policy) -> None:
    log = every_payment()
    part = log.take(np.flatnonzero(np.isin(np.arange(log.n) % 7, (0, 3, 4))))
    sums = added([part], lambda batch: by_state(batch, policy), lambda b: by_state(b, WRONG))
    expected = by_definition(sums)
    found = point_estimates(sums)
    for name, value in expected.items():
        assert found["r", name] == pytest.approx(value, abs=1e-10)


def test_the_marginalised_estimator_is_biased_where_its_state_leaves_out_what_matters() -> None:
    sums = PaymentSums(state_columns=())
    sums = added([every_payment()], lambda batch: by_state(batch, POLICY), sums=sums)
    found = values(payment_result(sums, FAST))
    assert abs(found["mis"] - float(EPISODES.value(POLICY))) > 1e-3


def test_doubly_robust_estimates_come_close_to_the_truth_on_a_log_without_end() -> None:
    log = [every_payment()]
    sums = added(log, lambda batch: by_state(batch, POLICY), lambda batch: by_state(batch, WRONG))
    found = values(payment_result(sums, FAST))
    assert found["dr"] == pytest.approx(float(EPISODES.value(POLICY)), abs=5e-3)
    assert found["wdr"] == pytest.approx(float(EPISODES.value(POLICY)), abs=5e-3)


def test_rewards_that_come_at_every_step_are_counted_at_every_step() -> None:
    log = every_payment()
    made = ~log.is_stop[log.chosen_action]
    log = replace(log, reward=log.reward - 0.25 * made)
    sums = added([log], lambda batch: by_state(batch, POLICY))
    result = payment_result(sums, Settings(reward_low=-0.25, reward_high=0.75, bootstrap=0))
    truth = float(EPISODES.value(POLICY) - F(1, 4) * EPISODES.attempts(POLICY))
    for value in values(result).values():
        assert value == pytest.approx(truth, abs=1e-9)
    interval = result.value.estimate.interval
    assert interval.lower < truth < interval.upper


@dataclass(frozen=True)
class ByState:
    """Probabilities by state."""

    table: Policy
    name: str = "by state"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return by_state(batch, self.table)


def test_payments_of_one_decision_are_judged_as_decisions_are() -> None:
    log = every_payment(world=replace(EPISODES, longest=1))
    result = payment_result(added([log], lambda batch: by_state(batch, POLICY)), FAST)
    decisions = evaluate([log], [ByState(POLICY)], bootstrap=0).policies[1]
    for ours, theirs in (("ips", "ips"), ("pdis", "ips"), ("wis", "snips"), ("wpdis", "snips")):
        mine = next(each for each in result.value.estimates if each.estimator == ours)
        single = decisions.estimate(theirs)
        assert mine.value == pytest.approx(single.value, abs=1e-12)
        assert mine.interval.lower == pytest.approx(single.interval.lower, abs=1e-9)
        assert mine.interval.upper == pytest.approx(single.interval.upper, abs=1e-9)
