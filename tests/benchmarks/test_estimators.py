"""What the estimator benchmark concludes from errors, and that its logs have the stated values."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._estimator_cases import MODELS, OFF, OWN_WORLD, Case, logs_of, worlds
from benchmarks._estimator_errors import CHOICES, Errors, estimates_of
from benchmarks.estimators import CLOSE, quoted, standing_of

NAMES = ("dr", "sndr", "dm")


def case(model: str) -> Case:
    return Case("a world", "a rate", 100, model)


def errors(**by_name: float) -> Errors:
    """Two logs with errors of this size and opposite signs, of the value and of the gain."""
    sizes = np.array([by_name.get(name, 1.0) for name in CHOICES])
    return Errors(np.stack([[sizes, -sizes]] * 2), np.zeros((2, len(CHOICES)), bool))


def test_errors_are_relative_to_the_best_of_each_case() -> None:
    found = {case("fitted"): errors(dr=2.0, sndr=4.0, dm=1.0), case("other"): errors(dr=2.0)}
    standing = standing_of(found, NAMES, "dr")
    assert standing.relative[0].tolist() == [[2.0, 4.0, 1.0], [2.0, 1.0, 1.0]]
    assert standing.figure == pytest.approx([2.0, 2.0, 1.0])


def test_an_estimator_that_can_do_badly_sets_no_bar() -> None:
    found = {
        case("fitted"): errors(dr=2.0, sndr=1.9, dm=0.1),
        case("off"): errors(dr=2.0, sndr=1.9, dm=5.0),
    }
    standing = standing_of(found, NAMES, "dr")
    assert standing.fit.tolist() == [True, True, False]
    assert standing.bar("dr") == pytest.approx(CLOSE * standing.figure[NAMES.index("sndr")])


def test_the_true_model_does_not_count() -> None:
    found = {case("fitted"): errors(dr=2.0, sndr=2.0, dm=4.0), case("true"): errors(dm=1e-6)}
    assert standing_of(found, NAMES, "dr").figure == pytest.approx([1.0, 1.0, 2.0])


def test_what_is_quoted_is_among_the_choices() -> None:
    assert {quoted(True), quoted(False)} <= set(CHOICES)


@pytest.mark.parametrize(("world", "what"), [each for each in worlds() if each[0] != OWN_WORLD])
def test_the_logs_of_a_bandit_have_the_stated_values(world: str, what: str) -> None:
    # With the true model, each doubly robust row is an unbiased draw of the value.
    (_, log), *_ = logs_of(world, what, 20_000, seed=0)
    w = log.evaluation[log.arrays.chosen_action] / log.arrays.propensity
    q = log.arrays.q
    assert q is not None
    v = log.arrays.sum_by_decision(log.evaluation, q)
    rows = v + w * (log.arrays.reward - q[log.arrays.chosen_action])
    # Where almost no row has both a weight and a success, the rows do not show their deviation.
    deviation = max(float(rows.std()), (w.max() * 0.005) ** 0.5)
    assert abs(rows.mean() - log.value) < 4.5 * deviation / 20_000**0.5
    reward = log.arrays.reward
    assert abs(reward.mean() - log.logging_value) < 4.5 * reward.std() / 20_000**0.5


def test_the_model_that_is_off_everywhere_is_off_by_that_much() -> None:
    logs = {each.model: log for each, log in logs_of("mild", "near 0.9", 300, seed=0)}
    assert tuple(logs) == MODELS
    dm = {model: estimates_of(log)[CHOICES.index("dm")] for model, log in logs.items()}
    assert dm["off by 0.1"] == pytest.approx(dm["true"] + OFF)
    assert abs(dm["off by action"] - dm["true"]) <= OFF
