"""The quick look at a body lets no card number pass that a thorough one would find."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.card_numbers import passes_luhn
from service.api.card_guard import refuse_in_body
from service.api.problems import Problem


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    front = draw(st.sampled_from("23456")) + draw(st.text("0123456789", min_size=11, max_size=17))
    return next(front + last for last in "0123456789" if passes_luhn(front + last))


@st.composite
def written(draw: st.DrawFn) -> str:
    """JSON that holds a card number in one of the ways in which it can be written."""
    pan = draw(card_numbers())
    form = draw(st.sampled_from(["text", "number", "point", "exponent", "signed", "grouped"]))
    if form == "text":
        return json.dumps(draw(st.text(" -,a", max_size=4)) + pan)
    if form == "grouped":
        joints = draw(st.lists(st.sampled_from([" ", "-", ".", ""]), min_size=4, max_size=4))
        parts = [pan[:4], pan[4:8], pan[8:12], pan[12:]]
        return json.dumps("".join(a + b for a, b in zip(parts, [*joints[:3], ""], strict=True)))
    if form == "number" or len(pan) > 15:
        # A float does not hold more digits.
        return pan
    if form == "point":
        return f"{pan}.0"
    if form == "exponent":
        at = draw(st.integers(1, len(pan) - 1))
        sign = draw(st.sampled_from(["", "+"]))
        mark = draw(st.sampled_from("eE"))
        return f"{pan[:at]}.{pan[at:]}{mark}{sign}{len(pan) - at}"
    return f"-{pan}"


@given(written(), st.sampled_from(['{{"a": {}}}', "[{}]", '{{"x":[1,{}]}}', "[ {}\n]"]))
def test_a_card_number_is_found_however_it_is_written(card: str, around: str) -> None:
    text = around.format(card)
    with pytest.raises(Problem):
        refuse_in_body(text.encode(), json.loads(text))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=40))
def test_a_thorough_look_finds_nothing_where_the_quick_one_does_not(value: float | str) -> None:
    text = json.dumps({"a": value}, ensure_ascii=False)

    def is_refused(sent: bytes) -> bool:
        try:
            refuse_in_body(sent, json.loads(text))
        except Problem:
            return True
        return False

    # A backslash beside it asks for the thorough look.
    assert is_refused(text.encode()) == is_refused(text.encode() + b"\\")
