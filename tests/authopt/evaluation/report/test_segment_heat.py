"""The heat map of segments."""

from __future__ import annotations

from dataclasses import replace

from authopt.evaluation.quantities import Estimate
from authopt.evaluation.report.segment_heat import DEEPEST, MOST_ROWS, Heat, heat_of
from authopt.evaluation.report.wording import Direction
from authopt.evaluation.segment_result import Segment, Segmentation
from tests.authopt.evaluation.report.evaluations import CASES


def heat_with(rows: int, *, outstanding: int | None = None) -> Heat:
    """Of one policy in segments whose gains hold 0, except in one."""
    evaluation = CASES["a winner"]()
    own, often, *_ = evaluation.policies
    model = often.segments[0].segments[0]
    assert model.gain is not None
    above = model.gain
    open_interval = replace(above.interval, lower=-0.5, upper=0.5)

    def segment(place: int) -> Segment:
        gain: Estimate = replace(above, value=0.1, intervals=(open_interval,))
        return replace(
            model,
            name=f"s{place}",
            rows=1_000 - place,
            gain=above if place == outstanding else gain,
        )

    segments = tuple(segment(place) for place in range(rows))
    changed = replace(often, segments=(Segmentation("issuer", rows, 0.999, segments),))
    found = heat_of(replace(evaluation, policies=(own, changed)))
    assert found is not None
    return found


def test_it_has_a_cell_for_every_segment_and_every_policy() -> None:
    evaluation = CASES["a winner"]()
    heat = heat_of(evaluation)
    assert heat is not None
    assert heat.policies == ("often", "sometimes", "never")
    assert [column.column for column in heat.columns] == ["network", "attempt"]
    for column in heat.columns:
        assert all(len(row.cells) == 3 for row in column.rows)


def test_the_map_shows_the_largest_segments_and_those_that_stand_out() -> None:
    (column,) = heat_with(MOST_ROWS + 20).columns
    assert len(column.rows) == MOST_ROWS + 20
    assert [row.segment.name for row in column.shown] == [f"s{i}" for i in range(MOST_ROWS)]
    heat = heat_with(MOST_ROWS + 20, outstanding=MOST_ROWS + 7)
    assert heat.columns[0].shown[-1].segment.name == f"s{MOST_ROWS + 7}"
    ((where, row, cell),) = heat.standing_out
    assert (where, row.segment.name, cell.said) == ("issuer", f"s{MOST_ROWS + 7}", Direction.BETTER)


def test_the_deepest_colour_leaves_its_text_readable() -> None:
    heat = heat_of(CASES["a winner"]())
    assert heat is not None
    depths = [cell.depth for column in heat.columns for row in column.rows for cell in row.cells]
    assert max(depths) == DEEPEST
    assert min(depths) == 0


def test_there_is_none_without_segments() -> None:
    assert heat_of(CASES["ordinary"]()) is None
