"""Batches keep their decisions and actions together whatever is taken or put together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.actions import Action
from authopt.batch import Categorical, DecisionBatch, LoggedBatch, concat
from tests.factories import logged_batch


def rows(batch: LoggedBatch) -> list[tuple[object, ...]]:
    """Everything that a batch says, one tuple per decision, independent of the vocabularies."""
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    assert batch.probability is not None
    return [
        (
            batch.decision_id[i].as_py(),
            batch.payment_id[i].as_py(),
            int(batch.attempt[i]),
            batch.decided_at[i],
            network.values()[i],
            tuple(batch.actions(i)),
            int(batch.chosen[i]),
            float(batch.propensity[i]),
            float(batch.reward[i]),
            tuple(batch.probability[batch.offsets[i] : batch.offsets[i + 1]]),
        )
        for i in range(batch.n)
    ]


MIXED = concat([logged_batch(12), logged_batch(9, routes=("zoop", "adyen"), seed=1)])


@given(st.lists(st.integers(0, MIXED.n - 1), max_size=30))
def test_taking_rows_takes_their_actions_with_them(picked: list[int]) -> None:
    taken = MIXED.take(np.array(picked, np.int64))
    everything = rows(MIXED)
    assert rows(taken) == [everything[row] for row in picked]


@given(st.integers(0, 25), st.integers(0, 25))
def test_a_slice_equals_the_same_rows_taken_one_by_one(start: int, stop: int) -> None:
    assert rows(MIXED.take(slice(start, stop))) == rows(MIXED)[start:stop]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4))
@settings(deadline=None)
def test_cutting_and_putting_together_changes_nothing(cuts: list[int]) -> None:
    edges = sorted({0, MIXED.n, *(cut for cut in cuts if cut < MIXED.n)})
    parts = [MIXED.take(slice(a, b)) for a, b in pairwise(edges)]
    assert rows(concat(parts)) == rows(MIXED)


def test_batches_with_different_routes_share_one_vocabulary_when_put_together() -> None:
    assert MIXED.routes == ("adyen", "braintree", "checkout", "zoop")
    assert MIXED.actions(12) == [Action("zoop"), Action("adyen")]


def test_actions_are_dropped_with_their_features() -> None:
    batch = logged_batch(3).decisions()
    batch = replace(batch, action_features={"rate": np.arange(9.0)})
    kept = batch.keep_actions(np.array([1, 0, 1, 0, 1, 0, 1, 1, 1], bool))
    assert kept.counts.tolist() == [2, 1, 3]
    assert kept.action_features["rate"].tolist() == [0, 2, 4, 6, 7, 8]
    assert kept.actions(1) == [Action("braintree")]


def test_a_decision_cannot_be_left_without_an_action() -> None:
    batch = logged_batch(2).decisions()
    with pytest.raises(ValueError, match="at least one action"):
        batch.keep_actions(np.array([0, 0, 0, 1, 1, 1], bool))


def test_what_was_eligible_in_a_log_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        logged_batch(2).keep_actions(np.ones(6, bool))


def test_a_logged_action_outside_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="not among its 3 actions"):
        replace(logged_batch(2), chosen=np.array([0, 3]))


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="payment_id"):
        replace(logged_batch(2), payment_id=pa.array(["p"]))
    with pytest.raises(ValueError, match="probability"):
        replace(logged_batch(2), probability=np.ones(5))


def test_sums_run_within_each_decision() -> None:
    batch = logged_batch(2)
    assert batch.sum_by_decision(np.array([1, 2, 3, 10, 20, 30.0])).tolist() == [6, 60]


@given(st.lists(st.none() | st.text(max_size=5)))
def test_a_categorical_gives_back_the_values_it_was_made_from(values: list[str | None]) -> None:
    assert Categorical.from_values(values).values() == values


def test_decisions_alone_can_be_put_below_each_other_too() -> None:
    batch = MIXED
    decisions = batch.decisions()
    whole = concat([decisions.take(slice(0, 1)), decisions.take(slice(1, batch.n))])
    assert type(whole) is DecisionBatch
    assert whole.decision_id.to_pylist() == batch.decision_id.to_pylist()
    assert np.array_equal(whole.offsets, batch.offsets)
    assert np.array_equal(whole.action_route, batch.action_route)
    assert whole.context.keys() == batch.context.keys()
