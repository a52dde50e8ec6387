from __future__ import annotations

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.explaining.shapley import shapley, told
from tests.authopt.explaining.logs import first_attempt


def known(batch: DecisionBatch, name: str) -> FloatArray:
    """float64[m], 1 where the column is told."""
    column = batch.context[name]
    if isinstance(column, Categorical):
        there = column.codes >= 0
    else:
        there = np.isfinite(np.asarray(column, np.float64))
    return np.repeat(there.astype(np.float64), batch.counts)


def test_columns_that_add_up_get_what_each_adds() -> None:
    one = first_attempt().decisions()
    base, parts = shapley(
        one, lambda batch: 3.0 + 2.0 * known(batch, "issuer") - known(batch, "network")
    )
    assert base == pytest.approx(3.0)
    assert parts["issuer"] == pytest.approx(2.0)
    assert parts["network"] == pytest.approx(-1.0)
    assert parts["token"] == pytest.approx(0.0)


def test_columns_that_matter_together_alone_share_what_they_add_alike() -> None:
    one = first_attempt().decisions()
    _, parts = shapley(one, lambda batch: known(batch, "issuer") * known(batch, "network"))
    # An order and its reverse credit each of the two once.
    assert parts["issuer"] == pytest.approx(0.5)
    assert parts["network"] == pytest.approx(0.5)


def test_base_and_parts_sum_to_the_score_whatever_the_model() -> None:
    one = first_attempt().decisions()

    def score(batch: DecisionBatch) -> FloatArray:
        names = ("issuer", "network", "token", "amount_minor")
        total = sum(known(batch, name) * (place + 1) for place, name in enumerate(names))
        return np.asarray(np.sin(total) * (1.0 + batch.action_route))

    base, parts = shapley(one, score)
    assert base + np.sum(list(parts.values()), axis=0) == pytest.approx(score(one), abs=1e-12)


def test_the_same_decision_gets_the_same_parts() -> None:
    one = first_attempt().decisions()

    def score(batch: DecisionBatch) -> FloatArray:
        return known(batch, "issuer") * known(batch, "network") * known(batch, "token")

    first, again = (shapley(one, score)[1] for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_references_and_what_is_missing_are_not_told() -> None:
    one = first_attempt().decisions()
    assert told(one, "previous_route") is None
    assert told(one, "token") in ("yes", "no")
