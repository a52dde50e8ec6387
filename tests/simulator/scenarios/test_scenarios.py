"""What each scenario shows is true of its world."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from authopt.errors import UserError
from simulator.scenarios import SCENARIOS, log_of, run_scenario
from simulator.scenarios import fraud as fraud_scenario
from simulator.scenarios.contenders import ORACLE
from simulator.scenarios.degradation import ISSUER
from simulator.scenarios.fraud import ATTACK, BLOCKED, GOOD, LIMITED, NO_RULE
from simulator.scenarios.new_route import CONCERNED, NEW_ROUTE
from simulator.scenarios.outage import AFTER_S, BEFORE_S, BIN_S, DOWN_S, FIRST
from simulator.scenarios.places import MAIN_ROUTE
from simulator.scenarios.rule_change import CHANGE
from tests.simulator.scenarios.small_runs import PAYMENTS, ran

DOWN = slice(BEFORE_S // BIN_S, (BEFORE_S + DOWN_S) // BIN_S)
SETTLED = slice((BEFORE_S + 600) // BIN_S, (BEFORE_S + DOWN_S) // BIN_S)


def test_the_table_of_small_runs_names_every_scenario() -> None:
    assert set(PAYMENTS) == set(SCENARIOS)


@pytest.mark.parametrize("name", ["steady", "outage", "degradation", "new-route"])
def test_nobody_beats_the_oracle_on_a_decision(name: str) -> None:
    run = ran(name)
    for series in run.findings.series:
        assert (series.regret > -1e-9).all()
        if series.policy == ORACLE:
            assert np.allclose(series.regret, 0.0)
        elif series.group != "all":
            assert series.regret.sum() > 0


@pytest.mark.parametrize("name", ["steady", "outage", "degradation", "new-route", "fraud"])
def test_what_is_counted_fits_together(name: str) -> None:
    for series in ran(name).findings.series:
        assert (series.attempts <= series.decisions).all()
        assert (series.approved <= series.attempts).all()
        assert (series.first_approved <= series.first).all()
        assert np.array_equal(series.by_route.sum(axis=1), series.attempts)
        assert (series.by_route <= series.eligible).all()


def test_steady_all_policies_meet_the_same_payments_and_learning_pays() -> None:
    run = ran("steady")
    firsts = [series.first for series in run.findings.series]
    assert all(np.array_equal(firsts[0], other) for other in firsts)
    assert firsts[0].sum() == PAYMENTS["steady"]


def test_outage_the_success_rate_policy_leaves_the_dead_route_and_the_static_order_stays() -> None:
    run = ran("outage")
    learning, static = run.series("success rate", FIRST), run.series("static priority", FIRST)
    place = learning.routes.index(MAIN_ROUTE)
    sent = learning.by_route[SETTLED, place].sum() / learning.eligible[SETTLED, place].sum()
    assert sent < 0.05
    assert np.nanmin(static.share_on(MAIN_ROUTE)) == 1.0


def test_outage_nothing_is_approved_on_the_dead_route_and_all_is_well_before_and_after() -> None:
    static = ran("outage").series("static priority", FIRST)
    assert static.first_approved[DOWN].sum() == 0
    before = static.first_approved[: DOWN.start].sum() / static.first[: DOWN.start].sum()
    after = static.first_approved[DOWN.stop :].sum() / static.first[DOWN.stop :].sum()
    assert before > 0.8
    assert after == pytest.approx(before, abs=0.05)
    assert len(static.first) * BIN_S == BEFORE_S + DOWN_S + AFTER_S


def test_outage_learning_saves_most_of_what_the_static_order_loses() -> None:
    run = ran("outage")
    learning, best = run.series("success rate", FIRST), run.series(ORACLE, FIRST)
    assert learning.first_approved[DOWN].sum() > 0.75 * best.first_approved[DOWN].sum()


def test_degradation_the_static_order_loses_ever_more_to_the_oracle() -> None:
    run = ran("degradation")
    static = run.series("static priority", ISSUER)
    chance = static.expected / np.maximum(static.decisions, 1)
    starts = run.stage.bin_starts
    before = chance[starts < run.stage.moments[0].start].mean()
    worst = chance[starts >= run.stage.moments[1].start].mean()
    assert worst < before - 0.2
    learning = run.series("last 200 by issuer", ISSUER)
    late = starts >= run.stage.moments[1].start
    assert learning.regret[late].sum() < static.regret[late].sum()


def test_payday_a_retry_after_payday_is_approved_far_more_often() -> None:
    before, after = ran("payday").findings.answer.as_dicts()
    assert after["approved"] > before["approved"] + 0.4
    assert after["true chance"] > before["true chance"] + 0.4


def test_payday_what_is_observed_agrees_with_the_true_chance() -> None:
    for row in ran("payday").findings.answer.as_dicts():
        error = 4.0 * (0.25 / row["retries"]) ** 0.5
        assert row["approved"] == pytest.approx(row["true chance"], abs=error)


def test_payday_the_countries_are_paid_on_their_day() -> None:
    table = ran("payday").findings.tables["by_day_of_month"]
    last_week, first_days = slice(24, 29), slice(0, 5)
    assert np.nanmean(table["true_25"][last_week]) > np.nanmean(table["true_1"][last_week])
    assert np.nanmean(table["true_1"][first_days]) > np.nanmean(table["true_1"][18:24])


def test_rule_change_attempts_beyond_the_old_limit_begin_on_the_day_of_the_change() -> None:
    run = ran("rule-change")
    removed = run.findings.tables["removed"]
    old = next(counts for text, counts in removed.items() if "15 re-attempts" in text)
    new = next(counts for text, counts in removed.items() if "20 re-attempts" in text)
    day = run.findings.tables["by_day"]["day"]
    assert old[day < CHANGE].sum() > 0
    assert new[day >= CHANGE].sum() > 0
    assert old[day >= CHANGE].sum() == 0
    # A retry that is decided on the day before may be sent on the day itself.
    assert new[day < CHANGE - np.timedelta64(1, "D")].sum() == 0


def test_rule_change_every_removal_has_a_reason_and_breaches_would_have_cost_money() -> None:
    tables = ran("rule-change").findings.tables
    kinds = sum(tables["removed_by_kind"].values())
    assert np.allclose(kinds, sum(tables["removed"].values()))
    assert tables["by_day"]["fees_usd"].sum() > 0


def test_new_route_nobody_takes_it_before_it_is_there_and_the_static_order_never_does() -> None:
    run = ran("new-route")
    before = run.stage.bin_starts < run.stage.moments[0].start
    for policy in run.policies:
        series = run.series(policy, CONCERNED)
        place = series.routes.index(NEW_ROUTE)
        assert series.eligible[before, place].sum() == 0
        assert series.eligible[~before, place].sum() > 0
        taken = series.by_route[~before, place].sum()
        assert (taken == 0) == (policy == "static priority")


def test_fraud_rules_stop_testers_and_chargebacks_at_the_price_of_some_customers() -> None:
    run = ran("fraud")
    none, blocked, limited = (run.series(label, ATTACK) for label in (NO_RULE, BLOCKED, LIMITED))
    assert none.first.sum() > 0
    assert blocked.approved.sum() < 0.5 * none.approved.sum()
    assert limited.approved.sum() < 0.6 * none.approved.sum()
    backs = run.findings.tables["chargebacks"]
    assert backs[BLOCKED][-1] < backs[NO_RULE][-1]
    assert backs[LIMITED][-1] < backs[NO_RULE][-1]
    assert run.series(LIMITED, GOOD).first.sum() < run.series(NO_RULE, GOOD).first.sum()


def test_fraud_no_attempt_with_a_blocked_bin_is_made_once_it_is_blocked() -> None:
    run = ran("fraud")
    start = run.stage.moments[0].start + np.timedelta64(fraud_scenario.REACTION_S, "s")
    late = run.stage.bin_starts >= start
    assert run.series(BLOCKED, ATTACK).attempts[late].sum() == 0
    assert run.series(NO_RULE, ATTACK).attempts[late].sum() > 0


def test_no_exploration_every_covering_interval_holds_the_truth_and_exploring_narrows_it() -> None:
    table = ran("no-exploration").findings.tables["logs"]
    lower, upper = np.array(table["covering_lower"]), np.array(table["covering_upper"])
    truth = np.array(table["truth"])
    assert ((lower <= truth) & (truth <= upper)).all()
    assert upper[0] - lower[0] > 0.5
    assert upper[-1] - lower[-1] < 0.5 * (upper[0] - lower[0])
    assert table["unsupported"][0] > 0.3
    assert max(table["unsupported"][1:]) < 1e-9


def test_no_exploration_the_naive_interval_of_the_silent_log_misses_the_truth() -> None:
    table = ran("no-exploration").findings.tables["logs"]
    assert not table["naive_lower"][0] <= table["truth"][0] <= table["naive_upper"][0]


@pytest.mark.parametrize("name", [pytest.param("new-route", marks=pytest.mark.slow), "fraud"])
def test_the_same_seed_gives_the_same_figures_and_another_seed_others(name: str) -> None:
    payments = 1_500
    one, again = (run_scenario(SCENARIOS[name], 3, payments=payments) for _ in range(2))
    other = run_scenario(SCENARIOS[name], 4, payments=payments)
    assert one.findings.finding == again.findings.finding
    assert one.findings.answer == again.findings.answer
    for left, right in zip(one.findings.series, again.findings.series, strict=True):
        assert np.array_equal(left.by_route, right.by_route)
        assert np.array_equal(left.expected, right.expected)
    assert one.findings.answer != other.findings.answer


def test_policies_can_be_asked_for_and_the_oracle_is_their_measure() -> None:
    run = run_scenario(SCENARIOS["steady"], payments=500, policies=["uniform", "best-route"])
    assert run.policies == ("uniform", "best-route", ORACLE)


@pytest.mark.parametrize("specs", [["uniform", "uniform"], ["logged"], ["nonsense"]])
def test_policies_that_make_no_sense_are_refused(specs: list[str]) -> None:
    with pytest.raises(UserError):
        run_scenario(SCENARIOS["steady"], payments=500, policies=specs)


def test_the_log_is_that_of_the_first_policy() -> None:
    asked: Any = {"payments": 1_000, "policies": ["uniform"]}
    rows = sum(batch.n for batch in log_of(SCENARIOS["new-route"], 1, **asked))
    series = run_scenario(SCENARIOS["new-route"], 1, **asked).series("uniform", CONCERNED)
    assert rows >= series.decisions.sum() > 0
