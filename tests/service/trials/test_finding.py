"""The history of a trial stays short, whole at its ends and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.trials.finding import MOST_POINTS, Point, with_point


@given(st.integers(1, 1500))
def test_a_history_keeps_its_newest_point_and_at_most_so_many(looks: int) -> None:
    history: list[Point] = []
    for look in range(looks):
        history = with_point(history, Point(look, look, {}))
    assert len(history) <= MOST_POINTS
    assert history[-1].at_us == looks - 1
    assert [each.at_us for each in history] == sorted({each.at_us for each in history})
    assert len(history) >= min(looks, MOST_POINTS // 2)
