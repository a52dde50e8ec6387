from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.engine import evaluate
from authopt.evaluation.quantities import Level
from authopt.evaluation.result import LOGGING_POLICY
from authopt.logs.schema import PropensitySource
from authopt.policies.logged import LoggedPolicy
from authopt.rewards import ColumnReward
from tests.factories import logged_batch
from tests.same import assert_same


@dataclass
class Favourite:
    """Takes one route with 0.7, the others alike."""

    route: int = 0
    name: str = "favourite"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        others = np.repeat(0.3 / (batch.counts - 1.0), batch.counts)
        return np.where(batch.action_route == self.route, 0.7, others)


@dataclass
class Follower:
    """Learns: prefers the route that was approved last; keeps what it was shown."""

    name: str = "follower"
    best: int = 0
    seen: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        assert not isinstance(batch, LoggedBatch)
        self.asked.append(batch.n)
        return Favourite(self.best).probabilities(batch)

    def update(self, batch: LoggedBatch) -> None:
        assert not np.isnan(batch.reward).any()
        self.seen.append(batch.n)
        self.best = int(batch.action_route[batch.chosen_action[-1]])


@dataclass
class RouteRates:
    """A reward model that knows a number per route."""

    rates: tuple[float, ...] = (0.4, 0.5, 0.6)
    description: str = "a number per route"

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return np.array(self.rates)[batch.action_route]


class Broken:
    """Breaks its contract at one decision."""

    name = "broken"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        probabilities = Favourite().probabilities(batch)
        if batch.n > 7:
            probabilities[batch.offsets[7]] += 0.5
        return probabilities


def chunks(batch: LoggedBatch, size: int) -> Iterator[LoggedBatch]:
    for start in range(0, batch.n, size):
        yield batch.take(slice(start, start + size))


def test_the_engine_gives_what_the_arrays_give() -> None:
    batch = logged_batch(2000, attempts_per_payment=1)
    assert batch.probability is not None
    by_log = evaluate(
        chunks(batch, 300), [Favourite()], reward_model=RouteRates(), cluster="decision_id"
    ).policy("favourite")
    by_arrays = evaluate_arrays(
        chosen=batch.chosen,
        reward=batch.reward,
        logging=batch.probability.reshape(-1, 3),
        evaluation={"favourite": Favourite().probabilities(batch).reshape(-1, 3)},
        q=RouteRates().predict(batch).reshape(-1, 3),
    ).policy("favourite")
    for one, other in zip(by_log.estimates, by_arrays.estimates, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-12)
    assert by_log.diagnostics.weights == by_arrays.diagnostics.weights


def test_the_logging_policy_is_always_first_and_only_once() -> None:
    batch = logged_batch(200)
    for policies in ([Favourite()], [Favourite(), LoggedPolicy()], [LoggedPolicy(), Favourite()]):
        evaluation = evaluate([batch], policies)
        assert [policy.name for policy in evaluation.policies] == [LOGGING_POLICY, "favourite"]
        own = evaluation.policies[0]
        assert own.is_logging_policy
        assert own.value.value == pytest.approx(batch.reward.mean())
        assert own.gains == ()


def test_policies_of_the_same_name_are_told_apart_and_keep_their_specs() -> None:
    evaluation = evaluate(
        [logged_batch(200)], [Favourite(0), LoggedPolicy(), Favourite(1)], specs=["a", "l", "b"]
    )
    names = [(policy.name, policy.spec) for policy in evaluation.policies[1:]]
    assert names == [("favourite", "a"), ("favourite #2", "b")]


def test_several_policies_in_one_pass_get_what_each_gets_alone() -> None:
    batch = logged_batch(500)
    together = evaluate([batch], [Favourite(0), Favourite(1, "other")])
    alone = evaluate([batch], [Favourite(1, "other")])
    others = [each.as_json()["policies"][-1] for each in (together, alone)]
    assert_same(*others)


