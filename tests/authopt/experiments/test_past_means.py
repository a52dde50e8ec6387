"""Means of past payments that were alike."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.experiments.past_means import PastMeans, SavedMeans

CARDS = np.array([7, 7, 3, 0, 3, 2**64 - 1], np.uint64)
PAID = np.array([1.0, 0.0, 1.0, 1.0, np.nan, 1.0])


def _means(cards: np.ndarray, paid: np.ndarray) -> PastMeans:
    means = PastMeans.of(("card",))
    means.add({"card": cards}, paid)
    return means


def test_a_mean_of_few_payments_is_drawn_towards_that_of_all() -> None:
    means = _means(CARDS, PAID)
    assert (means.payments, means.mean) == (5, 0.8)
    found = means.foretold({"card": np.array([7, 3], np.uint64)})[:, 0]
    assert found == pytest.approx([(1 + 8) / 12, (1 + 8) / 11])


def test_nothing_is_foretold_of_a_value_that_did_not_come_or_is_missing() -> None:
    means, asked = _means(CARDS, PAID), np.array([4, 0, 2**64 - 1], np.uint64)
    assert np.isnan(means.foretold({"card": asked})[:, 0]).tolist() == [True, True, False]
    assert means.knows("card", asked).tolist() == [False, False, True]
    assert not PastMeans.of(("card",)).knows("card", asked).any()


def test_only_columns_that_tell_payments_apart_foretell() -> None:
    means = PastMeans.of(("card", "shop", "bank"))
    alike = np.full(6, 5, np.uint64)
    means.add({"card": CARDS, "shop": alike, "bank": np.zeros(6, np.uint64)}, PAID)
    assert means.telling == ("card",)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0.0, 1.0, np.nan])), max_size=40))
@settings(max_examples=30, deadline=None)
def test_sums_are_the_same_in_parts_and_after_they_were_saved(
    payments: list[tuple[int, float]],
) -> None:
    cards = np.array([card for card, _ in payments], np.uint64)
    paid = np.array([value for _, value in payments], np.float64)
    parts = PastMeans.of(("card",))
    for start in range(0, len(cards), 7):
        parts.add({"card": cards[start : start + 7]}, paid[start : start + 7])
        kept = msgspec.json.encode(parts.saved())
        parts = PastMeans.restored(msgspec.json.decode(kept, type=SavedMeans))
    assert parts.saved() == _means(cards, paid).saved()
