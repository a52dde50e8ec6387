"""The simulated log: what the world says is what happens, and the log can be trusted."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import BoolArray, Categorical, LoggedBatch, concat
from authopt.evaluation.engine import evaluate
from authopt.learning.reward_model import fit_reward_model
from authopt.logs.arrow import to_arrow
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.uniform import Uniform
from authopt.rules import MerchantRules, apply_rules, load_rules
from simulator.logging_policy import DEFAULT_ORDER, EXPLORATION, MerchantRouter
from simulator.simulate import in_order, simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic
from simulator.truth import OraclePolicy, true_value, value_on

WORLD = small_world()
ROUTER = MerchantRouter(DEFAULT_ORDER)


@cache
def log(payments: int = 20_000, seed: int = 1) -> LoggedBatch:
    return concat(list(simulate(WORLD, Traffic(payments, seed=seed), ROUTER)))


def where(batch: LoggedBatch, name: str, value: str) -> BoolArray:
    column = batch.context.get(name, batch.outcome.get(name))
    assert isinstance(column, Categorical)
    return np.asarray(column.recode((value,)) == 0)


def strata(batch: LoggedBatch) -> Iterator[tuple[str, BoolArray]]:
    for attempt in (1, 2, 3):
        yield f"attempt {attempt}", batch.attempt == attempt
    for name in ("issuer", "merchant_id", "network", "funding", "previous_response_code"):
        column = batch.context[name]
        assert isinstance(column, Categorical)
        for value in column.categories:
            yield f"{name} {value}", where(batch, name, value)
    for name in ("token", "three_ds", "local_day"):
        column = np.asarray(batch.context[name])
        for number in np.unique(column):
            yield f"{name} {number}", column == number
    challenged = where(batch, "initiator", "cit") & (np.asarray(batch.context["three_ds"]) == 0)
    countries = [where(batch, "issuer_country", country) for country in ("GB", "DE", "FR")]
    yield "challenged in Europe", challenged & np.any(countries, axis=0)
    for route in batch.routes:
        taken = batch.action_route[batch.chosen_action] == batch.routes.index(route)
        yield f"route {route}", taken


def test_in_every_stratum_approvals_are_as_frequent_as_the_world_says() -> None:
    batch = log(200_000, seed=2)
    chance = WORLD.approval_probability(batch)[batch.chosen_action]
    worst = 0.0
    for name, rows in strata(batch):
        if rows.sum() < 30:
            continue
        deviation = batch.reward[rows].sum() - chance[rows].sum()
        spread = np.sqrt((chance[rows] * (1 - chance[rows])).sum())
        if spread == 0.0:
            assert deviation == 0.0, name
            continue
        worst = max(worst, abs(deviation) / spread)
    # About 60 strata: the largest of as many standard normal values is rarely above 4.
    assert worst < 4.0


def test_the_waits_change_the_chances_as_the_world_says() -> None:
    batch = log()
    no_funds = where(batch, "previous_response_code", "51")
    delay = batch.action_delay_s[batch.chosen_action]
    chance = WORLD.approval_probability(batch)[batch.chosen_action]
    means = []
    for wait in (0, 3_600, 86_400, 259_200):
        rows = no_funds & (delay == wait) & ~batch.is_stop[batch.chosen_action]
        spread = np.sqrt((chance[rows] * (1 - chance[rows])).sum())
        assert abs(batch.reward[rows].sum() - chance[rows].sum()) < 4 * spread + 1e-9
        means.append(float(chance[rows].mean()))
    assert means == sorted(means)
    assert means[0] < 0.02
    assert means[-1] > 0.25


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), policy=st.sampled_from([ROUTER, Uniform()]))
def test_no_logged_decision_breaks_a_rule(seed: int, policy: Policy) -> None:
    for batch in simulate(WORLD, Traffic(400, seed=seed), policy):
        assert apply_rules(batch.decisions()).keep.all()


def test_propensities_are_those_of_the_policy_that_made_the_log() -> None:
    batch = log(4_000)
    assert batch.probability is not None
    assert np.allclose(batch.probability, ROUTER.probabilities(batch.decisions()), atol=1e-15)
    assert np.array_equal(batch.probability[batch.chosen_action], batch.propensity)
    floor = EXPLORATION / batch.counts
    assert (batch.propensity >= floor - 1e-12).all()


def test_the_rows_do_not_depend_on_the_chunks() -> None:
    traffic = Traffic(900, seed=5)
    whole = concat(list(simulate(WORLD, traffic, ROUTER)))
    parts = concat(list(simulate(WORLD, traffic, ROUTER, chunk_payments=70)))
    assert to_arrow(whole).to_pylist() == to_arrow(parts).to_pylist()


def test_rows_of_one_instant_stand_in_an_order_that_does_not_depend_on_how_they_came() -> None:
    batch = log(4_000).take(slice(0, 200))
    same = replace(batch, decided_at=np.repeat(batch.decided_at[::20], 20))
    shuffled = same.take(np.random.default_rng(1).permutation(same.n))
    names = in_order(same).decision_id.to_pylist()
    assert in_order(shuffled).decision_id.to_pylist() == names
    assert names != same.decision_id.to_pylist()
    assert (np.diff(in_order(shuffled).decided_at) >= np.timedelta64(0)).all()


def test_in_order_may_take_some_rows_only() -> None:
    batch = log(4_000).take(slice(0, 100))
    rows = np.array([70, 3, 41])
    assert in_order(batch, rows).decision_id.to_pylist() == (
        batch.take(np.sort(rows)).decision_id.to_pylist()
    )


def test_no_payments_make_no_log() -> None:
    assert list(simulate(WORLD, Traffic(0), ROUTER)) == []


def peak_bytes(payments: int, days: int) -> int:
    """Most that numpy and Arrow held at once while a log was made."""
    traffic = Traffic(payments, days=days, seed=6)
    most = 0
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    for _ in simulate(WORLD, traffic, ROUTER, chunk_payments=600):
        most = max(most, pa.total_allocated_bytes() - before)
    most += tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_a_log_of_four_times_the_days_takes_no_more_memory() -> None:
    peak_bytes(400, 5)  # what is set up once
    assert peak_bytes(12_000, 120) < 1.5 * peak_bytes(3_000, 30)


@pytest.mark.parametrize("policy", [ROUTER, Uniform()], ids=lambda each: each.name)
def test_the_merchants_own_limit_ends_a_payment(policy: Policy) -> None:
    once = load_rules(merchant=MerchantRules(max_attempts=1))
    batch = concat(list(simulate(WORLD, Traffic(200), policy, rules=once)))
    assert batch.n == 200
    assert (batch.attempt == 1).all()


def test_another_seed_makes_other_payments() -> None:
    one, other = log(500, 1), log(500, 2)
    assert not np.array_equal(one.context["amount_minor"], other.context["amount_minor"])


def test_rows_stand_in_the_order_of_time_and_attempts_follow_each_other() -> None:
    batch = log(4_000)
    assert (np.diff(batch.decided_at) >= np.timedelta64(0)).all()
    order = np.lexsort((batch.attempt, np.array(batch.payment_id.to_pylist())))
    attempt = batch.attempt[order]
    same = np.array(batch.payment_id.to_pylist())[order]
    follows = same[1:] == same[:-1]
    assert (np.diff(attempt)[follows] == 1).all()
    assert (attempt[1:][~follows] == 1).all()


def test_two_policies_meet_the_same_payments() -> None:
    traffic = Traffic(300, seed=9)
    firsts = []
    for policy in (ROUTER, Uniform()):
        batch = concat(list(simulate(WORLD, traffic, policy)))
        first = batch.take(np.flatnonzero(batch.attempt == 1))
        firsts.append((first.payment_id.to_pylist(), first.context["amount_minor"].tolist()))
    assert firsts[0] == firsts[1]


def test_a_stopped_payment_has_no_response_and_brings_nothing() -> None:
    batch = log(4_000)
    stopped = batch.is_stop[batch.chosen_action]
    assert stopped.any()
    code = batch.outcome["response_code"]
    assert isinstance(code, Categorical)
    assert (code.codes[stopped] == -1).all()
    assert (batch.reward[stopped] == 0.0).all()


def test_declines_and_recoveries_lie_where_published_figures_lie() -> None:
    """Bands from the sources that simulator/README.md names."""
    batch = log()
    first = batch.attempt == 1
    recurring = where(batch, "initiator", "mit")
    declined = batch.reward == 0.0
    checkout_share = declined[first & ~recurring].mean()
    recurring_share = declined[first & recurring].mean()
    assert 0.05 < checkout_share < 0.15
    assert checkout_share < recurring_share < 0.24
    declines = first & declined
    assert 0.35 < where(batch, "response_code", "51")[declines].mean() < 0.50
    suspected = where(batch, "response_code", "59") | where(batch, "response_code", "83")
    assert 0.05 < suspected[declines].mean() < 0.15
    assert 0.40 < where(batch, "response_code", "51")[declined].mean() < 0.55
    payments = np.array(batch.payment_id.to_pylist())
    failed = declines & recurring
    failed_at = dict(zip(payments[failed], batch.decided_at[failed], strict=True))
    approvals = zip(payments[~declined], batch.decided_at[~declined], strict=True)
    waits = [at - failed_at[each] for each, at in approvals if each in failed_at]
    within_10_days = np.array(waits) <= np.timedelta64(10, "D")
    assert 0.45 < within_10_days.sum() / len(failed_at) < 0.65
    assert within_10_days.mean() > 0.9


def test_the_true_value_agrees_with_what_happened() -> None:
    traffic = Traffic(10_000, seed=4)
    value = true_value(WORLD, ROUTER, traffic)
    batch = concat(list(simulate(WORLD, traffic, ROUTER)))
    error = np.sqrt(batch.reward.var() / batch.n)
    assert value.per_decision == pytest.approx(batch.reward.mean(), abs=4 * error)
    assert value.decisions == batch.n


def test_nobody_beats_the_oracle_on_given_decisions() -> None:
    batch = log(4_000).decisions()
    best = value_on(WORLD, batch, OraclePolicy(WORLD))
    for policy in (ROUTER, Uniform(), Priority(DEFAULT_ORDER)):
        assert (best >= value_on(WORLD, batch, policy) - 1e-12).all()


def covered(policy: Policy, seeds: range, payments: int) -> list[bool]:
    found = []
    for seed in seeds:
        batch = log(payments, seed)
        truth = float(value_on(WORLD, batch.decisions(), policy).mean())
        result = evaluate([batch], [policy], bootstrap=0).policies[1]
        interval = result.value.interval
        found.append(interval.lower <= truth <= interval.upper)
    return found


@pytest.mark.parametrize("policy", [Uniform(), Priority(DEFAULT_ORDER)], ids=lambda each: each.name)
@pytest.mark.slow
def test_the_default_interval_covers_the_truth(policy: Policy) -> None:
    assert np.mean(covered(policy, range(100, 120), 600)) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy", [Uniform(), Priority(DEFAULT_ORDER), OraclePolicy(WORLD)], ids=lambda each: each.name
)
def test_the_default_interval_covers_the_truth_over_many_logs(policy: Policy) -> None:
    # 200 logs: a true coverage of 95% gives less than 90% once in a thousand times.
    assert np.mean(covered(policy, range(200), 2_000)) >= 0.90


@pytest.mark.slow
def test_the_interval_of_doubly_robust_covers_the_truth_over_many_logs() -> None:
    policies = [Uniform(), Priority(DEFAULT_ORDER), OraclePolicy(WORLD)]
    found = []
    for seed in range(40):
        batch = concat(list(simulate(WORLD, Traffic(2_000, seed=seed), ROUTER)))
        model = fit_reward_model([batch])
        judged = evaluate([batch], policies, bootstrap=0, reward_model=model).policies[1:]
        truths = [float(value_on(WORLD, batch.decisions(), each).mean()) for each in policies]
        intervals = [each.estimate("dr").interval for each in judged]
        found.append([i.lower <= t <= i.upper for i, t in zip(intervals, truths, strict=True)])
    assert (np.mean(found, axis=0) >= 0.9).all()