def test_estimates_do_not_depend_on_the_size_of_the_chunks() -> None:
    batch = logged_batch(500)
    whole, parts = (evaluate(chunks(batch, size), [Favourite()]) for size in (500, 37))
    for one, other in zip(whole.policies, parts.policies, strict=True):
        for left, right in zip(one.estimates, other.estimates, strict=True):
            assert left.value == pytest.approx(right.value, abs=1e-12)
            assert left.interval.lower == pytest.approx(right.interval.lower, abs=1e-9)
    assert whole.log == parts.log


def test_rows_that_cannot_be_used_are_counted_by_reason_and_said() -> None:
    batch = logged_batch(100)
    reward, propensity = batch.reward.copy(), batch.propensity.copy()
    reward[:3], propensity[3:5], propensity[5], propensity[6] = np.nan, np.nan, 0.0, 1.5
    evaluation = evaluate([replace(batch, reward=reward, propensity=propensity)], [Favourite()])
    assert evaluation.log.rows == 93
    left_out = {each.reason: each.rows for each in evaluation.log.left_out}
    assert left_out == {
        "the outcome is not known": 3,
        "the propensity is not known": 2,
        "the propensity is outside (0, 1]": 2,
    }
    assert any("3 of 100 rows" in remark.text for remark in evaluation.remarks)


def test_a_log_without_propensities_names_the_command_that_estimates_them() -> None:
    batch = replace(logged_batch(20), propensity=np.full(20, np.nan), probability=None)
    with pytest.raises(UserError, match=r"authopt log propensities pay\.parquet"):
        evaluate([batch], [Favourite()], path=Path("pay.parquet"))


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(UserError, match="empty"):
        evaluate([], [Favourite()])


def test_a_policy_that_breaks_its_contract_is_named_with_the_decision() -> None:
    with pytest.raises(UserError, match=r"'broken'.*'d0-7'.*1\.5"):
        evaluate([logged_batch(20)], [Broken()])


def test_a_reward_outside_its_bounds_is_refused_with_the_decision() -> None:
    batch = logged_batch(20)
    reward = batch.reward.copy()
    reward[4] = 7.0
    with pytest.raises(UserError, match=r"'d0-4' has reward 7 .*\[0, 1\]"):
        evaluate([replace(batch, reward=reward)], [Favourite()])


def test_a_reward_in_money_is_judged_within_its_own_bounds() -> None:
    batch = logged_batch(200)
    money = replace(batch, reward=batch.reward * 30 - 5)
    evaluation = evaluate([money], [Favourite()], reward=ColumnReward("margin", (-5.0, 100.0)))
    assert (evaluation.log.reward, evaluation.log.reward_low) == ("margin", -5.0)
    assert evaluation.policy("favourite").value.interval.lower >= -5.0


def test_a_declared_largest_weight_below_one_that_occurs_is_refused() -> None:
    with pytest.raises(UserError, match="--max-weight"):
        evaluate([logged_batch(200)], [Favourite()], max_weight=1.01)


def test_a_policy_that_learns_follows_the_log_slice_by_slice() -> None:
    policy = Follower()
    result = evaluate(chunks(logged_batch(250), 100), [policy], learn_every=40)
    assert policy.seen == [40, 40, 40, 40, 40, 40, 10]
    assert policy.asked == [40, 40, 20, 20, 40, 40, 40, 10]
    assert result.policy("follower").learns


def test_what_a_learning_policy_decides_does_not_depend_on_what_it_has_not_seen() -> None:
    batch = logged_batch(120)
    reward = batch.reward.copy()
    reward[80:] = 1.0 - reward[80:]
    first, second = Follower(), Follower()
    evaluate([batch.take(slice(0, 80))], [first], learn_every=40)
    evaluate([replace(batch, reward=reward).take(slice(0, 80))], [second], learn_every=40)
    assert first.best == second.best


