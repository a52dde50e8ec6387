from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Categorical, Column
from authopt.errors import UserError
from authopt.evaluation.segment_values import segments_of
from tests.factories import logged_batch

BATCH = logged_batch(6)


def names(column: str, **context: Column) -> list[str]:
    codes, labels = segments_of(replace(BATCH, context={**BATCH.context, **context}), column)
    return [labels[code] for code in codes.tolist()]


def test_a_column_of_names_gives_its_values_and_says_what_is_missing() -> None:
    issuer = Categorical(np.array([0, 2, -1, 0, 2, 0], np.int32), ("acme", "unused", "bravo"))
    expected = ["acme", "bravo", "(missing)", "acme", "bravo", "acme"]
    assert names("issuer", issuer=issuer) == expected


def test_a_vocabulary_s_unused_values_are_no_segments() -> None:
    issuer = Categorical(np.zeros(6, np.int32), ("acme", "unused"))
    batch = replace(BATCH, context={"issuer": issuer})
    assert segments_of(batch, "issuer")[1] == ("acme",)


def test_attempts_and_whole_numbers_are_segments() -> None:
    hour = np.array([3.0, 23.0, np.nan, 3.0, 0.0, 0.0])
    assert names("attempt") == ["1", "2"] * 3
    assert names("local_hour", local_hour=hour) == ["3", "23", "(missing)", "3", "0", "0"]


def test_flags_are_yes_and_no() -> None:
    token = np.array([1.0, 0.0, np.nan, 1.0, 1.0, 0.0])
    assert names("token", token=token) == ["yes", "no", "(missing)", "yes", "yes", "no"]


def test_amounts_fall_into_bands_whose_lower_end_belongs_to_them() -> None:
    amount = np.array([0.0, 999.0, 1_000.0, 299_999.0, 300_000.0, np.nan])
    assert names("amount_band", amount_minor=amount) == [
        *["under 1,000"] * 2,
        "1,000 to 2,999",
        "100,000 to 299,999",
        "300,000 and more",
        "(missing)",
    ]


def test_crossed_columns_give_the_combinations_that_occur() -> None:
    issuer = Categorical(np.array([0, 0, 1, 1, 0, 0], np.int32), ("acme", "bravo"))
    expected = ["acme / 1", "acme / 2", "bravo / 1", "bravo / 2", "acme / 1", "acme / 2"]
    assert names("issuer+attempt", issuer=issuer) == expected


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"no column 'shop'.*amount_band.*network"):
        names("shop")


@pytest.mark.parametrize(
    "column",
    [
        pa.array(list("abcdef")),
        np.arange(6).astype("M8[us]"),
        np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.0]),
    ],
    ids=["references", "times", "fractions"],
)
def test_references_times_and_fractions_are_no_segments(column: Column) -> None:
    with pytest.raises(UserError, match="cannot form segments by 'x_own'"):
        names("x_own", x_own=column)
