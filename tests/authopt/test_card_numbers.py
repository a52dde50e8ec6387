"""Card numbers are recognised however they are written; ids and amounts are left alone."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.card_numbers import contains_card_number, passes_luhn, redact

# Published test numbers of the networks.
TEST_PANS = ("4111111111111111", "5555555555554444", "378282246310005", "6011111111111117")


@st.composite
def pans(draw: st.DrawFn) -> str:
    """Any number that passes the Luhn check and has the length and first digit of a PAN."""
    length = draw(st.integers(13, 19))
    body = draw(st.sampled_from("23456")) + draw(
        st.text("0123456789", min_size=length - 2, max_size=length - 2)
    )
    return next(body + digit for digit in "0123456789" if passes_luhn(body + digit))


@given(pans(), st.text("abc _/:=", max_size=8), st.text("abc _/:=", max_size=8))
def test_a_card_number_is_found_inside_any_text(pan: str, before: str, after: str) -> None:
    assert contains_card_number(before + pan + after)
    assert pan not in redact(before + pan + after)


@pytest.mark.parametrize("pan", TEST_PANS)
@pytest.mark.parametrize("separator", [" ", "-", "."])
def test_grouped_digits_are_found(pan: str, separator: str) -> None:
    grouped = separator.join(pan[start : start + 4] for start in range(0, len(pan), 4))
    assert contains_card_number(grouped)


@pytest.mark.parametrize(
    "text", ["", "411111", "4111111111111112", "order 20260101000017", "1" * 40, "9" * 16]
)
def test_other_digits_are_let_through(text: str) -> None:
    assert not contains_card_number(text)


@given(st.uuids())
def test_a_uuid_is_never_taken_for_a_card_number(value: uuid.UUID) -> None:
    assert not contains_card_number(str(value))
