"""The decision path: rules, then the policy, then a draw that can be replayed; never a gap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.decision import (
    NO_DISTRIBUTION,
    POLICY_FAILED,
    RULES_FAILED,
    decide,
    decide_by_priority,
    decide_safely,
)
from authopt.policies.protocol import Policy
from authopt.rules import MerchantRules, Rules, apply_rules, load_rules
from tests.factories import logged_batch

ROUTES = ("adyen", "braintree", "checkout")


@dataclass(frozen=True)
class Evenly:
    name: str = "evenly"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return np.repeat(1.0 / batch.counts, batch.counts)


@dataclass(frozen=True)
class Raising:
    name: str = "raising"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        raise RuntimeError("no model")


@dataclass(frozen=True)
class Saying:
    """Says the same number of every action."""

    value: float
    name: str = "saying"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return np.full(batch.m, self.value)


@dataclass(frozen=True)
class TooShort:
    name: str = "too short"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return np.ones(batch.m - 1)


def decisions(n: int = 60, *, code: str | None = None, with_stop: bool = False) -> DecisionBatch:
    """First and second attempts in turn; the second ones follow the response code."""
    batch = logged_batch(n, ROUTES, with_stop=with_stop).decisions()
    previous = Categorical.from_values([code if i % 2 else None for i in range(n)])
    return replace(batch, context={**batch.context, "previous_response_code": previous})


def test_the_same_decision_id_always_draws_the_same_action() -> None:
    batch = decisions()
    whole = decide(batch, Evenly())
    for row in (0, 7, 59):
        alone = decide(batch.take(np.array([row])), Evenly())
        assert alone.action() == whole.action(row)
        assert alone.propensity[0] == whole.propensity[row]


def test_another_salt_draws_independently() -> None:
    batch = decisions(600)
    one, other = decide(batch, Evenly()), decide(batch, Evenly(), salt="other")
    same = float((one.chosen == other.chosen).mean())
    assert 0.2 < same < 0.5


def test_actions_are_drawn_as_often_as_the_policy_says() -> None:
    drawn = decide(decisions(6000), Evenly())
    shares = np.bincount(drawn.chosen) / 6000
    assert np.abs(shares - 1 / 3).max() < 0.03


def test_the_log_of_a_decision_holds_its_exact_propensity() -> None:
    logged = decide(decisions(code="41"), Evenly()).logged()
    assert logged.probability is not None
    assert np.array_equal(logged.probability[logged.chosen_action], logged.propensity)
    assert np.allclose(logged.sum_by_decision(logged.probability), 1.0)
    assert np.isnan(logged.reward).all()


def test_after_a_hard_decline_the_only_action_left_is_stop() -> None:
    decided = decide(decisions(code="41"), Evenly())
    for row in range(60):
        assert decided.action(row).is_stop == (row % 2 == 1)
    assert decided.propensity[1] == 1.0
    removed = decided.batch.offsets[1]
    assert "lost" in decided.reasons[decided.reason[removed]]


@given(
    code=st.sampled_from([None, "05", "14", "41", "43", "51", "54", "R1", "nonsense"]),
    policy=st.sampled_from([Evenly(), Raising(), Saying(np.nan), Saying(0.0), TooShort()]),
    with_stop=st.booleans(),
)
def test_no_decision_breaks_a_rule_whatever_the_policy_does(
    code: str | None, policy: Policy, with_stop: bool
) -> None:
    decided = decide_safely(decisions(20, code=code, with_stop=with_stop), policy, ROUTES)
    assert apply_rules(decided.batch).keep[decided.chosen_action].all()
    assert np.allclose(decided.batch.sum_by_decision(decided.probability), 1.0)
    assert (decided.probability[decided.chosen_action] == decided.propensity).all()


def test_a_policy_that_raises_is_replaced_by_the_static_priority() -> None:
    decided = decide_safely(decisions(), Raising(), ("braintree", "adyen"))
    assert decided.fell_back.all()
    assert decided.fallback == f"{POLICY_FAILED}: RuntimeError"
    assert {decided.action(row).route for row in range(60)} == {"braintree"}
    assert (decided.propensity == 1.0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 0.0])
def test_numbers_that_are_no_distribution_fall_back(value: float) -> None:
    decided = decide_safely(decisions(), Saying(value), ROUTES)
    assert decided.fell_back.all()
    assert decided.fallback == NO_DISTRIBUTION


def test_only_the_decisions_concerned_fall_back() -> None:
    class FailsForSome:
        name = "fails for some"

        def probabilities(self, batch: DecisionBatch) -> FloatArray:
            given = Evenly().probabilities(batch)
            given[batch.offsets[3]] = np.nan
            return given

    decided = decide_safely(decisions(), FailsForSome(), ROUTES)
    assert np.flatnonzero(decided.fell_back).tolist() == [3]
    assert decided.propensity[3] == 1.0
    assert decided.propensity[4] == pytest.approx(1 / 3)


def test_rules_that_cannot_be_applied_stop_every_payment() -> None:
    broken = replace(load_rules(), networks=None)  # type: ignore[arg-type]
    decided = decide_safely(decisions(), Evenly(), ROUTES, rules=broken)
    assert decided.fallback == RULES_FAILED
    assert all(decided.action(row).is_stop for row in range(60))
    assert (decided.propensity == 1.0).all()


def test_where_no_policy_is_there_the_priority_decides_and_says_why() -> None:
    decided = decide_by_priority(decisions(), ROUTES, "no model")
    assert decided.fallback == "no model"
    assert decided.fell_back.all()
    assert {decided.action(row).route for row in range(60)} == {"adyen"}


def test_a_policy_without_a_distribution_is_an_error_where_nothing_may_fall_back() -> None:
    with pytest.raises(ValueError, match="finite"):
        decide(decisions(), Saying(np.nan))


def test_features_of_actions_stay_with_their_actions_when_stop_is_added() -> None:
    batch = decisions(4, code="41")
    rates = np.arange(batch.m, dtype=np.float64)
    decided = decide(replace(batch, action_features={"success_rate": rates}), Evenly())
    column = np.asarray(decided.batch.action_features["success_rate"])
    assert np.isnan(column[decided.batch.is_stop]).all()
    assert np.array_equal(column[~decided.batch.is_stop], rates)


def test_a_merchants_own_limit_is_heeded() -> None:
    rules: Rules = load_rules(merchant=MerchantRules(max_attempts=1))
    decided = decide(decisions(), Evenly(), rules=rules)
    assert [decided.action(row).is_stop for row in range(4)] == [False, True, False, True]
