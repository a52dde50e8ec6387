"""Lengths of time are read and written as people do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.rules.durations import duration, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1_800), ("6h", 21_600), ("2d", 172_800), (" 1d ", 86_400)],
)
def test_a_length_of_time_is_a_whole_number_and_a_unit(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "1w", "-1d", "1.5h", "1d2h", "٣d", "1 d"])
def test_anything_else_is_no_length_of_time(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (3_600, "1h"), (93_600, "1d 2h"), (90_061, "1d 1h 1m 1s")],
)
def test_it_is_written_in_the_largest_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(0, 10**9))
def test_what_is_written_adds_up_to_what_it_was(seconds: int) -> None:
    assert sum(seconds_of(piece) or 0 for piece in duration(seconds).split()) == seconds
