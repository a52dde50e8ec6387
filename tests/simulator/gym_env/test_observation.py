"""What an agent sees: declared, finite, within its bounds, the same in a log as in the world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.policies.uniform import Uniform
from authopt.rules import DEFAULT_RULES
from simulator.gym_env.named_worlds import named_world
from simulator.gym_env.observation import CATEGORIES, FEATURES, LARGEST, MISSING, Encoder
from simulator.simulate import simulate
from simulator.traffic import Traffic

WORLD = named_world("small")
FIRST = WORLD.arrivals(Traffic(100), 0, 40)
LEVELS = {
    name: column.categories if isinstance(column := FIRST.context[name], Categorical) else ()
    for name in CATEGORIES
}
ENCODER = Encoder(LEVELS, DEFAULT_RULES)


def with_columns(batch: DecisionBatch, **columns: FloatArray | Categorical) -> DecisionBatch:
    return replace(batch, context={**batch.context, **columns})


def feature(batch: DecisionBatch, name: str) -> FloatArray:
    return ENCODER.features(batch)[:, FEATURES.index(name)]


def category(batch: DecisionBatch, name: str) -> list[int]:
    return ENCODER.categories(batch)[:, CATEGORIES.index(name)].tolist()


def test_every_feature_has_its_own_name() -> None:
    assert len({*FEATURES}) == len(FEATURES) == ENCODER.features(FIRST).shape[1]


@given(value=st.floats(allow_nan=True, allow_infinity=True))
def test_features_are_finite_and_within_their_bounds_whatever_the_columns_hold(
    value: float,
) -> None:
    numbers = (*LARGEST, "token", "three_ds", "fraud_score", "local_hour", "local_day")
    batch = with_columns(FIRST, **{name: np.full(FIRST.n, value) for name in numbers})
    features = ENCODER.features(batch)
    assert np.isfinite(features).all()
    assert np.abs(features).max() <= 1.0


def test_amounts_enter_by_their_logarithm() -> None:
    amounts = np.zeros(FIRST.n)
    amounts[:4] = 0.0, 1e9, 1e12, np.sqrt(1e9 + 1) - 1
    seen = feature(with_columns(FIRST, amount_minor=amounts), "log_amount_minor")
    np.testing.assert_allclose(seen[:4], [0.0, 1.0, 1.0, 0.5], rtol=1e-6)


def test_a_number_that_is_not_known_is_told_from_zero() -> None:
    assert (feature(FIRST, "log_seconds_since_last_attempt") == MISSING).all()
    waited = with_columns(FIRST, seconds_since_last_attempt=np.zeros(FIRST.n))
    assert (feature(waited, "log_seconds_since_last_attempt") == 0.0).all()


def test_midnight_follows_on_eleven() -> None:
    hours = with_columns(FIRST, local_hour=np.arange(FIRST.n) % 24.0)
    at = np.stack([feature(hours, "local_hour_sin"), feature(hours, "local_hour_cos")], axis=1)
    steps = np.linalg.norm(np.diff(at[:25], axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
    unknown = with_columns(FIRST, local_hour=np.full(FIRST.n, np.nan))
    assert not feature(unknown, "local_hour_sin").any()
    assert not feature(unknown, "local_hour_cos").any()


@pytest.mark.parametrize(
    ("code", "name"), [("05", "generic"), ("14", "never"), ("54", "data_quality"), (None, None)]
)
def test_the_previous_response_code_is_told_by_its_category(
    code: str | None, name: str | None
) -> None:
    codes = Categorical.from_values([code] * FIRST.n)
    batch = with_columns(FIRST, previous_response_code=codes)
    told = {each for each in FEATURES if each.startswith("response_") and feature(batch, each)[0]}
    assert told == ({f"response_{name}"} if name else set())


def test_categories_are_numbered_from_one_with_zero_missing_and_the_last_for_others() -> None:
    levels = LEVELS["network"]
    column = Categorical.from_values([None, *levels, "unheard of"])
    batch = with_columns(FIRST.take(np.arange(len(column))), network=column)
    assert category(batch, "network") == list(range(len(levels) + 2))
    assert ENCODER.sizes[CATEGORIES.index("network")] == len(levels) + 2


def test_a_column_that_is_not_there_is_missing_everywhere() -> None:
    batch = replace(FIRST, context={})
    assert not ENCODER.categories(batch).any()
    assert (feature(batch, "log_amount_minor") == MISSING).all()


def test_another_order_of_the_vocabulary_changes_nothing() -> None:
    column = FIRST.context["issuer"]
    assert isinstance(column, Categorical)
    turned = column.categories[::-1]
    batch = with_columns(FIRST, issuer=Categorical(column.recode(turned), turned))
    assert category(batch, "issuer") == category(FIRST, "issuer")


def test_a_decision_looks_the_same_whatever_stands_beside_it() -> None:
    batch = next(simulate(WORLD, Traffic(200), Uniform()))
    rows = np.flatnonzero(batch.attempt > 1)[:5]
    np.testing.assert_array_equal(ENCODER.features(batch)[rows], ENCODER.features(batch.take(rows)))
