"""Replay of a log to a policy that learns."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.engine import evaluate
from authopt.evaluation.quantities import Guarantee, Level
from authopt.evaluation.replay.acceptance import acceptance_uniforms
from authopt.evaluation.replay.replay import largest_weight, replay
from authopt.evaluation.replay.result import Method, ReplayResult
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform
from authopt.rewards import ColumnReward
from tests.factories import logged_batch

UNIFORM_LOG = logged_batch(3_000, uniform_logging=True, seed=1)
OWN_LOG = logged_batch(2_000, seed=2)


@dataclass(frozen=True, slots=True)
class Scores:
    """The probability of the first action by row of the log; the others share the rest."""

    scores: tuple[float, ...]
    name: str = "scores"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        column = batch.context["x_row"]
        assert isinstance(column, np.ndarray)
        rows = [int(row) for row in np.asarray(column, np.float64)]
        table = []
        for row, count in zip(rows, batch.counts, strict=True):
            first = self.scores[row % len(self.scores)]
            table += [first, *[(1.0 - first) / (count - 1)] * (int(count) - 1)]
        return np.array(table)


@dataclass(slots=True)
class Listener:
    """Learns nothing, but remembers what it was told, in a list that copies share."""

    told: Any
    first: float = 0.25
    name: str = "listener"
    batches: int = field(default=0)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return Scores((self.first,)).probabilities(batch)

    def update(self, batch: LoggedBatch) -> None:
        self.batches += 1
        self.told.said.append((self.batches, batch))


class Shared:
    """What survives copying."""

    def __init__(self) -> None:
        self.said: list[tuple[int, LoggedBatch]] = []

    def __deepcopy__(self, memo: object) -> Shared:
        return self


def log_of(
    rewards: Sequence[float],
    propensity: float,
    actions: int = 3,
    probability: bool = False,
    ids: Sequence[str] | None = None,
) -> LoggedBatch:
    """Rows whose first action was taken; the other actions share the rest of the probability."""
    n = len(rewards)
    others = [(1.0 - propensity) / max(actions - 1, 1)] * (actions - 1)
    names = pa.array([f"c{row}" for row in range(n)] if ids is None else list(ids))
    return LoggedBatch(
        decision_id=names,
        payment_id=names,
        attempt=np.ones(n, np.int32),
        decided_at=np.datetime64("2026-02-01", "us") + np.arange(n) * np.timedelta64(1, "s"),
        context={"x_row": np.arange(n, dtype=np.float64)},
        routes=tuple(f"r{place}" for place in range(actions)),
        action_route=np.tile(np.arange(actions, dtype=np.int32), n),
        action_delay_s=np.zeros(n * actions, np.int64),
        offsets=np.arange(0, n * actions + 1, actions, dtype=np.int64),
        chosen=np.zeros(n, np.int64),
        propensity=np.full(n, propensity),
        probability=np.tile([propensity, *others], n) if probability else None,
        reward=np.array(rewards, np.float64),
        outcome={"approved": np.array(rewards, np.float64)},
    )


def ids_above(limit: float, count: int) -> list[str]:
    """Ids of rows that are rejected wherever their chance is at most ``limit``."""
    names = [f"a{number}" for number in range(50 * count)]
    uniform = acceptance_uniforms(pa.array(names), seed=0, repetition=0)
    return [names[place] for place in np.flatnonzero(uniform > limit)[:count]]


def values(result: ReplayResult) -> dict[str, float | None]:
    return {each.estimator: each.value for each in result.estimates}


def remarks(result: ReplayResult, level: Level) -> str:
    return " | ".join(each.text for each in result.remarks if each.level is level)


# What coba's RejectionCB does in its own tests (coba/tests/test_evaluators_sequential.py).


def test_a_row_logged_with_certainty_is_accepted_by_a_policy_that_is_certain_too() -> None:
    result = replay([log_of([1.0], 1.0)], Scores((1.0,)), max_weight=1.0)
    assert result.accepted == 1
    assert values(result) == {"rejection": 1.0, "dr": 1.0}


def test_rejected_rows_count_in_the_value_of_the_step_that_they_lead_up_to() -> None:
    log = log_of([5.0, 5.0, 5.0], 0.25, ids=ids_above(0.2, 3))
    result = replay(
        [log],
        Scores((0.05, 0.25, 0.05)),
        method=Method.DR,
        reward=ColumnReward("approved", (0.0, 8.0)),
        max_weight=1.0,
    )
    # Weights 0.2, 1 and 0.2: the second row is accepted, and the step has the mean of 1 and 5.
    assert result.accepted == 1
    assert result.curve[0].value == pytest.approx(3.0)
    assert values(result) == pytest.approx({"dr": 7.0 / 3.0, "rejection": 5.0})


def test_rows_at_weight_one_are_all_accepted_and_learnt_with_the_learners_own_propensity() -> None:
    told = Shared()
    result = replay(
        [log_of([3.0] * 6, 0.25)],
        Listener(told),
        reward=ColumnReward("approved", (0.0, 3.0)),
        max_weight=1.0,
    )
    assert result.accepted == 6
    assert values(result)["rejection"] == 3.0
    assert [float(batch.propensity[0]) for _, batch in told.said] == [0.25] * 6
    assert [point.value for point in result.curve] == [3.0] * 6


def test_an_action_that_the_policy_never_takes_is_never_accepted() -> None:
    result = replay([log_of([1.0] * 20, 0.25)], Scores((0.0,)), max_weight=4.0)
    assert result.accepted == 0
    assert result.value.value is None


def test_rows_without_a_propensity_cannot_be_replayed() -> None:
    log = replace(log_of([1.0, 0.0], 0.5), propensity=np.full(2, np.nan))
    with pytest.raises(UserError, match="has no propensities"):
        replay([log], Scores((0.5,)))


# Against other ways to the same figures.


def row_by_row(
    log: LoggedBatch, policy: SuccessRate, c: float, update_every: int
) -> tuple[int, float, float]:
    """The algorithm of the papers in a plain loop: accepted rows, both estimates."""
    uniform = acceptance_uniforms(log.decision_id, 0, 0)
    waiting: list[LoggedBatch] = []
    accepted, earned, total = 0, 0.0, 0.0
    for row in range(log.n):
        one = log.take(slice(row, row + 1))
        own = policy.probabilities(one.decisions())
        chance = float(own[one.chosen[0]])
        weight = chance / float(one.propensity[0])
        total += weight * float(one.reward[0])
        if uniform[row] < c * weight:
            accepted += 1
            earned += float(one.reward[0])
            waiting.append(replace(one, propensity=np.array([chance]), probability=own))
        if len(waiting) == update_every:
            for each in waiting:
                policy.update(each)
            waiting = []
    return accepted, earned / accepted, total / log.n


@pytest.mark.parametrize("update_every", [1, 7])
def test_slices_give_what_going_row_by_row_gives(update_every: int) -> None:
    log = UNIFORM_LOG.take(slice(0, 900))
    result = replay([log], SuccessRate(window=40), max_weight=3.0, update_every=update_every)
    accepted, rejection, dr = row_by_row(log, SuccessRate(window=40), 1.0 / 3.0, update_every)
    assert result.accepted == accepted
    assert values(result) == pytest.approx({"rejection": rejection, "dr": dr}, abs=1e-12)


@dataclass(frozen=True, slots=True)
class Flat:
    """A reward model that predicts by route."""

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return 0.2 + 0.3 * (batch.action_route % 3).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Constant:
    """A reward model that predicts the same for every action."""

    value: float

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return np.full(batch.m, self.value)


def test_the_value_of_a_fixed_policy_is_that_of_doubly_robust_evaluation() -> None:
    fixed = evaluate([OWN_LOG], [Uniform()], reward_model=Flat(), bootstrap=0)
    result = replay([OWN_LOG], Uniform(), reward_model=Flat(), max_weight=largest_weight([OWN_LOG]))
    assert result.method is Method.DR
    expected = fixed.policy("uniform").estimate("dr").value
    assert result.value.value == pytest.approx(expected, abs=1e-12)
    gain = fixed.policy("uniform").gains
    expected = next(each.value for each in gain if each.estimator == "dr")
    assert result.gain.value == pytest.approx(expected, abs=1e-12)


def test_a_replay_does_not_depend_on_the_chunks_of_the_log() -> None:
    options: dict[str, Any] = {"update_every": 15, "repetitions": 2}
    bounds: list[dict[str, Any]] = [{"max_weight": 3.0}, {"quantile": 0.1}]
    for bound in bounds:
        whole = replay([UNIFORM_LOG], SuccessRate(), **options, **bound)
        cuts = [0, 1, 130, 1_000, 2_999, 3_000]
        chunks = [UNIFORM_LOG.take(slice(start, stop)) for start, stop in itertools.pairwise(cuts)]
        parts = replay(chunks, SuccessRate(), **options, **bound)
        assert parts.accepted == whole.accepted
        assert values(parts) == pytest.approx(values(whole), abs=1e-12)


def test_a_replay_can_be_repeated_and_the_seed_decides_what_is_accepted() -> None:
    options: dict[str, Any] = {"max_weight": 3.0, "update_every": 20}
    first = replay([UNIFORM_LOG], SuccessRate(), **options)
    assert replay([UNIFORM_LOG], SuccessRate(), **options) == first
    other = replay([UNIFORM_LOG], SuccessRate(), **options, seed=1)
    assert other.value.value != first.value.value


def test_repetitions_differ_and_are_pooled() -> None:
    result = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, repetitions=3, update_every=20)
    runs = result.runs
    assert len({run.accepted for run in runs}) > 1
    accepted = np.array([run.accepted for run in runs], np.float64)
    rejection = np.array([run.rejection for run in runs], np.float64)
    assert values(result)["rejection"] == pytest.approx(accepted @ rejection / accepted.sum())
    assert values(result)["dr"] == pytest.approx(np.mean([run.dr for run in runs]))
    assert result.accepted == pytest.approx(accepted.mean())


def test_repetitions_of_the_same_rows_do_not_make_intervals_narrower_than_the_log_allows() -> None:
    # Everything is accepted: repetitions are copies of each other.
    log = log_of([1.0, 0.0, 1.0, 1.0] * 100, 1.0 / 3.0, probability=True)
    once, often = (
        replay([log], Scores((1.0 / 3.0,)), max_weight=3.0, method=Method.DR, repetitions=times)
        for times in (1, 8)
    )
    for method in ("normal", "betting"):
        one, many = once.value.by(method), often.value.by(method)
        assert one is not None
        assert many is not None
        assert (many.lower, many.upper) == pytest.approx((one.lower, one.upper), abs=1e-9)


def test_the_policy_itself_learns_nothing() -> None:
    policy = SuccessRate()
    before = policy.overall_rate("adyen")
    replay([UNIFORM_LOG], policy, max_weight=3.0, update_every=50, repetitions=2)
    assert policy.overall_rate("adyen") == before
    again = replay([UNIFORM_LOG], policy, max_weight=3.0, update_every=50)
    assert again == replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, update_every=50)


def test_the_learner_learns_from_so_many_accepted_rows_at_a_time_and_from_the_rest_at_the_end() -> (
    None
):
    told = Shared()
    result = replay([log_of([1.0] * 23, 0.25)], Listener(told), max_weight=1.0, update_every=10)
    assert [batch.n for _, batch in told.said] == [10, 10, 3]
    assert result.updates == 3
    assert result.live_updates == 3


def test_accepted_rows_carry_the_learners_probabilities_of_all_actions() -> None:
    told = Shared()
    replay([log_of([1.0] * 4, 0.25)], Listener(told, first=0.2), max_weight=1.0)
    for _, batch in told.said:
        assert batch.probability == pytest.approx([0.2, 0.4, 0.4])
        assert batch.propensity == pytest.approx([0.2])


# How rows are accepted.


def test_with_an_exact_bound_rows_are_accepted_at_its_rate() -> None:
    result = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, repetitions=4, update_every=50)
    # Four binomials of 3,000 rows: 5 standard errors.
    assert result.acceptance.rate == pytest.approx(1 / 3, abs=5 * math.sqrt(2 / 9 / 12_000))
    assert result.acceptance.distortion == 0.0
    assert result.acceptance.exact


def test_the_largest_weight_is_one_over_the_smallest_probability_of_any_action() -> None:
    assert OWN_LOG.probability is not None
    parts = [OWN_LOG.take(slice(0, 700)), OWN_LOG.take(slice(700, 2_000))]
    assert largest_weight(parts) == pytest.approx(1.0 / OWN_LOG.probability.min())
    assert largest_weight([replace(OWN_LOG, probability=None)]) is None
    assert largest_weight([]) is None


def test_a_quantile_of_the_weights_accepts_more_and_says_what_that_costs() -> None:
    exact = replay([OWN_LOG], Uniform(), max_weight=largest_weight([OWN_LOG]))
    loose = replay([OWN_LOG], Uniform(), quantile=0.2)
    assert loose.accepted > 2 * exact.accepted
    assert not loose.acceptance.exact
    assert loose.acceptance.distortion > 0.01
    assert "total variation" in remarks(loose, Level.WARNING)


def test_the_multiplier_follows_the_quantile_of_the_ratios() -> None:
    # A policy that always takes an action of propensity 0.1 meets ratios of 0.1 alone.
    log = log_of([1.0] * 2_000, 0.1, probability=True)
    result = replay([log], Scores((1.0,)), quantile=0.5)
    assert result.acceptance.last == pytest.approx(0.1, rel=0.011)
    assert result.acceptance.distortion == pytest.approx(0.0, abs=1e-3)


def test_the_multiplier_goes_on_following_when_the_log_changes() -> None:
    early, late = (log_of([1.0] * 2_000, p, probability=True) for p in (0.5, 0.1))
    late = replace(late, decided_at=late.decided_at + np.timedelta64(1, "D"))
    result = replay([early, late], Scores((1.0,)), quantile=0.01)
    assert result.acceptance.first == 0.25
    assert result.acceptance.last == pytest.approx(0.1, rel=0.011)


def test_the_distortion_is_the_mass_that_rejection_cannot_bring_out() -> None:
    # Ratios of 0.1 and 0.5 by turns, and c at 0.5: of the rows with 0.1 the policy's mass of 1 is
    # brought out at 0.1 / 0.5 only.
    rare, often = (log_of([1.0] * 2_000, p, probability=True) for p in (0.1, 0.5))
    turns = np.arange(2_000) % 2
    assert rare.probability is not None
    assert often.probability is not None
    log = replace(
        rare,
        propensity=np.where(turns, rare.propensity, often.propensity),
        probability=np.where(np.repeat(turns, 3), rare.probability, often.probability),
    )
    result = replay([log], Scores((1.0,)), quantile=0.7)
    assert result.acceptance.last == pytest.approx(0.5, rel=0.011)
    assert result.acceptance.distortion == pytest.approx(0.5 * 0.8, abs=0.02)


@pytest.mark.parametrize("known", [True, False])
def test_the_distortion_has_the_same_expectation_without_the_probabilities_of_all_actions(
    known: bool,
) -> None:
    log = OWN_LOG if known else replace(OWN_LOG, probability=None)
    result = replay([log], Uniform(), quantile=0.3)
    with_all = replay([OWN_LOG], Uniform(), quantile=0.3)
    assert result.acceptance.distortion == pytest.approx(with_all.acceptance.distortion, abs=0.02)
    assert (result.acceptance.unsupported_mass is None) is not known


def test_a_weight_above_the_declared_bound_is_an_error() -> None:
    with pytest.raises(UserError, match=r"importance weight .* above the largest one"):
        replay([OWN_LOG], Uniform(), max_weight=1.5)


def test_propensities_that_are_wrong_raise_an_alarm() -> None:
    wrong = replace(UNIFORM_LOG, propensity=np.full(3_000, 0.5), probability=None)
    result = replay([wrong], SuccessRate(), max_weight=3.0, update_every=50)
    assert "the propensities are wrong" in remarks(result, Level.ALARM)
    right = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, update_every=50)
    assert not remarks(right, Level.ALARM)


# What is reported.


def test_retries_are_pointed_out_and_what_is_estimated_on_them() -> None:
    result = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, update_every=100)
    assert result.retries == 1_500
    assert "per decision over those points, not per payment" in remarks(result, Level.NOTE)
    single = logged_batch(300, uniform_logging=True, attempts_per_payment=1)
    assert "per payment" not in remarks(replay([single], SuccessRate()), Level.NOTE)


def test_a_learner_that_saw_a_third_of_the_log_is_compared_with_a_live_one() -> None:
    result = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, update_every=10)
    assert result.live_updates == 300
    assert result.updates == pytest.approx(100, abs=15)
    assert "live, as many decisions would have given it 300" in remarks(result, Level.NOTE)


def test_a_policy_that_does_not_learn_is_judged_as_it_stands() -> None:
    result = replay([UNIFORM_LOG], Uniform(), max_weight=1.0)
    assert not result.learns
    assert result.updates == result.live_updates == 0
    assert "does not learn" in remarks(result, Level.NOTE)


def test_a_short_log_is_called_short() -> None:
    result = replay([UNIFORM_LOG.take(slice(0, 60))], SuccessRate(), max_weight=3.0)
    assert "too short" in remarks(result, Level.WARNING)
    assert all(each.vetoed for each in result.value.intervals if each.method == "normal")


def test_rare_acceptance_is_pointed_out_with_a_way_out() -> None:
    log = log_of([1.0] * 3_000, 0.5, probability=True)
    result = replay([log], Scores((0.5,)), max_weight=500.0)
    assert "quantile" in remarks(result, Level.WARNING)


def test_actions_without_support_are_counted_with_the_worst_and_the_best_reward() -> None:
    log = log_of([1.0] * 400, 1.0, probability=True)
    result = replay([log], Scores((0.6,)), max_weight=1.0, method=Method.DR)
    assert result.acceptance.unsupported_mass == pytest.approx(0.4)
    assert result.acceptance.distortion == pytest.approx(0.4)
    for estimate in result.estimates:
        interval = estimate.interval
        assert interval.guarantee is Guarantee.COVERS
        # The value is between 0.6 and 1, whatever the actions that were never taken earn.
        assert interval.lower <= 0.6
        assert interval.upper == 1.0
    assert "never took" in remarks(result, Level.WARNING)


def test_what_a_reward_model_says_of_actions_without_support_does_not_count_in_limits() -> None:
    log = log_of([1.0, 0.0] * 300, 1.0, probability=True)
    for predicted in (0.0, 1.0):
        result = replay([log], Scores((0.6,)), max_weight=1.0, reward_model=Constant(predicted))
        # Of what is taken half is approved: 0.3 is sure, and 0.4 may earn anything.
        assert result.value.interval.lower <= 0.3
        assert result.value.interval.upper >= 0.7


def test_predictions_outside_the_bounds_of_the_reward_are_cut_to_them() -> None:
    options: dict[str, Any] = {"max_weight": 3.0, "update_every": 50}
    wild, tame = (
        replay([UNIFORM_LOG], SuccessRate(), reward_model=Constant(q), **options)
        for q in (50.0, 1.0)
    )
    assert wild.estimates == tame.estimates


def test_both_estimates_are_there_and_the_method_says_which_comes_first() -> None:
    first = [
        replay([UNIFORM_LOG], SuccessRate(), method=method, max_weight=3.0, update_every=50)
        for method in Method
    ]
    assert [each.value.estimator for each in first] == ["rejection", "dr"]
    assert [each.gain.estimator for each in first] == ["rejection", "dr"]
    assert values(first[0]) == values(first[1])
    assert replay([UNIFORM_LOG], Uniform()).method is Method.REJECTION


def test_the_gain_is_the_value_less_the_mean_logged_reward() -> None:
    result = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, update_every=50)
    for estimate, gain in zip(result.estimates, result.gains, strict=True):
        assert gain.value == pytest.approx((estimate.value or 0.0) - result.mean_reward)
        covering = gain.interval
        assert covering.guarantee is Guarantee.COVERS
        assert covering.lower < (gain.value or 0.0) < covering.upper
    assert result.mean_reward == pytest.approx(UNIFORM_LOG.reward.mean())


def test_a_policy_that_learns_well_is_found_to_be_better_than_uniform_logging() -> None:
    log = logged_batch(12_000, uniform_logging=True, seed=5)
    result = replay([log], SuccessRate(), max_weight=3.0, update_every=100)
    assert all(gain.interval.lower > 0.0 for gain in result.gains)


def test_the_curve_covers_all_accepted_rows_in_order() -> None:
    result = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, method=Method.DR)
    edges = [(point.accepted_from, point.accepted_to) for point in result.curve]
    assert all(left[1] == right[0] for left, right in itertools.pairwise(edges))
    assert edges[0][0] == 0
    assert edges[-1][1] >= result.accepted
    assert sum(point.rows for point in result.curve) == result.rows
    assert len(edges) <= 20


def test_rows_without_an_outcome_are_left_out_and_counted() -> None:
    reward = UNIFORM_LOG.reward.copy()
    reward[::3] = np.nan
    result = replay([replace(UNIFORM_LOG, reward=reward)], Uniform(), max_weight=1.0)
    assert result.rows == 2_000
    assert [(each.reason, each.rows) for each in result.left_out] == [
        ("the outcome is not known", 1_000)
    ]


# Degenerate logs.


def all_figures(value: object) -> list[float]:
    if isinstance(value, dict):
        return [figure for each in value.values() for figure in all_figures(each)]
    if isinstance(value, list):
        return [figure for each in value for figure in all_figures(each)]
    return [value] if isinstance(value, float) else []


DEGENERATE = {
    "one row": (log_of([1.0], 0.5), Scores((0.5,)), {"max_weight": 2.0}),
    "one row, no bound": (log_of([1.0], 0.5), Scores((0.5,)), {}),
    "constant rewards": (log_of([1.0] * 500, 0.5), Scores((0.5,)), {"max_weight": 1.0}),
    "no overlap": (log_of([1.0] * 50, 0.5), Scores((0.0,)), {"max_weight": 2.0}),
    "no overlap, no bound": (log_of([1.0] * 50, 0.5), Scores((0.0,)), {}),
    "certain logging": (
        log_of([1.0, 0.0] * 25, 1.0, probability=True),
        Scores((0.0,)),
        {"max_weight": 1.0},
    ),
    "tiny propensities": (log_of([1.0, 0.0] * 25, 1e-9), Scores((1e-9,)), {}),
}


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_logs_give_wide_intervals_and_no_nan(case: str, method: Method) -> None:
    log, policy, options = DEGENERATE[case]
    result = replay([log], policy, method=method, **options)  # type: ignore[arg-type]
    assert all(math.isfinite(figure) for figure in all_figures(result.as_json()))
    for each in (*result.estimates, *result.gains):
        assert each.interval.width > 0.0
    for each in result.estimates:
        covering = each.interval
        if covering.guarantee is Guarantee.COVERS:
            assert 0.0 <= covering.lower < covering.upper <= 1.0


def test_without_overlap_anything_is_possible() -> None:
    log = log_of([1.0] * 50, 1.0, probability=True)
    result = replay([log], Scores((0.0,)), max_weight=1.0)
    for estimate in result.estimates:
        assert (estimate.interval.lower, estimate.interval.upper) == (0.0, 1.0)


def test_the_result_is_written_as_json() -> None:
    result = replay([UNIFORM_LOG], SuccessRate(), max_weight=3.0, update_every=50, repetitions=2)
    read = msgspec.json.decode(msgspec.json.encode(result.as_json()))
    assert read["method"] == "rejection"
    assert read["estimates"][0]["intervals"][0]["method"] == "betting"
    assert len(read["runs"]) == 2


# Mistakes of the user.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_weight": 0.5}, "largest weight is declared as 0.5"),
        ({"max_weight": math.nan}, "largest weight is declared as nan"),
        ({"quantile": 1.0}, "quantile of a replay is 1.0"),
        ({"update_every": 0}, "updates every 0 accepted rows"),
        ({"repetitions": 0}, "0 repetitions"),
        ({"confidence": 1.0}, "confidence is 1.0"),
    ],
)
def test_an_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        replay([UNIFORM_LOG], SuccessRate(), **options)


def test_a_log_out_of_order_is_an_error() -> None:
    backwards = [UNIFORM_LOG.take(slice(10, 20)), UNIFORM_LOG.take(slice(0, 10))]
    with pytest.raises(UserError, match="order of time"):
        replay(backwards, SuccessRate(), max_weight=3.0)


@pytest.mark.parametrize("batches", [[], [UNIFORM_LOG.take(slice(0, 0))]])
def test_an_empty_log_is_an_error(batches: list[LoggedBatch]) -> None:
    with pytest.raises(UserError, match="it is empty"):
        replay(batches, SuccessRate())


def test_a_reward_outside_its_bounds_is_an_error() -> None:
    with pytest.raises(UserError, match="outside its bounds"):
        replay([log_of([2.0], 0.5)], Scores((0.5,)))


def test_a_policy_that_gives_no_probabilities_is_named_with_the_decision() -> None:
    broken = Scores((*[0.5] * 100, 1.5))
    with pytest.raises(UserError, match=r"policy 'scores' .* for decision 'c100'"):
        replay([log_of([1.0] * 200, 0.5)], broken, max_weight=2.0)


def test_a_learner_that_cannot_be_copied_is_an_error() -> None:
    class Bound(SuccessRate):
        def __deepcopy__(self, memo: object) -> Bound:
            raise TypeError("it holds a socket")

    with pytest.raises(UserError, match=r"cannot be copied \(it holds a socket\)"):
        replay([UNIFORM_LOG], Bound())


# Invariants.


@settings(max_examples=25)
@given(
    st.integers(0, 10_000),
    st.floats(0.1, 50.0),
    st.floats(-20.0, 20.0),
    st.sampled_from(list(Method)),
)
def test_rewards_in_other_units_give_the_same_answer_in_those_units(
    seed: int, factor: float, shift: float, method: Method
) -> None:
    log = logged_batch(120, seed=seed)
    moved = factor * log.reward + shift
    other = replace(log, reward=moved, outcome={"margin": moved})
    bound = largest_weight([log])
    plain = replay([log], Uniform(), method=method, max_weight=bound)
    scaled = replay(
        [other],
        Uniform(),
        method=method,
        reward=ColumnReward("margin", (shift, factor + shift)),
        max_weight=bound,
    )
    for left, right in zip(plain.estimates, scaled.estimates, strict=True):
        if left.value is None:
            assert right.value is None
        else:
            assert right.value == pytest.approx(factor * left.value + shift, abs=1e-6 * factor)
        for one, two in zip(left.intervals, right.intervals, strict=True):
            assert (two.lower, two.upper) == pytest.approx(
                (factor * one.lower + shift, factor * one.upper + shift), abs=1e-5 * (factor + 20)
            )
