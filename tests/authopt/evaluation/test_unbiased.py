"""Unbiasedness by exact expectation: every log of a world small enough to list is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F

import numpy as np
import pytest

from authopt.batch import FloatArray
from authopt.evaluation.arrays import evaluate_arrays
from simulator.tiny import TINY, Row, action_values

POLICY = ((F(1, 10), F(2, 10), F(7, 10)), (F(3, 4), F(1, 4)))
TRUTH = float(TINY.value(POLICY))
WRONG = ((F(1, 3), F(9, 10), F(0)), (F(4, 5), F(1, 5)))

Model = Callable[[tuple[Row, ...]], FloatArray]


def given(table: tuple[tuple[F, ...], ...]) -> Model:
    return lambda rows: action_values(rows, table)[0]


def cross_fitted(rows: tuple[Row, ...]) -> FloatArray:
    """The mean reward of the other rows that took the action, else of all other rows, else 0.4."""
    predicted = []
    for place, row in enumerate(rows):
        others = rows[:place] + rows[place + 1 :]
        for action in range(len(TINY.logging[row.context])):
            same = [other.approved for other in others if other.action == action]
            rewards = same or [other.approved for other in others] or [0.4]
            predicted.append(float(np.mean(rewards)))
    return np.array(predicted)


def expectations(n: int, model: Model) -> dict[str, tuple[float, float]]:
    """Mean and variance of every estimator over all logs of n rows."""
    first: dict[str, float] = {}
    second: dict[str, float] = {}
    for rows, probability in TINY.logs(n):
        logging, offsets = action_values(rows, TINY.logging)
        evaluation, _ = action_values(rows, POLICY)
        result = evaluate_arrays(
            chosen=np.array([row.action for row in rows]),
            reward=np.array([row.approved for row in rows], np.float64),
            evaluation={"new": evaluation},
            logging=logging,
            q=model(rows),
            offsets=offsets,
            bootstrap=0,
        )
        for estimate in result.policy("new").estimates:
            value = estimate.value or 0.0
            first[estimate.estimator] = first.get(estimate.estimator, 0.0) + probability * value
            square = second.get(estimate.estimator, 0.0) + probability * value**2
            second[estimate.estimator] = square
    return {name: (mean, second[name] - mean**2) for name, mean in first.items()}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(
    "model",
    [given(TINY.approval), given(WRONG), cross_fitted],
    ids=["true model", "wrong model", "cross-fitted model"],
)
def test_ips_and_dr_are_unbiased_whatever_the_reward_model(n: int, model: Model) -> None:
    found = expectations(n, model)
    assert found["ips"][0] == pytest.approx(TRUTH, abs=1e-9)
    assert found["dr"][0] == pytest.approx(TRUTH, abs=1e-9)


@pytest.mark.slow
def test_ips_and_dr_are_unbiased_over_all_logs_of_three_rows() -> None:
    found = expectations(3, cross_fitted)
    assert found["ips"][0] == pytest.approx(TRUTH, abs=1e-9)
    assert found["dr"][0] == pytest.approx(TRUTH, abs=1e-9)


@pytest.mark.slow
def test_self_normalised_ips_and_the_direct_method_are_biased() -> None:
    found = expectations(2, given(WRONG))
    assert abs(found["snips"][0] - TRUTH) > 0.01
    assert abs(found["dm"][0] - TRUTH) > 0.01


@pytest.mark.slow
def test_the_direct_method_is_unbiased_with_the_true_model() -> None:
    assert expectations(2, given(TINY.approval))["dm"][0] == pytest.approx(TRUTH, abs=1e-9)


@pytest.mark.slow
def test_a_true_model_lowers_the_variance_of_doubly_robust_below_that_of_ips() -> None:
    found = expectations(2, given(TINY.approval))
    assert found["dr"][1] < 0.8 * found["ips"][1]


def test_the_probabilities_of_all_logs_sum_to_one() -> None:
    assert sum(probability for _, probability in TINY.logs(2)) == pytest.approx(1.0, abs=1e-12)
