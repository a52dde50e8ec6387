"""The world small enough to list: its logs go through the whole evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.evaluation.engine import evaluate
from simulator.tiny import TINY, everything, tiny_log

Table = tuple[tuple[F, ...], ...]
POLICY: Table = ((F(1, 10), F(2, 10), F(7, 10)), (F(3, 4), F(1, 4)))


@dataclass(frozen=True)
class TablePolicy:
    """Probabilities by context."""

    table: Table
    name: str = "table"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        context = batch.context["x_context"]
        assert isinstance(context, Categorical)
        return np.array([float(p) for code in context.codes for p in self.table[code]])


def test_every_decision_that_can_happen_is_listed_once() -> None:
    batch, weight = everything()
    assert batch.n == 10
    assert weight.sum() == pytest.approx(1.0, abs=1e-15)
    assert weight @ batch.reward == pytest.approx(float(TINY.value(TINY.logging)), abs=1e-15)


def test_under_the_listed_weights_reweighted_rewards_have_the_true_value() -> None:
    batch, weight = everything()
    evaluation = TablePolicy(POLICY).probabilities(batch)[batch.chosen_action]
    ips = evaluation / batch.propensity * batch.reward
    assert weight @ ips == pytest.approx(float(TINY.value(POLICY)), abs=1e-12)


@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ips_of_a_log_is_unbiased_through_the_whole_engine(n: int) -> None:
    mean = 0.0
    for rows, probability in TINY.logs(n):
        result = evaluate([tiny_log(rows)], [TablePolicy(POLICY)], bootstrap=0).policies[1]
        found = {each.estimator: each.value for each in result.estimates}
        mean += probability * (found["ips"] or 0.0)
    assert mean == pytest.approx(float(TINY.value(POLICY)), abs=1e-9)