def test_what_a_learning_policy_gets_does_not_depend_on_the_size_of_the_chunks() -> None:
    batch = logged_batch(300)
    whole, parts = (
        evaluate(chunks(batch, size), [Follower()], learn_every=40).policy("follower")
        for size in (300, 23)
    )
    assert whole.value.value == pytest.approx(parts.value.value, abs=1e-12)


def test_a_frozen_policy_never_learns() -> None:
    policy = Follower()
    result = evaluate([logged_batch(100)], [policy], learn_every=None)
    assert policy.seen == []
    assert not result.policy("follower").learns


def test_a_policy_that_learns_needs_the_log_in_the_order_of_time() -> None:
    batch = logged_batch(100)
    times = batch.decided_at.copy()
    times[[50, 51]] = times[[51, 50]]
    late = [batch.take(slice(50, 100)), batch.take(slice(0, 50))]
    with pytest.raises(UserError, match=r"'d0-51'.*decided_at"):
        evaluate([replace(batch, decided_at=times)], [Follower()])
    with pytest.raises(UserError, match="'d0-0'"):
        evaluate(late, [Follower()])
    evaluate(late, [Favourite()])


def test_without_a_reward_model_there_is_no_dm_and_no_dr() -> None:
    evaluation = evaluate([logged_batch(100)], [Favourite()])
    assert [each.estimator for each in evaluation.policies[0].estimates] == ["on-policy"]
    names = [each.estimator for each in evaluation.policies[1].estimates]
    assert names == ["ips", "clipped-ips", "snips", "clipped-snips", "sg-ips"]
    assert evaluation.policies[1].headline == "clipped-snips"
    assert evaluation.reward_model is None


def test_with_a_reward_model_cut_doubly_robust_is_quoted_and_the_model_is_described() -> None:
    evaluation = evaluate([logged_batch(100)], [Favourite()], reward_model=RouteRates())
    policy = evaluation.policy("favourite")
    names = [each.estimator for each in policy.estimates]
    assert names[-6:] == ["dm", "dr", "sndr", "sg-dr", "switch-dr", "dr-os"]
    assert policy.headline == "sg-dr"
    assert "bias" in (policy.estimate("dm").note or "")
    assert evaluation.reward_model == "a number per route"


def test_routes_show_what_was_taken_and_what_each_policy_wants() -> None:
    batch = logged_batch(300, uniform_logging=True, with_stop=True)
    evaluation = evaluate([batch], [Favourite(1)])
    routes = {each.route: each for each in evaluation.routes}
    assert set(routes) == {"adyen", "braintree", "checkout", "stop"}
    assert routes["braintree"].evaluation == {"favourite": pytest.approx(0.7)}
    assert routes["braintree"].logging == pytest.approx(0.25)
    assert sum(each.logged for each in routes.values()) == pytest.approx(1.0)
    assert all(each.eligible == 1.0 for each in routes.values())
    assert [each.logged for each in evaluation.routes] == sorted(
        (each.logged for each in evaluation.routes), reverse=True
    )


def test_a_route_with_several_delays_is_eligible_once_per_decision() -> None:
    batch = logged_batch(50, routes=("a", "b", "c"))
    twice = replace(
        batch,
        routes=("a", "b"),
        action_route=np.tile(np.array([0, 0, 1], np.int32), 50),
        action_delay_s=np.tile(np.array([0, 3600, 0]), 50),
    )
    evaluation = evaluate([twice], [])
    assert {each.route: each.eligible for each in evaluation.routes} == {"a": 1.0, "b": 1.0}


def test_propensities_that_do_not_match_what_was_taken_are_pointed_out() -> None:
    batch = logged_batch(2000, uniform_logging=True)
    false = replace(
        batch,
        probability=np.tile([0.8, 0.1, 0.1], 2000),
        propensity=np.array([0.8, 0.1, 0.1])[batch.chosen],
    )
    evaluation = evaluate([false], [Favourite(1)])
    assert any("'adyen' was taken" in remark.text for remark in evaluation.remarks)
    result = evaluation.policy("favourite")
    assert result.diagnostics.mean_weight.covered is False
    assert any(remark.level is Level.ALARM for remark in result.remarks)


