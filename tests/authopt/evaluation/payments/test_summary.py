"""What is said of payments: measures, intervals, what the log cannot support."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.evaluation.payments.rows import PaymentSums, stopping_mass
from authopt.evaluation.payments.summary import payment_result
from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.settings import Settings
from authopt.learning.reward_model import fit_reward_model
from authopt.policies.spec import load_policy
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.tiny_episodes import (
    EPISODES,
    LOGGING,
    Payment,
    Policy,
    by_state,
    episode_log,
)
from simulator.traffic import Traffic
from simulator.truth import true_value
from tests.authopt.evaluation.payments.tiny_payments import (
    FAST,
    GOES_ON,
    NEVER_SECOND,
    NEVER_STOPS,
    POLICY,
    STOPS_EARLIER,
    WRONG,
    added,
    block_of,
    every_payment,
    values,
)


def test_costs_follow_the_attempts_and_the_approvals() -> None:
    sums = added([every_payment()], lambda batch: by_state(batch, POLICY))
    result = payment_result(sums, FAST)
    expected = float(2 * EPISODES.attempts(POLICY) / EPISODES.value(POLICY))
    assert result.measure("cost_per_attempt").estimate.value == pytest.approx(2.0, abs=1e-12)
    per_approval = result.measure("cost_per_approval")
    assert per_approval.estimate.value == pytest.approx(expected, abs=1e-9)
    logged = float(2 * EPISODES.attempts(LOGGING) / EPISODES.value(LOGGING))
    assert per_approval.gain is not None
    assert per_approval.gain.value == pytest.approx(expected - logged, abs=1e-9)


def test_giving_up_where_the_log_never_does_needs_no_data() -> None:
    log = every_payment(NEVER_STOPS)
    result = payment_result(added([log], lambda batch: by_state(batch, STOPS_EARLIER)), FAST)
    stopped = EPISODES.mean(
        STOPS_EARLIER, lambda payment: not EPISODES.is_attempt(payment.steps[-1])
    )
    assert result.support.unsupported == 0.0
    assert result.support.stopped_unseen == pytest.approx(float(stopped), abs=1e-9)
    assert result.support.mean_weight.value == pytest.approx(1.0, abs=1e-9)
    for name in ("ips", "pdis", "wpdis"):
        value = result.value.estimates[[e.estimator for e in result.value.estimates].index(name)]
        assert value.value == pytest.approx(float(EPISODES.value(STOPS_EARLIER)), abs=1e-9)


def test_without_the_policys_chance_of_giving_up_that_counts_as_unknown() -> None:
    log = every_payment(NEVER_STOPS)
    sums = added([log], lambda batch: by_state(batch, STOPS_EARLIER), stopping=False)
    result = payment_result(sums, FAST)
    assert result.support.unsupported > 0.5
    truth = float(EPISODES.value(STOPS_EARLIER))
    interval = result.value.estimate.interval
    assert interval.lower < truth < interval.upper
    assert interval.upper > 0.6


def test_an_action_that_the_log_never_takes_counts_as_worst_and_as_best() -> None:
    log = every_payment(NEVER_SECOND)
    result = payment_result(added([log], lambda batch: by_state(batch, POLICY)), FAST)

    def leaves(payment: Payment) -> bool:
        return any(step.state == 0 and step.action == 1 for step in payment.steps)

    assert result.support.unsupported == pytest.approx(float(EPISODES.mean(POLICY, leaves)))
    assert result.support.mean_weight.value == pytest.approx(1.0, abs=1e-9)
    known = EPISODES.mean(POLICY, lambda each: each.steps[-1].approved * (not leaves(each)))
    interval = result.value.estimate.interval
    assert interval.guarantee is Guarantee.COVERS
    assert interval.lower <= float(known)
    assert interval.upper >= float(known) + result.support.unsupported
    assert any("unknown" in remark.text for remark in result.remarks)


def test_going_on_longer_than_the_log_is_bounded_by_one_attempt_more() -> None:
    result = payment_result(added([every_payment()], lambda b: by_state(b, GOES_ON)), FAST)
    still_open = EPISODES.mean(
        GOES_ON,
        lambda each: EPISODES.is_attempt(each.steps[-1]) and not each.steps[-1].approved,
    )
    measure = result.measure("open").estimate
    assert measure.value == pytest.approx(float(still_open), abs=1e-9)
    longer = float(replace(EPISODES, longest=3).value(GOES_ON))
    assert result.value.estimate.interval.lower == result.if_continued.lower < longer
    assert longer < float(EPISODES.value(GOES_ON) + still_open) <= result.if_continued.upper


def test_the_logging_policy_has_its_own_mean_and_no_gain() -> None:
    log = every_payment()
    sums = PaymentSums()
    block = block_of(log)
    stopping = stopping_mass(log, by_state(log, LOGGING))
    sums.add(block, replace(block.own, stopping=stopping))
    result = payment_result(sums, FAST, is_logging_policy=True)
    assert values(result) == {"on-policy": pytest.approx(float(EPISODES.value(LOGGING)))}
    assert result.value.gain is None
    assert result.measure("attempts").estimate.value == pytest.approx(
        float(EPISODES.attempts(LOGGING))
    )
    assert result.support.effective_share == pytest.approx(1.0)


def test_the_gain_of_the_logging_policy_over_itself_is_nothing() -> None:
    log = every_payment()
    result = payment_result(added([log], lambda batch: by_state(batch, LOGGING)), FAST)
    for each in result.value.gains:
        assert each.value == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 15), min_size=1, max_size=12),
    st.sampled_from([POLICY, STOPS_EARLIER, GOES_ON, NEVER_SECOND]),
    st.booleans(),
)
def test_every_interval_is_finite_in_order_and_never_of_no_width_for_few_payments(
    picks: list[int], policy: Policy, with_model: bool
) -> None:
    payments = EPISODES.payments(LOGGING)
    sums = added(
        [episode_log(tuple(payments[pick] for pick in picks))],
        lambda batch: by_state(batch, policy),
        (lambda batch: by_state(batch, WRONG)) if with_model else None,
    )
    result = payment_result(sums, FAST)
    for measure in result.measures:
        for found in (*measure.estimates, *measure.gains):
            for interval in found.intervals:
                assert np.isfinite([interval.lower, interval.upper]).all()
                assert interval.lower <= interval.upper
                if interval.guarantee is not Guarantee.ASYMPTOTIC:
                    assert interval.width > 0.0
                elif found.value is not None and interval.width == 0.0:
                    assert interval.vetoed
    assert result.if_continued.upper >= result.value.estimate.interval.upper


def test_a_log_without_decisions_says_so() -> None:
    with pytest.raises(UserError, match="no decision"):
        payment_result(PaymentSums(), FAST)


def test_declared_bounds_of_a_payment_must_hold() -> None:
    sums = added([every_payment()], lambda batch: by_state(batch, POLICY))
    with pytest.raises(UserError, match="declare bounds"):
        payment_result(sums, FAST, payment_bounds=(0.0, 0.5))


@pytest.mark.parametrize(("max_weight", "vetoed"), [(3.0, False), (50.0, True)])
def test_asymptotic_intervals_are_vetoed_where_one_payment_could_outweigh_the_log(
    max_weight: float, vetoed: bool
) -> None:
    sums = added([every_payment()], lambda batch: by_state(batch, POLICY))
    result = payment_result(sums, replace(FAST, max_weight=max_weight))
    assert (max_weight**2 > result.payments) == vetoed
    normal = result.value.estimate.by("normal")
    assert normal is not None
    assert ("a single payment" in (normal.vetoed or "")) == vetoed
    assert result.value.estimate.interval.vetoed is None


def reliable(estimate: Estimate) -> list[Interval]:
    return [each for each in estimate.intervals if each.vetoed is None]


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["uniform", "priority:routes=delta,atlas;epsilon=0.3"])
def test_the_truth_of_the_simulator_is_in_the_intervals(spec: str) -> None:
    world, policy = small_world(), load_policy(spec.replace(";", ","))
    truth = true_value(world, policy, Traffic(100_000, seed=99))
    log = list(simulate(world, Traffic(10_000, seed=7), MerchantRouter(DEFAULT_ORDER)))
    model = fit_reward_model(log)
    sums = added(
        log,
        lambda batch: policy.probabilities(batch.decisions()),
        lambda batch: model.predict(batch.decisions()),
        sums=PaymentSums(),
    )
    result = payment_result(sums, Settings(confidence=0.99))
    for found in result.value.estimates:
        if found.estimator != "mis":
            assert reliable(found)
            for interval in reliable(found):
                assert interval.lower <= truth.per_payment <= interval.upper
    for found in result.measure("attempts").estimates:
        for interval in reliable(found):
            assert interval.lower <= truth.attempts_per_payment <= interval.upper
