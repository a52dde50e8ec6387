"""Numbers and words of forms are taken only within their limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.problems import Problem
from service.console.form_values import number, one_of, whole


@given(st.floats(-5, 5))
def test_a_number_within_its_limits_is_taken_as_it_is(value: float) -> None:
    assert number({"x": f" {value!r} "}, "x", -5, 5) == value


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-0.1", "1.1", "1e9", "0,5", "1 0"])
def test_whatever_else_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Problem) as refused:
        number({"x": text}, "x", 0, 1)
    assert (refused.value.status, refused.value.errors[0].field) == (422, "x")


@pytest.mark.parametrize("text", ["", "1.5", "nan", "inf", "0x1", "11"])
def test_a_whole_number_is_whole(text: str) -> None:
    with pytest.raises(Problem):
        whole({"x": text}, "x", 0, 10)


def test_nothing_filled_in_means_the_usual() -> None:
    assert whole({"x": " "}, "x", 1, 10, 3) == whole({}, "x", 1, 10, 3) == 3


def test_a_choice_is_one_of_those_that_there_are() -> None:
    assert one_of({"x": "a"}, "x", ("a", "b")) == "a"
    with pytest.raises(Problem):
        one_of({}, "x", ("a", "b"))
