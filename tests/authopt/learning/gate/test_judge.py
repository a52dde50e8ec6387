"""What lets a candidate through the gate, and what stops it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
import pytest

from authopt.batch import Categorical, LoggedBatch
from authopt.errors import UserError
from authopt.learning.gate import judge as judging
from authopt.learning.gate.settings import Gate
from authopt.learning.gate.trained_on import TrainedOn
from authopt.learning.gate.verdict import GateCheck, GateVerdict, Outcome
from authopt.logs.schema import PropensitySource
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.policies.uniform import Uniform
from tests.authopt.learning.gate.cases import (
    ADYEN,
    BETTER,
    CHECKOUT,
    LOG,
    MIXED,
    ByNetwork,
    exploring,
    log_with,
)

COLUMNS = ("network",)


def judge(
    log: LoggedBatch, candidate: Policy, live: Policy, gate: Gate | None = None, **asked: Any
) -> GateVerdict:
    """The verdict, with room for what exploring a tenth costs."""
    gate = gate or Gate()
    if gate.exploration_budget == Gate().exploration_budget:
        gate = msgspec.structs.replace(gate, exploration_budget=0.05)
    if log is LOG and not asked:
        return of_log(candidate, live, gate)
    return judging.judge([log], candidate, live, gate, **asked)


@lru_cache
def of_log(candidate: Policy, live: Policy, gate: Gate) -> GateVerdict:
    """The verdicts that several tests look at."""
    return judging.judge([LOG], candidate, live, gate, columns=COLUMNS)


def check(verdict: GateVerdict, name: str) -> GateCheck:
    return next(each for each in verdict.checks if each.name == name)


def failed(verdict: GateVerdict) -> set[str]:
    return {each.name for each in verdict.failed}


def test_a_better_candidate_passes_against_the_policy_that_made_the_log() -> None:
    verdict = judge(LOG, CHECKOUT, LoggedPolicy())
    assert verdict.passed
    assert verdict.gain == pytest.approx(0.9 * (0.9 - 2.0 / 3.0), abs=0.04)
    assert 0.0 < verdict.lower < verdict.gain


def test_a_better_candidate_passes_against_a_live_policy_that_did_not_make_the_log() -> None:
    verdict = judge(LOG, CHECKOUT, ADYEN)
    assert verdict.passed
    assert verdict.gain == pytest.approx(0.9 * 0.4, abs=0.05)
    assert verdict.live.value == pytest.approx(0.5 + 0.1 / 6.0, abs=0.05)


@pytest.mark.parametrize("live", [LoggedPolicy(), CHECKOUT])
def test_a_worse_candidate_does_not_pass(live: Policy) -> None:
    verdict = judge(LOG, ADYEN, live)
    assert "gain" in failed(verdict)
    assert verdict.lower < 0.0


def test_the_same_policy_does_not_pass() -> None:
    verdict = judge(LOG, CHECKOUT, CHECKOUT)
    assert failed(verdict) == {"gain"}
    assert verdict.gain == pytest.approx(0.0)


def test_by_the_lighter_word_a_candidate_fails_only_where_it_is_shown_to_be_worse() -> None:
    lighter = Gate(gain_rule="not-shown-worse")
    assert judge(LOG, CHECKOUT, CHECKOUT, lighter).passed
    worse = judge(LOG, ADYEN, CHECKOUT, lighter)
    gain = check(worse, "gain")
    assert gain.outcome is Outcome.FAIL
    assert not gain.is_open
    assert gain.upper is not None
    assert gain.upper < 0.0
    assert "shown to be below" in gain.reason


@pytest.mark.parametrize("rule", ["anytime", "fixed"])
def test_the_lighter_word_goes_by_the_upper_bound_of_every_kind(
    rule: Literal["anytime", "fixed"],
) -> None:
    verdict = judge(LOG, ADYEN, CHECKOUT, Gate(gain_rule="not-shown-worse", bound=rule))
    assert "gain" in failed(verdict)


def test_a_verdict_is_open_where_nothing_but_more_decisions_may_mend_it() -> None:
    few = judge(LOG, CHECKOUT, CHECKOUT, Gate(least_effective=10**6))
    assert failed(few) == {"gain", "support"}
    assert few.is_open
    assert not judge(LOG, CHECKOUT, CHECKOUT, Gate(least_epsilon=0.5)).is_open
    assert not judge(LOG, ADYEN, CHECKOUT).is_open
    assert not judge(LOG, CHECKOUT, ADYEN).is_open


def test_a_harmed_segment_is_not_mended_by_more_decisions_and_an_unknown_one_is() -> None:
    harmed = judge(log_with(MIXED), CHECKOUT, LoggedPolicy(), columns=COLUMNS)
    assert not check(harmed, "segment:network").is_open
    dark = judge(LOG, CHECKOUT, LoggedPolicy(), Gate(least_segment_effective=10**6))
    assert failed(dark) == {"segment:network"}
    assert dark.is_open


def test_decisions_that_a_candidate_never_saw_are_fresh_whatever_the_times_say() -> None:
    verdict = judge(LOG, CHECKOUT, LoggedPolicy(), trained=TrainedOn(unseen=True))
    assert check(verdict, "freshness").outcome is Outcome.PASS


@pytest.mark.slow
def test_a_margin_asks_for_more_than_any_gain() -> None:
    assert judge(LOG, CHECKOUT, ADYEN, Gate(margin=0.2)).passed
    assert failed(judge(LOG, CHECKOUT, ADYEN, Gate(margin=0.4))) == {"gain"}


@pytest.mark.parametrize("live", [LoggedPolicy(), exploring("braintree", "braintree")])
def test_a_gain_that_one_segment_pays_for_is_refused(live: Policy) -> None:
    verdict = judge(log_with(MIXED), CHECKOUT, live, columns=COLUMNS)
    assert "segment:network" in failed(verdict)
    assert "mastercard" in check(verdict, "segment:network").reason
    assert "visa (" not in check(verdict, "segment:network").reason


@pytest.mark.slow
def test_a_tolerance_lets_segments_lose_that_much() -> None:
    verdict = judge(
        log_with(MIXED), CHECKOUT, LoggedPolicy(), Gate(segment_tolerance=0.5), columns=COLUMNS
    )
    assert check(verdict, "segment:network").outcome is Outcome.PASS


def test_segments_may_have_to_be_shown_unharmed() -> None:
    log = log_with(BETTER, n=600)
    lax = judge(log, CHECKOUT, LoggedPolicy(), columns=COLUMNS)
    strict = Gate(segment_rule="shown-unharmed", segment_tolerance=0.0)
    found = judge(log, exploring("braintree", "braintree"), LoggedPolicy(), strict, columns=COLUMNS)
    assert check(lax, "segment:network").outcome is Outcome.PASS
    assert check(found, "segment:network").outcome is Outcome.FAIL


def test_a_large_segment_that_the_log_says_nothing_about_stops_a_candidate() -> None:
    verdict = judge(
        LOG,
        CHECKOUT,
        LoggedPolicy(),
        Gate(least_segment_effective=100_000.0),
        columns=COLUMNS,
    )
    assert "next to nothing" in check(verdict, "segment:network").reason
    assert "segment:network" in failed(verdict)


def test_a_candidate_that_does_not_explore_may_not_log() -> None:
    verdict = judge(LOG, ByNetwork("checkout", "checkout"), LoggedPolicy())
    assert {"floor"} <= failed(verdict)
    anyhow = Gate(least_epsilon=0.0, largest_route_share=1.0)
    assert judge(LOG, ByNetwork("checkout", "checkout"), LoggedPolicy(), anyhow).passed


def test_exploration_that_costs_more_than_its_budget_is_refused() -> None:
    log = LOG
    wild = exploring("checkout", "checkout", epsilon=0.6)
    verdict = judge(log, wild, LoggedPolicy())
    assert failed(verdict) == {"exploration"}
    assert check(verdict, "exploration").figure == pytest.approx(0.6 * (0.9 - 2.0 / 3.0), abs=0.03)
    assert judge(log, wild, LoggedPolicy(), Gate(exploration_budget=0.2)).passed


@pytest.mark.slow
def test_all_traffic_on_one_route_is_refused_unless_it_is_there_already() -> None:
    log, gate = LOG, Gate(largest_route_share=0.9)
    assert "one_route" in failed(judge(log, CHECKOUT, LoggedPolicy(), gate))
    assert "one_route" not in failed(
        judge(log, CHECKOUT, exploring("checkout", "checkout", 0.05), gate)
    )


def test_a_log_that_hardly_took_what_the_candidate_wants_does_not_do() -> None:
    verdict = judge(log_with(BETTER, n=120), CHECKOUT, LoggedPolicy())
    assert "support" in failed(verdict)


def test_wrong_propensities_are_found() -> None:
    log = LOG
    wrong = np.tile([0.8, 0.1, 0.1], log.n)
    log = replace(log, probability=wrong, propensity=wrong[log.chosen_action])
    assert "propensities" in failed(judge(log, CHECKOUT, LoggedPolicy()))


def test_estimated_propensities_pass_only_where_the_conditions_let_them() -> None:
    log = LOG
    source = PropensitySource.ESTIMATED
    assert judge(log, CHECKOUT, LoggedPolicy(), propensity_source=source).passed
    strict = Gate(estimated_propensities=False)
    verdict = judge(log, CHECKOUT, LoggedPolicy(), strict, propensity_source=source)
    assert failed(verdict) == {"propensities"}


def test_the_log_must_be_later_than_the_training() -> None:
    log = LOG
    before = TrainedOn(log.decided_at.min() - np.timedelta64(1, "s"))
    amid = TrainedOn(log.decided_at[100])
    assert judge(log, CHECKOUT, LoggedPolicy(), trained=before).passed
    verdict = judge(log, CHECKOUT, LoggedPolicy(), trained=amid)
    assert failed(verdict) == {"freshness"}
    assert "101 of 3,000" in check(verdict, "freshness").reason
    assert failed(judge(log, CHECKOUT, LoggedPolicy(), same_log=True)) == {"freshness"}
    unknown = judge(log, CHECKOUT, LoggedPolicy())
    assert check(unknown, "freshness").outcome is Outcome.UNKNOWN


def test_the_unit_may_be_the_whole_payment() -> None:
    verdict = judge(LOG, CHECKOUT, LoggedPolicy(), Gate(unit="payment"))
    assert verdict.passed
    assert verdict.bounds[0].method == "cressie-read"
    both = judge(LOG, CHECKOUT, ADYEN, Gate(unit="payment", bound="anytime"))
    assert both.passed
    assert both.bounds[0].method == "betting"
    assert both.gain == pytest.approx(0.36, abs=0.06)


def test_bounds_stand_side_by_side_and_the_conditions_say_which_decides() -> None:
    anytime = judge(LOG, CHECKOUT, ADYEN, Gate(bound="anytime"))
    fixed = judge(LOG, CHECKOUT, ADYEN, Gate(bound="fixed"))
    either = judge(LOG, CHECKOUT, ADYEN)
    assert [bound.method for bound in anytime.bounds if bound.decides] == ["sequence"]
    assert [bound.method for bound in fixed.bounds if bound.decides] == ["cressie-read"]
    assert {bound.method for bound in either.bounds} == {"sequence", "betting", "cressie-read"}
    assert either.lower == max(bound.lower for bound in either.bounds if bound.method != "betting")
    # Half the error tells less.
    assert either.lower < max(anytime.lower, fixed.lower)


@pytest.mark.slow
def test_looking_again_with_more_data_spends_no_more_error_with_an_anytime_bound() -> None:
    log, gate = LOG, Gate(bound="anytime")
    first = judge(log.take(slice(0, 1_500)), CHECKOUT, ADYEN, gate)
    again = judge(log, CHECKOUT, ADYEN, gate, earlier=first.looks)
    assert [look.spent for look in again.looks] == pytest.approx([0.05, 0.0])
    assert again.bounds[0].confidence == pytest.approx(first.bounds[0].confidence)
    assert again.lower > first.lower


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["fixed", "either"])
def test_however_often_one_looks_no_more_than_the_error_is_spent(
    bound: Literal["fixed", "either"],
) -> None:
    log, gate = LOG, Gate(bound=bound)
    looks = judge(log.take(slice(0, 1_500)), CHECKOUT, ADYEN, gate).looks
    for _ in range(3):
        looks = judge(log, CHECKOUT, ADYEN, gate, earlier=looks).looks
    spent = [look.spent for look in looks]
    assert spent == sorted(spent, reverse=True)
    assert sum(spent) < 0.05


def test_another_log_begins_the_looks_anew() -> None:
    first = judge(LOG, CHECKOUT, ADYEN)
    later = log_with(BETTER, seed=1).take(slice(100, 3_000))
    assert len(judge(later, CHECKOUT, ADYEN, earlier=first.looks).looks) == 1


@pytest.mark.slow
def test_the_verdict_does_not_depend_on_the_chunks_of_the_log() -> None:
    log = LOG
    whole = judge(log, CHECKOUT, ADYEN, columns=COLUMNS)
    parts = [log.take(slice(start, start + 777)) for start in range(0, log.n, 777)]
    gate = whole.settings
    found = judging.judge(parts, CHECKOUT, ADYEN, gate, columns=COLUMNS)
    assert found.gain == pytest.approx(whole.gain)
    for one, other in zip(found.checks, whole.checks, strict=True):
        assert one.outcome is other.outcome
        assert (one.lower or 0.0) == pytest.approx(other.lower or 0.0, abs=1e-9)


@pytest.mark.slow
def test_a_segment_column_with_too_many_values_is_named_or_refused() -> None:
    log = LOG
    many = {**log.context, "issuer": _distinct(log.n)}
    log = replace(log, context=many)
    verdict = judge(log, CHECKOUT, ADYEN, columns=("issuer",))
    assert check(verdict, "segment:issuer").outcome is Outcome.UNKNOWN
    with pytest.raises(UserError, match="too many"):
        judge(log, CHECKOUT, ADYEN, Gate(segments=("issuer",)))


def _distinct(n: int) -> Categorical:
    return Categorical(np.arange(n, dtype=np.int32), tuple(f"bank-{row}" for row in range(n)))


def test_an_empty_log_is_an_error() -> None:
    with pytest.raises(UserError, match="empty"):
        judging.judge([], Uniform(), LoggedPolicy())
