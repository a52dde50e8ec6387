"""Outcomes that come late or get lost, and the weights that make up for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.late.censoring import (
    CensoringModel,
    censoring_model,
    fit_censoring,
    parse_wait,
)
from authopt.evaluation.late.completeness import censoring_remarks, completeness
from authopt.evaluation.late.follow_up import (
    BINS,
    CAME,
    OPEN,
    FollowUpSums,
    bin_of,
    follow_up,
    kaplan_meier,
    last_time,
)
from authopt.evaluation.quantities import Level
from tests.factories import START, logged_batch

HOUR, DAY = 3_600.0, 86_400.0
DAYS, WAIT = 20, 12 * DAY
END = START + np.timedelta64(DAYS, "D")
RATES = np.array([0.9, 0.5])


@dataclass(frozen=True)
class Log:
    """What happened, and what of it the log holds."""

    whole: LoggedBatch
    seen: LoggedBatch

    @property
    def truth(self) -> float:
        return float(self.whole.reward.mean())


def log(n: int, seed: int, lose: float = 0.0, timed: bool = True, delay_s: int = 0) -> Log:
    """Route 'b' answers after a day or so, approvals later than declines; it may lose outcomes."""
    batch = logged_batch(n, ("a", "b"), seed=seed)
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.random(n)) * DAYS * DAY
    route = batch.action_route[batch.chosen_action]
    reward = (rng.random(n) < RATES[route]).astype(np.float64)
    mean = np.where(route == 0, 600.0, np.where(reward == 1.0, 1.2 * DAY, 0.4 * DAY))
    batch = replace(
        batch,
        decided_at=START + (seconds * 1e6).astype("m8[us]"),
        action_delay_s=np.where(batch.action_route == 1, delay_s, 0).astype(np.int64),
        reward=reward,
    )
    wait = delay_s * (route == 1) + rng.exponential(mean)
    at = batch.decided_at + (wait * 1e6).astype("m8[us]")
    known = (at <= END) & ~((route == 1) & (rng.random(n) < lose))
    outcome = {"outcome_at": np.where(known, at, np.datetime64("NaT"))} if timed else {}
    seen = replace(batch, reward=np.where(known, reward, np.nan), outcome=outcome)
    return Log(batch, seen)


def sums_of(*batches: LoggedBatch) -> FollowUpSums:
    sums = FollowUpSums(END)
    for batch in batches:
        sums.add(batch)
    return sums


def model_of(batch: LoggedBatch, **options: float) -> CensoringModel:
    return censoring_model(sums_of(batch), WAIT, **options)


def weighted_mean(weights: FloatArray, reward: FloatArray) -> float:
    return float(weights @ np.nan_to_num(reward) / weights.sum())


@pytest.mark.parametrize(
    ("lose", "timed", "delay_s"),
    [(0.0, True, 0), (0.3, True, 0), (0.3, False, 0), (0.0, True, int(4 * DAY)), (0.3, True, 3600)],
)
def test_naive_means_are_biased_by_outcomes_that_depend_on_the_route_and_weighted_ones_are_not(
    lose: float, timed: bool, delay_s: int
) -> None:
    naive, weighted = [], []
    for seed in range(40):
        one = log(2_000, seed, lose, timed, delay_s)
        weights = model_of(one.seen).weights(one.seen).weights
        naive.append(np.nanmean(one.seen.reward) - one.truth)
        weighted.append(weighted_mean(weights, one.seen.reward) - one.truth)
    # Four standard errors of the mean over the seeds.
    assert abs(np.mean(naive)) > 4 * np.std(naive) / np.sqrt(40)
    assert abs(np.mean(weighted)) < 4 * np.std(weighted) / np.sqrt(40)
    assert abs(np.mean(weighted)) < abs(np.mean(naive)) / 3


def test_the_value_of_a_policy_by_weighted_rows_is_right_too() -> None:
    naive, weighted = [], []
    for seed in range(40):
        one = log(2_000, seed, lose=0.3)
        seen = one.seen
        assert seen.probability is not None
        # A policy that takes either route with probability 1/2.
        w = 0.5 / seen.propensity
        c = model_of(seen).weights(seen).weights
        known = ~np.isnan(seen.reward)
        naive.append(weighted_mean(w * known, seen.reward) - RATES.mean())
        weighted.append(weighted_mean(w * c, seen.reward) - RATES.mean())
    assert abs(np.mean(naive)) > 0.02
    assert abs(np.mean(weighted)) < 4 * np.std(weighted) / np.sqrt(40)


def test_weights_add_up_to_the_number_of_decisions() -> None:
    one = log(8_000, 3, lose=0.3)
    found = model_of(one.seen).weights(one.seen)
    assert found.weights.sum() == pytest.approx(8_000, rel=0.03)
    assert (found.weights[np.isnan(one.seen.reward)] == 0.0).all()
    assert not found.lost.any()


def test_lost_outcomes_as_worst_and_best_case_enclose_the_truth() -> None:
    for seed in range(10):
        one = log(3_000, seed, lose=0.3)
        model = model_of(one.seen)
        low, high = (model.completed(one.seen, lost).reward.mean() for lost in (0.0, 1.0))
        assert low < one.truth - 0.03 < one.truth + 0.03 < high
        # Half of the attempts are on 'b', and 30% of those are lost.
        assert high - low == pytest.approx(0.15, abs=0.06)


@pytest.mark.parametrize("timed", [True, False])
def test_completed_rewards_give_the_right_value_and_gain_by_the_estimators_as_they_are(
    timed: bool,
) -> None:
    values, gains = [], []
    for seed in range(40):
        one = log(2_000, seed, lose=0.3, timed=timed)
        batch = model_of(one.seen).completed(one.seen)
        batch = batch.take(np.flatnonzero(~np.isnan(batch.reward)))
        w = 0.5 / batch.propensity
        values.append((w * batch.reward).mean() - RATES.mean())
        own = RATES[batch.action_route[batch.chosen_action]].mean()
        gains.append((w * batch.reward - batch.reward).mean() - (RATES.mean() - own))
    for errors in (values, gains):
        assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(40)


def test_completed_rewards_lie_within_the_bounds_that_are_stated() -> None:
    for lose, timed in ((0.0, True), (0.5, True), (0.95, True), (0.5, False)):
        one = log(2_000, 1, lose, timed)
        model = model_of(one.seen)
        low, high = model.bounds(0.0, 1.0)
        for lost in (None, 0.0, 1.0):
            reward = model.completed(one.seen, lost).reward
            assert np.nanmin(reward) >= low - 1e-9
            assert np.nanmax(reward) <= high + 1e-9


@pytest.mark.parametrize("latency_s", [0.0, 60 * DAY])
def test_completing_a_complete_log_changes_nothing(latency_s: float) -> None:
    batch = log(500, 1, delay_s=int(4 * DAY)).whole
    batch = replace(batch, outcome={"latency_ms": np.full(500, 1_000.0 * latency_s)})
    model = model_of(batch)
    assert (model.completed(batch).reward == batch.reward).all()
    assert model.bounds(0.0, 1.0) == (0.0, 1.0)
    assert censoring_remarks(sums_of(batch), model) == ()


def test_a_complete_log_has_equal_weights() -> None:
    batch = log(500, 1).whole
    found = model_of(batch).weights(batch)
    assert np.allclose(found.weights, 1.0)


def test_without_times_attempts_that_are_too_young_do_not_count() -> None:
    one = log(2_000, 2, timed=False)
    model = model_of(one.seen)
    assert not model.timed
    young = one.seen.decided_at > END - np.timedelta64(int(WAIT), "s")
    weights = model.weights(one.seen).weights
    assert (weights[young] == 0.0).all()
    assert (weights[~young & ~np.isnan(one.seen.reward)] >= 1.0).all()


def test_no_row_stands_for_more_than_the_floor_allows() -> None:
    one = log(2_000, 5, lose=0.9)
    found = model_of(one.seen, floor=0.2).weights(one.seen)
    assert found.weights.max() == pytest.approx(5.0)
    assert (found.weights[found.floored] == found.weights.max()).all()
    assert found.floored.any()


def test_the_curve_is_that_of_kaplan_and_meier() -> None:
    # Their example of 1958: deaths at 0.8, 3.1, 5.4, 9.2; losses at 1.0, 2.7, 7.0, 12.1.
    table = np.zeros((BINS, 4))
    for column, times in ((CAME, [0.8, 3.1, 5.4, 9.2]), (OPEN, [1.0, 2.7, 7.0, 12.1])):
        np.add.at(table, (bin_of(HOUR * np.array(times)), column), 1.0)
    left = kaplan_meier(table)[bin_of(HOUR * np.array([0.8, 3.1, 5.4, 9.2]))]
    assert np.allclose(left, np.cumprod([7 / 8, 4 / 5, 3 / 4, 1 / 2]))


@given(st.integers(0, 300), st.booleans())
def test_parts_add_up_to_the_whole_in_any_order(cut: int, backwards: bool) -> None:
    batch = log(300, 4, lose=0.2).seen
    left, right = sums_of(batch.take(slice(0, cut))), sums_of(batch.take(slice(cut, 300)))
    parts = right + left if backwards else left + right
    weights = censoring_model(parts, WAIT).weights(batch).weights
    assert np.allclose(weights, model_of(batch).weights(batch).weights)


def test_the_sums_come_back_from_their_state() -> None:
    batch = log(400, 6, lose=0.2).seen
    again = FollowUpSums.from_state(sums_of(batch).state())
    assert (
        censoring_model(again, WAIT).weights(batch).weights
        == model_of(batch).weights(batch).weights
    ).all()


def test_a_payment_does_not_weigh_its_own_rows() -> None:
    one = log(1_000, 7, lose=0.3)
    before = model_of(one.seen).weights(one.seen).weights
    # Drop the other rows of nobody: change the outcomes of one payment only.
    mine = np.arange(1_000) < 2
    changed = replace(one.seen, reward=np.where(mine, np.nan, one.seen.reward))
    model = censoring_model(sums_of(changed), WAIT)
    assert np.allclose(model.weights(one.seen).weights[mine], before[mine])


def test_strata_by_further_columns_undo_loss_that_depends_on_them() -> None:
    biases: dict[tuple[str, ...], list[float]] = {(): [], ("network",): []}
    for seed in range(30):
        one = log(3_000, seed)
        network = one.seen.context["network"].codes  # type: ignore[union-attr]
        reward = (np.random.default_rng(seed).random(3_000) < 0.4 + 0.4 * network).astype(float)
        gone = (np.random.default_rng(seed + 99).random(3_000) < 0.5) & (network == 1)
        seen = replace(one.seen, reward=np.where(gone, np.nan, reward), outcome={})
        for by, found in biases.items():
            sums = FollowUpSums(END, by)
            sums.add(seen)
            weights = censoring_model(sums, WAIT).weights(seen).weights
            counted = one.seen.decided_at <= END - np.timedelta64(int(WAIT), "s")
            found.append(weighted_mean(weights, seen.reward) - reward[counted].mean())
    assert np.mean(biases[()]) < -0.04
    assert abs(np.mean(biases[("network",)])) < 4 * np.std(biases[("network",)]) / np.sqrt(30)


def test_completeness_is_told_by_route() -> None:
    found = completeness(sums_of(log(4_000, 8, lose=0.3).seen), WAIT)
    fast, slow = sorted(found, key=lambda each: each.route)
    assert fast.complete == pytest.approx(1.0, abs=1e-9)
    assert slow.complete == pytest.approx(0.7, abs=0.04)
    assert fast.median_s is not None
    assert fast.median_s == pytest.approx(600 * np.log(2), rel=0.1)
    assert fast.waited == pytest.approx(8 / 20, abs=0.05)


def test_a_wait_that_is_too_short_is_remarked_on() -> None:
    batch = log(2_000, 9, lose=0.3).seen
    sums = sums_of(batch)
    short = censoring_model(sums, 0.2 * DAY)
    texts = [remark.text for remark in censoring_remarks(sums, short)]
    assert any("wait longer" in text for text in texts)
    levels = {remark.level for remark in censoring_remarks(sums, model_of(batch))}
    assert Level.ALARM not in levels


def test_a_route_whose_outcomes_never_come_raises_an_alarm() -> None:
    batch = log(2_000, 10, lose=1.0).seen
    remarks = censoring_remarks(sums_of(batch), model_of(batch))
    assert any(each.level is Level.ALARM and " b " in each.text for each in remarks)


def test_latency_stands_in_for_the_time_of_the_outcome() -> None:
    batch = log(50, 0).whole
    found = follow_up(replace(batch, outcome={"latency_ms": np.full(50, 1_500.0)}), END)
    assert np.allclose(found.came_after_s, 1.5)


def test_the_log_ends_with_its_last_decision_or_outcome() -> None:
    batch = log(200, 0).seen
    outcomes = np.asarray(batch.outcome["outcome_at"])
    latest = max(batch.decided_at.max(), outcomes[~np.isnat(outcomes)].max())
    assert last_time([batch.take(slice(0, 50)), batch]) == latest
    with pytest.raises(UserError, match="no decisions"):
        last_time([])


def test_a_log_without_outcomes_is_refused() -> None:
    batch = replace(log(50, 0).seen, reward=np.full(50, np.nan))
    with pytest.raises(UserError, match="no decision of the log has an outcome"):
        model_of(batch)


@pytest.mark.parametrize(("wait", "floor"), [(0.0, 0.1), (np.inf, 0.1), (1.0, 0.0), (1.0, 2.0)])
def test_options_out_of_range_are_refused(wait: float, floor: float) -> None:
    with pytest.raises(UserError, match="expected"):
        censoring_model(sums_of(log(50, 0).seen), wait, floor=floor)


def test_one_decision_gets_a_weight() -> None:
    batch = log(1, 0).whole
    assert np.isfinite(model_of(batch).weights(batch).weights).all()


def test_a_log_is_read_and_fitted_in_one_go() -> None:
    batch = log(600, 2, lose=0.2).seen
    parts = [batch.take(slice(0, 200)), batch.take(slice(200, 600))]
    model, sums = fit_censoring(lambda: parts, WAIT)
    assert model.as_of == sums.as_of == last_time([batch])
    stated, _ = fit_censoring(lambda: parts, WAIT, as_of=END)
    assert np.allclose(stated.weights(batch).weights, model_of(batch).weights(batch).weights)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90min", 5_400.0), ("72h", 259_200.0), ("1.5 d", 129_600.0), ("5s", 5.0)]
)
def test_waits_are_read_from_text(text: str, seconds: float) -> None:
    assert parse_wait(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "0h", "1 week", "1..5h"])
def test_what_is_no_wait_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="72h"):
        parse_wait(text)
