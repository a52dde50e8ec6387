"""The scan of a column finds exactly what the test of a single text finds."""

from __future__ import annotations

import uuid

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.card_numbers import contains_card_number, passes_luhn
from authopt.logs.card_scan import card_numbers_in


def with_check_digit(digits: str) -> str:
    return next(digits + last for last in "0123456789" if passes_luhn(digits + last))


card = st.text("0123456789", min_size=12, max_size=18).map(lambda tail: "4" + tail[:-1])
texts = st.one_of(
    st.none(),
    card.map(with_check_digit),
    card.map(with_check_digit).map(lambda text: "-".join(text[i : i + 4] for i in range(0, 19, 4))),
    st.builds(lambda left, text: left + with_check_digit(text), st.text(max_size=4), card),
    st.text("0123456789 -./aé", max_size=40),
    st.uuids().map(str),
)


@given(st.lists(texts, max_size=12), st.integers(0, 3))
@settings(deadline=None)
def test_it_finds_what_the_single_test_finds(column: list[str | None], start: int) -> None:
    array = pa.array(column, pa.string()).slice(start)
    expected = [
        index for index, text in enumerate(array.to_pylist()) if text and contains_card_number(text)
    ]
    assert card_numbers_in(array).tolist() == expected


def test_many_random_uuids_hold_none() -> None:
    rng = np.random.default_rng(0)
    column = pa.array([str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(5_000)])
    assert len(card_numbers_in(column)) == 0
