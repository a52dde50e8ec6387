"""Card numbers beside other digits are found; ids, dates and UUIDs are left alone."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.card_numbers import contains_card_number, redact
from tests.authopt.test_card_numbers import TEST_PANS, pans

BESIDE = st.from_regex(r"([0-9]{1,6}[ .-]){0,3}", fullmatch=True)


@given(pan=pans(), before=BESIDE, after=BESIDE)
def test_a_card_number_is_found_beside_other_digits(pan: str, before: str, after: str) -> None:
    text = before + pan + after[::-1]
    assert contains_card_number(text)
    assert pan not in redact(text)


@pytest.mark.parametrize("pan", TEST_PANS)
@pytest.mark.parametrize("form", ["2026-03-01 {}", "{} 12/27", "7-{}", "12 {} 3", "1999.{}-1"])
@pytest.mark.parametrize("separator", ["", " ", "-", "."])
def test_a_printed_card_number_is_found_beside_other_digits(
    pan: str, form: str, separator: str
) -> None:
    sizes = (4, 6, 5) if len(pan) == 15 else (4, 4, 4, 4)
    ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    pieces = [pan[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    text = form.format(separator.join(pieces))
    assert contains_card_number(text)
    left = "".join(filter(str.isdigit, redact(text)))
    assert pan not in left
    assert "[card number]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01 12:00:00.123456",
        "order 20260101000017",
        "1" * 40,
        "7001" + "4111111111111111",
        "+49 170 1234567",
        "4111111111111112 7",
    ],
)
def test_other_digits_are_let_through(text: str) -> None:
    assert not contains_card_number(text)
    assert redact(text) == text


@given(st.uuids())
def test_a_uuid_is_never_taken_for_a_card_number(value: uuid.UUID) -> None:
    assert not contains_card_number(str(value))
