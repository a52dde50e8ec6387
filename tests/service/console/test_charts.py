"""Small charts: everything lies within the box, gaps stay gaps, and words say what is drawn."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.console.charts import Chart, Line, line_chart, whisker

START = datetime(2026, 3, 1, tzinfo=UTC)
VALUES = st.lists(
    st.none() | st.floats(-1e6, 1e6, allow_nan=False, allow_infinity=False), max_size=40
)


def drawn(values: list[float | None], **limits: list[float | None]) -> Chart:
    times = [START + timedelta(hours=at) for at in range(len(values))]
    return line_chart("Rate", times, [Line("live", values, **limits)])


def heights(path: str) -> list[float]:
    return [float(pair[1]) for pair in re.findall(r"[ML](\S+) (\d+\.\d)", path)]


@given(VALUES)
def test_every_stroke_and_word_lies_within_the_box(values: list[float | None]) -> None:
    chart = drawn(values)
    (stroke,) = chart.strokes
    assert len(stroke.points) == sum(value is not None for value in values)
    for point in stroke.points:
        assert chart.left - 0.1 <= point.x <= chart.right + 0.1
        assert 0.0 <= point.y <= chart.bottom + 0.1
    assert all(0.0 <= tick.at <= chart.bottom + 0.1 for tick in chart.up)
    assert 2 <= len(chart.up) <= 8
    assert all(0.0 <= tick.at <= chart.width for tick in chart.across)


def test_a_larger_value_stands_higher() -> None:
    (stroke,) = drawn([0.86, 0.87, 0.88]).strokes
    assert heights(stroke.path) == sorted(heights(stroke.path), reverse=True)


def test_a_line_is_broken_where_there_is_no_value() -> None:
    (stroke,) = drawn([0.86, 0.87, None, 0.88, 0.89]).strokes
    assert re.sub(r"[^ML]", "", stroke.path) == "MLML"


def test_a_band_goes_out_above_and_back_below() -> None:
    (stroke,) = drawn([0.5, 0.6], low=[0.4, 0.5], high=[0.6, 0.7]).strokes
    assert stroke.band.startswith("M")
    assert stroke.band.endswith("Z")
    first, second, third, fourth = heights(stroke.band)
    assert first < fourth
    assert second < third
    assert drawn([0.5, 0.6]).strokes[0].band == ""


def test_the_words_tell_the_ends_and_the_extremes() -> None:
    assert drawn([0.86, None, 0.84, 0.88, 0.87]).said == (
        "Rate. live: 86.00% at 2026-03-01 00:00, 87.00% at 2026-03-01 04:00; "
        "lowest 84.00%, highest 88.00%."
    )
    assert drawn([None]).said == "Rate. live: no values."
    assert drawn([]).across == ()


def test_series_are_told_apart_by_more_than_their_colour() -> None:
    chart = line_chart("Rate", [START], [Line(str(at), [0.5]) for at in range(6)])
    assert len({stroke.dashes for stroke in chart.strokes}) == 6
    assert len({stroke.colour for stroke in chart.strokes}) == 6


def test_an_interval_stands_on_its_side_of_zero_and_within_its_scale() -> None:
    right = whisker(0.001, 0.004, 0.02, 0.01)
    assert right.zero < right.low < right.at < right.high <= 100.0
    assert whisker(-5.0, -4.0, -3.0, 0.01).low >= 0.0
