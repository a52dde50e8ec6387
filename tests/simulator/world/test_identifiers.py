"""Ids are made and read in bulk as they would be one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from simulator.world.identifiers import (
    card_numbers,
    card_refs,
    decision_ids,
    of_attack,
    payment_ids,
)

NUMBERS = st.lists(st.integers(0, 10**8 - 1), min_size=1, max_size=20)


@given(numbers=NUMBERS, seed=st.integers(-(2**63), 2**64))
def test_ids_of_payments_are_as_documented(numbers: list[int], seed: int) -> None:
    ids = payment_ids(np.array(numbers), seed)
    assert ids.to_pylist() == [f"p{seed}-{number:08d}" for number in numbers]
    assert not of_attack(ids).any()
    assert of_attack(payment_ids(np.array(numbers), seed, attack=True)).all()


def test_a_number_beyond_eight_digits_takes_more() -> None:
    assert payment_ids(np.array([1, 10**8]), 1).to_pylist() == ["p1-00000001", "p1-100000000"]


@given(numbers=NUMBERS, attempts=st.data())
def test_ids_of_decisions_add_the_attempt(numbers: list[int], attempts: st.DataObject) -> None:
    many = st.lists(st.integers(1, 40), min_size=len(numbers), max_size=len(numbers))
    attempt = np.array(attempts.draw(many), np.int32)
    ids = decision_ids(payment_ids(np.array(numbers), 7), attempt)
    assert ids.to_pylist() == [
        f"p7-{number:08d}-{own}" for number, own in zip(numbers, attempt, strict=True)
    ]


@given(numbers=NUMBERS)
def test_a_reference_of_a_card_is_read_as_it_was_made(numbers: list[int]) -> None:
    refs = card_refs(np.array(numbers))
    assert refs.to_pylist() == [f"c{number:08d}" for number in numbers]
    assert card_numbers(refs).tolist() == numbers
    assert card_numbers(refs[len(refs) // 2 :]).tolist() == numbers[len(refs) // 2 :]


@given(texts=st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_what_is_no_reference_has_no_number(texts: list[str]) -> None:
    known = [int(text[1:]) if _is_reference(text) else -1 for text in texts]
    assert card_numbers(pa.array(texts, pa.string())).tolist() == known


@given(st.lists(st.binary(min_size=9, max_size=9), min_size=1, max_size=8))
def test_nor_has_one_of_the_same_length(texts: list[bytes]) -> None:
    ascii_texts = [bytes(byte % 128 for byte in text).decode() for text in texts]
    known = [int(text[1:]) if _is_reference(text) else -1 for text in ascii_texts]
    assert card_numbers(pa.array(ascii_texts, pa.string())).tolist() == known


def _is_reference(text: str) -> bool:
    digits = text[1:]
    return len(text) == 9 and text[0] == "c" and digits.isascii() and digits.isdecimal()
