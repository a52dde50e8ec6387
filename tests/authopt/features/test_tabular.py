"""What was learned from training data is applied to any other data, unchanged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import Categorical, Column
from authopt.features.tabular import (
    CategoryFeature,
    NumberFeature,
    action_table,
    decision_table,
    learn_features,
)
from tests.factories import logged_batch


def colours(*values: str | None) -> Categorical:
    return Categorical.from_values(values)


TRAINING: dict[str, Column] = {
    "network": colours(*["visa"] * 30, *["amex"] * 20, *["rare"] * 3, *[None] * 7),
    "amount_minor": np.geomspace(100, 1e6, 60),
}
LEARNED = learn_features(TRAINING)


def test_ids_times_and_constant_columns_are_never_features() -> None:
    table: dict[str, Column] = {
        "card_ref": pa.array(["a", "b"] * 30),
        "x_when": np.arange(60).astype("datetime64[us]"),
        "currency": colours(*["EUR"] * 60),
        "x_constant": np.full(60, 3.0),
        "x_empty": np.full(60, np.nan),
        **TRAINING,
    }
    assert learn_features(table).names == ("amount_minor", "network")


def test_rare_and_unseen_values_are_one_level_and_missing_is_another() -> None:
    feature = LEARNED.features[1]
    assert isinstance(feature, CategoryFeature)
    assert feature.levels == ("visa", "amex")
    codes = feature.codes(colours("amex", "visa", "rare", "unseen", None), 5)
    assert codes.tolist() == [1, 0, 2, 2, 3]


def test_the_number_of_levels_is_capped_at_the_most_frequent() -> None:
    values = [
        name for name, count in zip("abcd", (40, 10, 30, 20), strict=True) for _ in range(count)
    ]
    learned = learn_features({"issuer": colours(*values)}, max_levels=2)
    assert learned.features == (CategoryFeature("issuer", ("a", "c")),)


def test_amounts_and_waits_are_on_a_log_scale_and_other_numbers_are_not() -> None:
    table: dict[str, Column] = {
        "amount_minor": np.array([0.0, 99.0]),
        "x_age": np.array([0.0, 99.0]),
    }
    amount, age = learn_features(table).features
    assert isinstance(amount, NumberFeature)
    assert isinstance(age, NumberFeature)
    assert amount.high == pytest.approx(np.log(100))
    assert age.high == 99.0


def test_a_number_with_few_values_has_one_bin_for_each() -> None:
    table: dict[str, Column] = {"local_hour": np.arange(48) % 24.0}
    matrix = learn_features(table).one_hot(table, 48).toarray()
    assert (matrix[:24, :24] == np.eye(24)).all()


def test_missing_infinite_and_absent_numbers_have_their_own_indicator() -> None:
    table: dict[str, Column] = {"amount_minor": np.array([np.nan, np.inf])}
    matrix = LEARNED.one_hot(table, 2).toarray()
    amount = LEARNED.features[0]
    assert isinstance(amount, NumberFeature)
    missing = len(amount.edges) + 1
    assert (matrix[:, missing] == 1).all()
    assert (matrix[:, :missing] == 0).all()
    assert (LEARNED.one_hot({}, 2).toarray() == matrix * 1.0).all()
    assert np.isnan(LEARNED.ordinal(table, 2)).all()


def test_a_missing_value_is_informative_even_where_the_others_are_all_the_same() -> None:
    table: dict[str, Column] = {"x_score": np.array([np.nan, 5.0])}
    assert learn_features(table).one_hot(table, 2).toarray()[:, :2].tolist() == [[0, 1], [1, 0]]


def test_nothing_is_extrapolated_beyond_the_training_range() -> None:
    table: dict[str, Column] = {
        "amount_minor": np.array([1e-9, 1e6, 1e12]),
        "network": colours("visa", "visa", "visa"),
    }
    linear = len(LEARNED.features[0].edges) + 2  # type: ignore[union-attr]
    assert LEARNED.one_hot(table, 3).toarray()[:, linear].tolist() == [-1.0, 1.0, 1.0]


@given(order=st.permutations(range(60)))
def test_learning_does_not_depend_on_the_order_of_rows_or_vocabularies(order: list[int]) -> None:
    rows = np.array(order)
    network = TRAINING["network"]
    assert isinstance(network, Categorical)
    mixed: dict[str, Column] = {
        "amount_minor": TRAINING["amount_minor"][rows],
        "network": Categorical.from_values([network.values()[row] for row in order]),
    }
    assert learn_features(mixed) == LEARNED


def test_a_row_means_the_same_in_any_batch() -> None:
    batch = logged_batch(n=300)
    learned = learn_features(decision_table(batch))
    whole = learned.one_hot(decision_table(batch), batch.n).toarray()
    part = learned.one_hot(decision_table(batch.take(slice(40, 60))), 20).toarray()
    assert (whole[40:60] == part).all()
    assert (
        learned.ordinal(decision_table(batch), batch.n)[40:60]
        == learned.ordinal(decision_table(batch.take(slice(40, 60))), 20)
    ).all()


def test_an_action_knows_whether_it_repeats_the_previous_route() -> None:
    batch = logged_batch(n=2, routes=("a", "b"))
    batch.context["previous_route"] = Categorical.from_values([None, "b"])  # type: ignore[index]
    table = action_table(batch)
    np.testing.assert_array_equal(table["same_route_as_previous"], [np.nan, np.nan, 0.0, 1.0])
    some = action_table(batch, np.array([3]))
    np.testing.assert_array_equal(some["same_route_as_previous"], [1.0])


def test_a_cap_that_trees_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 250"):
        learn_features(TRAINING, max_levels=300)
