"""Segments: what each is judged by, and that looking at many of them finds nothing in noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.engine import evaluate
from authopt.evaluation.result import Evaluation
from authopt.evaluation.segment_result import Segmentation
from authopt.policies.priority import Priority
from authopt.policies.uniform import Uniform
from tests.factories import logged_batch


@dataclass
class ByRoute:
    """A reward model that knows a number per route."""

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return np.array([0.5, 0.6, 0.7])[batch.action_route]


def one(evaluation: Evaluation, place: int = 0) -> Segmentation:
    return evaluation.policies[1].segments[place]


def test_a_segment_is_judged_as_a_log_of_its_rows_alone_would_be() -> None:
    batch = logged_batch(2_000)
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    whole = evaluate([batch], [Uniform()], reward_model=ByRoute(), segments=["network"])
    for segment in one(whole).segments:
        rows = np.flatnonzero(network.codes == network.categories.index(segment.name))
        alone = evaluate([batch.take(rows)], [Uniform()], reward_model=ByRoute())
        policy = alone.policies[1]
        assert segment.rows == len(rows)
        assert segment.logged == pytest.approx(alone.log.mean_reward)
        assert segment.value.value == pytest.approx(policy.estimate("dr").value)
        assert segment.gain is not None
        gain = next(each for each in policy.gains if each.estimator == "dr")
        assert segment.gain.value == pytest.approx(gain.value)


def test_segments_of_a_column_add_up_to_the_whole() -> None:
    evaluation = evaluate([logged_batch(500)], [Uniform()], segments=["network", "attempt"])
    policy = evaluation.policies[1]
    for segmentation in policy.segments:
        assert sum(segment.rows for segment in segmentation.segments) == 500


def test_the_more_segments_are_looked_at_the_wider_their_intervals() -> None:
    batch = logged_batch(2_000)
    few = one(evaluate([batch], [Uniform()], segments=["network"]))
    many = one(evaluate([batch], [Uniform()], segments=["network", "amount_band", "attempt"]))
    assert few.looked_at == 2
    assert many.looked_at == 2 + 2 + 5
    for narrow, wide in zip(few.segments, many.segments, strict=True):
        assert narrow.value.interval.width < wide.value.interval.width
        # The asymptotic intervals hold each for itself.
        assert narrow.value.by("normal") == wide.value.by("normal")


def test_with_one_segment_looked_at_its_interval_is_that_of_the_whole() -> None:
    batch = logged_batch(2_000)
    evaluation = evaluate([batch], [Uniform()], segments=["currency"])
    (segment,) = one(evaluation).segments
    value = evaluation.policies[1].value
    assert segment.value.interval.lower == pytest.approx(value.interval.lower, abs=2e-3)
    assert segment.value.interval.upper == pytest.approx(value.interval.upper, abs=2e-3)


def test_a_column_with_more_values_than_anyone_can_read_is_refused() -> None:
    shops = Categorical.from_values(f"shop {place}" for place in range(600))
    batch = replace(logged_batch(600), context={"merchant_id": shops})
    with pytest.raises(UserError, match=r"'merchant_id' has more than 500 values.*coarser"):
        evaluate([batch], [Uniform()], segments=["merchant_id"])


@pytest.mark.slow
def test_among_many_segments_of_pure_noise_none_stands_out_more_often_than_stated() -> None:
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        batch = noise(logged_batch(3_000, seed=seed, attempts_per_payment=1), rng)
        evaluation = evaluate([batch], [Priority(("adyen",))], segments=["x_shop"], bootstrap=0)
        gains = [segment.gain for segment in one(evaluation).segments]
        alarms += any(
            not gain.interval.lower <= 0.0 <= gain.interval.upper for gain in gains if gain
        )
    # 5% of 60 is 3; more than 8 would be a chance of 1 in 200.
    assert alarms <= 8


def noise(batch: LoggedBatch, rng: np.random.Generator) -> LoggedBatch:
    """Every route does equally well in every one of 30 shops."""
    approved = (rng.random(batch.n) < 0.6).astype(np.float64)
    shop = Categorical(rng.integers(0, 30, batch.n).astype(np.int32), tuple(map(str, range(30))))
    return replace(
        batch,
        reward=approved,
        outcome={"approved": approved},
        context={**batch.context, "x_shop": shop},
    )


def test_the_gain_in_money_is_the_weighted_sum_of_amounts_less_the_logged_one() -> None:
    batch = logged_batch(1_000)
    evaluation = evaluate([batch], [Uniform()], volume=True)
    (volume,) = evaluation.policies[1].volume
    amount = np.asarray(batch.context["amount_minor"])
    w = (1 / 3) / batch.propensity
    approved = amount * batch.reward
    snips_gain = ((w * approved).sum() / w.sum() - approved.mean()) * batch.n
    assert volume.currency == "EUR"
    assert volume.rows == 1_000
    assert volume.amount == pytest.approx(amount.sum())
    assert volume.logged == pytest.approx(approved.sum())
    assert volume.gain.value == pytest.approx(snips_gain)
    assert volume.gain.interval.lower < snips_gain < volume.gain.interval.upper


def test_without_amounts_the_gain_in_money_cannot_be_asked_for() -> None:
    batch = replace(logged_batch(10), context={})
    with pytest.raises(UserError, match="no amount_minor and currency"):
        evaluate([batch], [Uniform()], volume=True)
