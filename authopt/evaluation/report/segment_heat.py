"""Gains by segment as a table whose cells are shaded: a heat map that can be read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from authopt.evaluation.quantities import Estimate
from authopt.evaluation.report.wording import Direction, direction
from authopt.evaluation.result import Evaluation, PolicyResult
from authopt.evaluation.segment_result import Segment

MOST_ROWS = 16
"""Segments of a column that the heat map has room for; the table of all figures holds the rest."""

DEEPEST = 62
"""Percent of colour in the deepest cell: more would leave its text without contrast."""

_SCALED_FROM = 0.01
"""Segments with at least this share of the decisions set the scale: smaller ones are noise."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The gain of one policy in one segment.

    Attributes
    ----------
    policy
        name.
    gain
        with its simultaneous interval.
    said
        what that interval says.
    depth
        percent of colour, 0 to ``DEEPEST``.
    """

    policy: str
    gain: Estimate
    said: Direction
    depth: int

    @property
    def rises(self) -> bool:
        """Whether the estimate is above 0."""
        return (self.gain.value or 0.0) > 0.0


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One segment under every policy."""

    segment: Segment
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class HeatColumn:
    """The segments of one column, largest first.

    Attributes
    ----------
    column
        what they are by.
    rows
        all of them.
    shown
        those that the heat map shows: the largest, and any that stands out.
    """

    column: str
    rows: tuple[HeatRow, ...]
    shown: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """The heat map.

    Attributes
    ----------
    policies
        names, in the order of the cells.
    looked_at, confidence
        number of intervals that are read together, and the confidence of each.
    deepest
        gain of the deepest colour.
    columns
        by what the segments are.
    """

    policies: tuple[str, ...]
    looked_at: int
    confidence: float
    deepest: float
    columns: tuple[HeatColumn, ...]

    @property
    def standing_out(self) -> tuple[tuple[str, HeatRow, Cell], ...]:
        """Column, segment and cell wherever the simultaneous interval lies on one side of 0."""
        return tuple(
            (column.column, row, cell)
            for column in self.columns
            for row in column.rows
            for cell in row.cells
            if cell.said is not Direction.OPEN
        )


def heat_of(evaluation: Evaluation) -> Heat | None:
    """The heat map of an evaluation; None where it was not judged by segment."""
    judged = [each for each in evaluation.policies if each.segments and not each.is_logging_policy]
    if not judged:
        return None
    first = judged[0].segments
    known = [gain for policy in judged for gain in _that_set_the_scale(policy, evaluation.log.rows)]
    deepest = max(known, default=0.0)
    columns = []
    for place, segmentation in enumerate(first):
        named = [
            (policy.name, {each.name: each.gain for each in policy.segments[place].segments})
            for policy in judged
        ]
        rows = [
            HeatRow(
                segment,
                tuple(_cell(name, gains[segment.name], deepest) for name, gains in named),
            )
            for segment in segmentation.segments
        ]
        shown = [
            row
            for rank, row in enumerate(rows)
            if rank < MOST_ROWS or any(cell.said is not Direction.OPEN for cell in row.cells)
        ]
        columns.append(HeatColumn(segmentation.column, tuple(rows), tuple(shown)))
    return Heat(
        tuple(policy.name for policy in judged),
        first[0].looked_at,
        first[0].confidence,
        deepest,
        tuple(columns),
    )


def _that_set_the_scale(policy: PolicyResult, rows: int) -> Iterator[float]:
    for segmentation in policy.segments:
        for segment in segmentation.segments:
            gain = segment.gain
            if gain is not None and gain.value is not None and segment.rows >= _SCALED_FROM * rows:
                yield abs(gain.value)


def _cell(policy: str, gain: Estimate | None, deepest: float) -> Cell:
    assert gain is not None
    depth = 0
    if gain.value is not None and deepest > 0.0:
        depth = round(DEEPEST * min(1.0, abs(gain.value) / deepest))
    return Cell(policy, gain, direction(gain), depth)