def test_true_propensities_raise_no_alarm() -> None:
    evaluation = evaluate([logged_batch(5000)], [Favourite(1)], reward_model=RouteRates())
    result = evaluation.policy("favourite")
    assert evaluation.remarks == ()
    assert result.diagnostics.mean_weight.covered is True
    assert not any(remark.level is Level.ALARM for remark in result.remarks)


def test_a_propensity_that_differs_from_its_own_probability_is_pointed_out() -> None:
    batch = logged_batch(200)
    evaluation = evaluate([replace(batch, propensity=batch.propensity * 0.9)], [])
    assert any("differ by up to" in remark.text for remark in evaluation.remarks)


def test_estimated_propensities_are_said_loudly() -> None:
    evaluation = evaluate([logged_batch(50)], [], propensity_source=PropensitySource.ESTIMATED)
    assert evaluation.log.propensity_source == "estimated"
    assert evaluation.remarks[0].level is Level.WARNING
    assert "estimated, not logged" in evaluation.remarks[0].text


def test_a_small_effective_sample_vetoes_asymptotic_intervals_and_says_why() -> None:
    result = evaluate([logged_batch(100)], [Favourite()]).policy("favourite")
    methods = ("normal", "jackknife", "bootstrap", "bca")
    asymptotic = [each for each in result.value.intervals if each.method in methods]
    assert len(asymptotic) == len(methods)
    assert result.value.interval.vetoed is None
    assert all("effective sample" in (interval.vetoed or "") for interval in asymptotic)


def test_the_log_is_described_by_its_payments_its_period_and_its_course() -> None:
    batch = logged_batch(200, attempts_per_payment=2)
    evaluation = evaluate([batch], [], path=Path("pay.parquet"))
    log = evaluation.log
    assert (log.rows, log.clusters, log.clusters_exact, log.cluster) == (
        200,
        100,
        True,
        "payment_id",
    )
    assert log.first == datetime(2026, 1, 1, tzinfo=UTC)
    assert log.last == datetime(2026, 1, 1, 3, 19, tzinfo=UTC)
    assert [each.rows for each in evaluation.over_time] == [60, 60, 60, 20]
    assert evaluation.over_time[1].start == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert evaluation.over_time[3].reward == pytest.approx(batch.reward[180:].mean())


def test_rows_of_a_payment_that_repeat_do_not_narrow_the_interval() -> None:
    batch = logged_batch(400, attempts_per_payment=1)
    ids = pa.array([f"r{i}" for i in range(1600)])
    fourfold = replace(batch.take(np.repeat(np.arange(400), 4)), decision_id=ids)
    once = evaluate([batch], [Favourite()]).policy("favourite").value.interval
    repeated = evaluate([fourfold], [Favourite()]).policy("favourite").value.interval
    by_row = evaluate([fourfold], [Favourite()], cluster="decision_id").policy("favourite")
    assert repeated.width > 0.75 * once.width
    assert by_row.value.interval.width < 0.6 * once.width


def test_an_evaluation_is_plain_json() -> None:
    evaluation = evaluate([logged_batch(50)], [Favourite()], reward_model=RouteRates())
    decoded = msgspec.json.decode(msgspec.json.encode(evaluation))
    assert decoded["policies"][0]["name"] == LOGGING_POLICY
    assert decoded["policies"][1]["estimates"][0]["intervals"][0]["method"] == "cressie-read"
    assert evaluation.as_json()["log"]["rows"] == 50


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence": 1.0},
        {"bootstrap": -1},
        {"learn_every": 0},
        {"max_weight": 0.5},
        {"cluster": "nothing"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError):
        evaluate([logged_batch(20)], [Favourite()], **wrong)  # type: ignore[arg-type]
