"""On a world small enough to enumerate, expectations are exact sums, not samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.estimators import (
    ESTIMATORS,
    LOGGING_ESTIMATORS,
    Columns,
    headline,
    table_columns,
)
from authopt.evaluation.terms import LoggedArrays, terms_of

Array = npt.NDArray[np.float64]

CONTEXTS = (0.3, 0.7)
LOGGING = (np.array([0.2, 0.8]), np.array([0.5, 0.1, 0.4]))
EVALUATION = (np.array([0.9, 0.1]), np.array([0.0, 0.3, 0.7]))
APPROVAL = (np.array([0.6, 0.95]), np.array([0.2, 0.5, 0.8]))
REWARDS = (0.0, 1.0)
TRUTH = sum(
    p * float(pi @ mean) for p, pi, mean in zip(CONTEXTS, EVALUATION, APPROVAL, strict=True)
)
LOGGED_TRUTH = sum(
    p * float(pi @ mean) for p, pi, mean in zip(CONTEXTS, LOGGING, APPROVAL, strict=True)
)
WRONG_Q = (np.array([0.11, 0.7]), np.array([0.9, 0.05, 0.4]))


@dataclass(frozen=True)
class Row:
    """One thing that can happen at a decision, and how likely it is."""

    context: int
    action: int
    reward: float
    probability: float


def everything_that_can_happen() -> list[Row]:
    rows = []
    for context, p in enumerate(CONTEXTS):
        for action, taken in enumerate(LOGGING[context]):
            approval = APPROVAL[context][action]
            rows.append(Row(context, action, 1.0, p * taken * approval))
            rows.append(Row(context, action, 0.0, p * taken * (1.0 - approval)))
    return rows


def estimates_of(log: tuple[Row, ...], q: tuple[Array, ...] = WRONG_Q) -> dict[str, float | None]:
    """The estimates of the value by the engine itself, and of the gain (prefix ``gain-``)."""
    contexts = [row.context for row in log]
    evaluation = evaluate_arrays(
        chosen=np.array([row.action for row in log]),
        reward=np.array([row.reward for row in log]),
        offsets=np.cumsum([0] + [len(LOGGING[context]) for context in contexts]),
        logging=np.concatenate([LOGGING[context] for context in contexts]),
        evaluation={"new": np.concatenate([EVALUATION[context] for context in contexts])},
        q=np.concatenate([q[context] for context in contexts]),
        bootstrap=0,
    )
    own, new = evaluation.policies
    found = {estimate.estimator: estimate.value for estimate in (*own.estimates, *new.estimates)}
    return found | {f"gain-{gain.estimator}": gain.value for gain in new.gains}


@pytest.fixture(scope="module", params=[1, 2], ids=["one row", "two rows"])
def expectation(request: pytest.FixtureRequest) -> dict[str, float]:
    """Exact expectation of every estimate over all logs of a length."""
    total: dict[str, float] = {}
    mass = 0.0
    for log in product(everything_that_can_happen(), repeat=request.param):
        probability = float(np.prod([row.probability for row in log]))
        mass += probability
        for name, value in estimates_of(log).items():
            if value is not None:
                total[name] = total.get(name, 0.0) + probability * value
    assert mass == pytest.approx(1.0, abs=1e-12)
    return total


def test_ips_is_unbiased(expectation: dict[str, float]) -> None:
    assert expectation["ips"] == pytest.approx(TRUTH, abs=1e-9)


def test_doubly_robust_is_unbiased_with_a_wrong_model(expectation: dict[str, float]) -> None:
    assert expectation["dr"] == pytest.approx(TRUTH, abs=1e-9)


def test_the_mean_logged_reward_is_unbiased_for_the_logging_policy(
    expectation: dict[str, float],
) -> None:
    assert expectation["on-policy"] == pytest.approx(LOGGED_TRUTH, abs=1e-9)


def test_gains_by_ips_and_doubly_robust_are_unbiased(expectation: dict[str, float]) -> None:
    assert expectation["gain-ips"] == pytest.approx(TRUTH - LOGGED_TRUTH, abs=1e-9)
    assert expectation["gain-dr"] == pytest.approx(TRUTH - LOGGED_TRUTH, abs=1e-9)


def test_the_direct_method_expects_what_the_model_says(expectation: dict[str, float]) -> None:
    by_model = sum(
        p * float(pi @ q) for p, pi, q in zip(CONTEXTS, EVALUATION, WRONG_Q, strict=True)
    )
    # Every decision's prediction is over all of its actions: the sample of actions is irrelevant.
    assert expectation["dm"] != pytest.approx(TRUTH, abs=1e-2)
    assert expectation["dm"] == pytest.approx(by_model, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-2, 3), min_size=5, max_size=5))
def test_doubly_robust_is_unbiased_with_any_model(q: list[float]) -> None:
    model = (np.array(q[:2]), np.array(q[2:]))
    expected = 0.0
    for row in everything_that_can_happen():
        value = estimates_of((row,), model)["dr"]
        assert value is not None
        expected += row.probability * value
    assert expected == pytest.approx(TRUTH, abs=1e-9)


def test_doubly_robust_with_the_true_model_has_no_error_from_actions_taken() -> None:
    for context in (0, 1):
        rows = [row for row in everything_that_can_happen() if row.context == context]
        taken = {}
        for row in rows:
            value = estimates_of((row,), APPROVAL)["dr"]
            assert value is not None
            share = row.probability / CONTEXTS[context] / LOGGING[context][row.action]
            taken[row.action] = taken.get(row.action, 0.0) + share * value
        by_context = float(EVALUATION[context] @ APPROVAL[context])
        assert list(taken.values()) == pytest.approx([by_context] * len(taken), abs=1e-9)


def test_snips_of_one_row_is_its_reward_whatever_the_weight() -> None:
    for row in everything_that_can_happen():
        value = estimates_of((row,))["snips"]
        if EVALUATION[row.context][row.action] > 0.0:
            assert value == pytest.approx(row.reward)
        else:
            assert value is None


def test_snips_of_two_rows_is_the_weighted_mean() -> None:
    rows = [row for row in everything_that_can_happen() if row.context == 1 and row.action > 0]
    for first, second in product(rows, repeat=2):
        w = [EVALUATION[1][row.action] / LOGGING[1][row.action] for row in (first, second)]
        mean = (w[0] * first.reward + w[1] * second.reward) / (w[0] + w[1])
        assert estimates_of((first, second))["snips"] == pytest.approx(mean)


def test_every_column_that_a_table_needs_can_be_computed() -> None:
    log = LoggedArrays(
        offsets=np.array([0, 2, 5]),
        chosen=np.array([0, 1]),
        reward=np.array([1.0, 0.0]),
        propensity=np.array([0.2, 0.1]),
        probability=np.concatenate(LOGGING),
        q=np.concatenate(WRONG_Q),
    )
    columns = Columns(terms_of(log, np.concatenate(EVALUATION)))
    for name in table_columns(with_model=True):
        column = columns[name]
        assert column is None or (column.shape == (2,) and bool(np.isfinite(column).all()))


def test_doubly_robust_is_quoted_where_there_is_a_model_else_snips() -> None:
    assert headline(ESTIMATORS) == "dr"
    assert headline([each for each in ESTIMATORS if not each.needs_model]) == "snips"
    assert headline(LOGGING_ESTIMATORS) == "on-policy"
