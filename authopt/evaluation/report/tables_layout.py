"""How tables look at the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from authopt.evaluation.quantities import Estimate, Interval
from authopt.evaluation.report.wording import Direction, direction
from authopt.terminal import ACCENT

WIDEST = 100

_WIDE_FROM = 90
_STYLES = {Direction.BETTER: "bold green", Direction.WORSE: "bold red", Direction.OPEN: "dim"}


def plain_table(title: str | Text | None = None, gap: int = 2) -> Table:
    """A table without lines, at the left margin."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, gap, 0, 0),
        header_style="dim",
        collapse_padding=True,
    )


def name_column(table: Table, heading: str, width: int) -> None:
    """A column of names that may be long; they are broken, never cut."""
    widest = 18 if width >= _WIDE_FROM else 13
    table.add_column(heading, style=ACCENT, overflow="fold", min_width=8, max_width=widest)


def figure_columns(table: Table, *headings: str) -> None:
    """Columns of figures, broken rather than cut where there is no room."""
    for heading in headings:
        table.add_column(Text(heading), justify="right", overflow="fold")


def gap_of(width: int) -> int:
    """Spaces between columns."""
    return 2 if width >= _WIDE_FROM else 1


def style_of(gain: Estimate | None) -> str:
    """Colour of what an interval of a gain says; the words say it too."""
    return "dim" if gain is None else _STYLES[direction(gain)]


def limits(interval: Interval, text: str) -> Text:
    """The limits of an interval, in brackets if it must not be relied on."""
    return Text(f"({text})", "dim") if interval.vetoed else Text(text)
