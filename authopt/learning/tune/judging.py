"""Decisions of a later slice, and what a trained policy is worth on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.quantities import Estimate
from authopt.evaluation.result import Evaluation
from authopt.features.folds import sample_payments
from authopt.hashing import hash_strings
from authopt.learning.reward_model import RewardModel, fit_reward_model
from authopt.learning.reward_to_go import Retries, own_rewards
from authopt.learning.training_text import NO_OUTCOME
from authopt.policies.priority import first_of_each
from authopt.policies.protocol import Policy
from authopt.rewards import Reward

MAX_ROWS = 100_000
"""Decisions of a slice that judge, of whole payments."""

GREEDY, FLOORED = "greedy", "floored"


class Limits(msgspec.Struct, frozen=True):
    """An estimate with its interval (one that covers)."""

    value: float | None
    lower: float
    upper: float
    estimator: str


class Judged(msgspec.Struct, frozen=True):
    """What a candidate is worth on a later slice, per decision.

    Attributes
    ----------
    score
        the doubly robust estimate of the greedy value, by which candidates are ranked; NaN where
        the slice holds nothing to estimate it from.
    greedy
        always the most probable action: what was learned.
    floored
        with the exploration that the candidate would have: what it earns tomorrow.
    """

    score: float
    greedy: Limits
    floored: Limits


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """Decisions that candidates are judged by.

    Attributes
    ----------
    batch
        with the rewards to judge by.
    expected
        float64[m], a reward model's predictions; it never saw the payment.
    bounds
        of the rewards.
    left_out
        decisions of the slice that cannot judge, by reason.
    """

    batch: LoggedBatch
    expected: FloatArray
    bounds: tuple[float, float]
    left_out: Mapping[str, int]


def exam_of(batches: Iterable[LoggedBatch], reward: Reward, to_go: bool, seed: int) -> Exam | None:
    """The decisions of a slice that can judge; None where there are none.

    Parameters
    ----------
    batches
        the slice; whole payments, with their own rewards.
    reward
        what the rewards are.
    to_go
        judge by the rewards of the payment from the decision on.
    seed
        of the sample and the reward model.
    """
    sample = sample_payments(batches, MAX_ROWS, seed, "exam")
    if sample is None:
        return None
    batch = sample.batch
    got = own_rewards(batch)
    if to_go:
        retries = Retries()
        retries.add(batch)
        got = retries.to_go(batch, reward.bounds[1])
    sound = (batch.propensity > 0.0) & (batch.propensity <= 1.0)
    known = np.isfinite(got)
    rows = np.flatnonzero(known & sound)
    if not len(rows):
        return None
    batch = replace(batch.take(rows), reward=got[rows])
    model: RewardModel = fit_reward_model([batch], seed=seed)
    low, high = reward.bounds
    bounds = min(low, float(batch.reward.min())), max(high, float(batch.reward.max()))
    left_out = {NO_OUTCOME: int((~known).sum()), "no sound propensity": int((known & ~sound).sum())}
    return Exam(
        batch, model.predict(batch), bounds, {why: rows for why, rows in left_out.items() if rows}
    )


def judge(exam: Exam, policy: Policy) -> Judged:
    """Off-policy, greedily and as the policy explores."""
    floored = policy.probabilities(exam.batch.decisions())
    evaluation = evaluation_of(exam, {GREEDY: most_probable(exam, floored), FLOORED: floored})
    best = evaluation.policy(GREEDY)
    score = best.estimate("dr").value
    return Judged(
        float("nan") if score is None else score,
        limits_of(best.value),
        limits_of(evaluation.policy(FLOORED).value),
    )


def most_probable(exam: Exam, probability: FloatArray) -> FloatArray:
    """float64[m], 1 on the most probable action of each decision."""
    return first_of_each(exam.batch, -probability)


def evaluation_of(exam: Exam, given: Mapping[str, FloatArray]) -> Evaluation:
    """Policies, by the probabilities (float64[m]) that they give the exam's actions."""
    batch = exam.batch
    return evaluate_arrays(
        chosen=batch.chosen,
        reward=batch.reward,
        evaluation=given,
        logging=batch.probability,
        propensity=batch.propensity,
        q=exam.expected,
        offsets=batch.offsets,
        cluster=np.unique(hash_strings(batch.payment_id), return_inverse=True)[1].reshape(-1),
        reward_bounds=exam.bounds,
        bootstrap=0,
        anytime=False,
        likelihood=False,
    )


def limits_of(estimate: Estimate) -> Limits:
    """The recommended interval."""
    limits = estimate.interval
    return Limits(estimate.value, limits.lower, limits.upper, estimate.estimator)
