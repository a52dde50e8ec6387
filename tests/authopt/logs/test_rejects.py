"""Rejections add up by reason, stay small in memory, and never show a card number."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.logs.rejects import EXAMPLES, Rejection, Rejects, shown

ONE = Rejection("log.csv", 7, "attempt", "0", "expected at least 1")
CARD = "4111111111111111"


def test_equal_reasons_add_up_and_only_the_first_examples_are_kept() -> None:
    rejects = Rejects()
    for row in range(3 * EXAMPLES):
        rejects.add(Rejection("log.csv", row, "attempt", str(row), "expected at least 1"))
    assert rejects.count == 3 * EXAMPLES
    assert rejects.by_reason == {"expected at least 1": 3 * EXAMPLES}
    assert [each.row for each in rejects.examples] == list(range(EXAMPLES))


def test_strict_names_file_row_column_value_and_reason_and_what_to_do() -> None:
    with pytest.raises(
        UserError,
        match=r"log\.csv: row 7, column 'attempt': expected at least 1; got '0'\. .*log audit",
    ):
        Rejects(strict=True).add(ONE)


def test_the_file_holds_every_rejection(tmp_path: Path) -> None:
    sink = tmp_path / "rejects.csv"
    odd = Rejection("a,b.csv", 8, "x_note", 'say "hi"\n', "holds a NUL byte")
    with Rejects(sink=sink) as rejects:
        rejects.add(ONE)
        rejects.add(odd)
    with sink.open(newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["file", "row", "column", "value", "reason"],
            ["log.csv", "7", "attempt", "0", "expected at least 1"],
            ["a,b.csv", "8", "x_note", 'say "hi"\n', "holds a NUL byte"],
        ]


def test_a_file_that_cannot_be_written_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        Rejects(sink=tmp_path / "missing" / "rejects.csv")


@pytest.mark.parametrize("place", [0, 60, 70, 500])
def test_a_card_number_is_never_shown_not_even_where_the_value_is_cut(place: int) -> None:
    text = shown("x" * place + " " + CARD + " and more" * 20)
    assert CARD[:9] not in text
    assert len(text) <= 80


def test_lists_and_numbers_are_shown_as_text() -> None:
    assert shown([1, 2]) == "[1, 2]"
    assert shown([CARD]) == "['[card number]']"
