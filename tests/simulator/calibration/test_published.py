"""The published figures are ranges with sources."""

from __future__ import annotations

import math

import pytest

from simulator.calibration.published import PUBLISHED, Published


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: each.key)
def test_every_figure_has_a_range_and_says_who_says_it(published: Published) -> None:
    assert published.low is not None or published.high is not None
    if published.low is not None and published.high is not None:
        assert 0 <= published.low < published.high
    assert published.what
    assert published.said
    assert published.sources
    assert published.unit in ("%", "x")


def test_no_figure_stands_there_twice() -> None:
    assert len({each.key for each in PUBLISHED}) == len(PUBLISHED)


def test_the_ends_of_a_range_belong_to_it_and_an_unknown_value_to_none() -> None:
    both = Published("k", "w", 0.2, 0.4, "s", "h")
    assert [both.holds(value) for value in (0.19, 0.2, 0.4, 0.41)] == [False, True, True, False]
    open_ = Published("k", "w", 0.5, None, "s", "h")
    assert open_.holds(7.0)
    assert not open_.holds(0.4)
    assert not both.holds(math.nan)
    assert not Published("k", "w", None, 1.0, "s", "h").holds(1.5)
