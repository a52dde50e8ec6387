"""Two policies on the same rows: their difference, and that its interval holds the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.result import Comparison, Evaluation

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Contexts with a success rate per action, a logging and two evaluation policies."""

    success: Array
    logging: Array
    first: Array
    second: Array

    @property
    def difference(self) -> float:
        return float(((self.first - self.second) * self.success).sum(1).mean())

    def judge(self, rng: np.random.Generator, n: int, bootstrap: int = 0) -> Evaluation:
        context = rng.integers(0, len(self.success), n)
        action = (rng.random(n)[:, None] > self.logging[context].cumsum(1)).sum(1)
        action = action.clip(0, self.success.shape[1] - 1)
        return evaluate_arrays(
            chosen=action,
            reward=(rng.random(n) < self.success[context, action]).astype(float),
            logging=self.logging[context],
            evaluation={"a": self.first[context], "b": self.second[context]},
            q=(0.9 * self.success + 0.05)[context],
            bootstrap=bootstrap,
            anytime=False,
            likelihood=False,
        )


def world(epsilon: float, unsupported: bool = False) -> World:
    rng = np.random.default_rng(3)
    success = rng.uniform(0.6, 0.98, (20, 4))
    best, second = np.argsort(success, 1)[:, -1], np.argsort(success, 1)[:, -2]
    logging = np.full((20, 4), epsilon / 4)
    logging[np.arange(20), rng.integers(0, 4, 20)] += 1 - epsilon
    policies = [np.eye(4)[best], np.eye(4)[second]]
    if unsupported:
        logging[:5, 0] = 0.0
        logging /= logging.sum(1, keepdims=True)
    return World(success, logging, *policies)


def compared(evaluation: Evaluation) -> Comparison:
    return evaluation.compare("a", "b")


def test_every_estimate_of_the_difference_is_the_difference_of_the_estimates() -> None:
    evaluation = world(0.3).judge(np.random.default_rng(0), 500)
    a, b = evaluation.policy("a"), evaluation.policy("b")
    for estimate in compared(evaluation).estimates:
        one, other = a.estimate(estimate.estimator).value, b.estimate(estimate.estimator).value
        assert one is not None
        assert other is not None
        assert estimate.value == pytest.approx(one - other, abs=1e-12)


def test_the_paired_interval_is_narrower_than_two_separate_ones() -> None:
    evaluation = world(0.3).judge(np.random.default_rng(0), 5_000)
    paired = compared(evaluation).difference.by("normal")
    apart = [evaluation.policy(name).value.by("normal") for name in "ab"]
    assert paired is not None
    assert paired.width < sum(each.width for each in apart if each is not None)


def test_a_policy_does_not_differ_from_itself() -> None:
    case = world(0.3)
    same = World(case.success, case.logging, case.first, case.first)
    for estimate in compared(same.judge(np.random.default_rng(0), 500)).estimates:
        assert estimate.value == pytest.approx(0.0, abs=1e-12)
        assert estimate.interval.lower <= 0.0 <= estimate.interval.upper


def test_the_bootstrap_draws_the_same_buckets_for_both_policies() -> None:
    evaluation = world(0.3).judge(np.random.default_rng(0), 2_000, bootstrap=1_000)
    difference = compared(evaluation).difference
    normal, bootstrap = difference.by("normal"), difference.by("bootstrap")
    assert normal is not None
    assert bootstrap is not None
    assert bootstrap.width == pytest.approx(normal.width, rel=0.15)


@pytest.mark.parametrize(
    ("epsilon", "n"), [pytest.param(0.3, 500, marks=pytest.mark.slow), (0.1, 300)]
)
@pytest.mark.parametrize("unsupported", [False, True])
@pytest.mark.slow
def test_the_covering_interval_holds_the_true_difference(
    epsilon: float, n: int, unsupported: bool
) -> None:
    case, rng = world(epsilon, unsupported), np.random.default_rng(1)
    held = 0
    for _ in range(200):
        interval = compared(case.judge(rng, n)).difference.interval
        held += interval.lower <= case.difference <= interval.upper
    # 95% of 200 is 190; fewer than 182 would be a chance of 1 in 100.
    assert held >= 182


def test_without_overlap_nothing_is_known_of_the_difference() -> None:
    logging = np.array([[1.0, 0.0, 0.0]])
    a, b = np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
    case = World(np.array([[0.5, 0.9, 0.1]]), logging, a, b)
    difference = compared(case.judge(np.random.default_rng(0), 200)).difference
    assert (difference.interval.lower, difference.interval.upper) == (-1.0, 1.0)
