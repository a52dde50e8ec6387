"""What a policy does by segment as one HTML file that opens offline, on light and dark screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from authopt import __version__
from authopt.errors import UserError
from authopt.explaining.behaviour import Behaviour, Segment, live_name
from authopt.look import charts
from authopt.whole_file import write_whole

TEMPLATE = Path(__file__).with_name("behaviour_page.html")
STYLE = Path(charts.__file__).with_name("style.css")

SUFFIX = ".html"

DEEPEST = 62
"""Percent of colour in the deepest cell: more would leave its text without contrast."""

ALL = "all decisions"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a heat map: its number, how it is written, and percent of colour."""

    value: float
    text: str
    depth: int


@dataclass(frozen=True, slots=True)
class Row:
    """One segment: mean probabilities, and their differences to the live policy's."""

    name: str
    decisions: int
    cells: tuple[Cell, ...]
    gaps: tuple[Cell, ...]
    segment: Segment


@dataclass(frozen=True, slots=True)
class Section:
    """The segments of one column by routes or by delays; ``more`` are not shown."""

    column: str
    what: str
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    more: int


def write_page(said: Behaviour, log: str, path: Path, most: int) -> None:
    """Write the page; the file appears whole or not at all.

    Parameters
    ----------
    said
        what the policy does.
    log
        what to call the log.
    path
        of the page.
    most
        segments of a column that are shown.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    try:
        write_whole(path, render(said, log, most).encode())
    except OSError as error:
        raise UserError(f"{path}: the page cannot be written ({error.strerror})") from error


def render(said: Behaviour, log: str, most: int) -> str:
    """The page as text."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        said=said,
        live=live_name(said),
        log=log,
        sections=sections(said, most),
        style=Markup(STYLE.read_text(encoding="utf-8")),
        version=__version__,
    )


def sections(said: Behaviour, most: int) -> tuple[Section, ...]:
    """Routes by every column, and delays where there is a choice of them."""
    kinds = ["routes", *(["delays"] if len(said.overall.delays) > 1 else [])]
    return tuple(
        _section(said, column, segments, what, most)
        for column, segments in said.by.items()
        for what in kinds
    )


def _section(
    said: Behaviour, column: str, segments: Sequence[Segment], what: str, most: int
) -> Section:
    shown = [*segments[:most], said.overall]
    names = tuple(getattr(said.overall, what))
    pairs = [(getattr(each, what), getattr(each, f"live_{what}")) for each in shown]
    largest = max((abs(gap) for own, live in pairs for gap in _gaps(names, own, live)), default=0.0)
    rows = tuple(
        Row(
            name=ALL if each is said.overall else each.name,
            decisions=each.decisions,
            cells=tuple(_cell(own.get(name, 0.0), 1.0, "{:.1%}", 1.0) for name in names),
            gaps=tuple(_cell(gap, largest, "{:+.1f}", 100.0) for gap in _gaps(names, own, live)),
            segment=each,
        )
        for each, (own, live) in zip(shown, pairs, strict=True)
    )
    return Section(column, what, names, rows, max(0, len(segments) - most))


def _gaps(names: Sequence[str], own: Mapping[str, float], live: Mapping[str, float]) -> list[float]:
    return [own.get(name, 0.0) - live.get(name, 0.0) for name in names]


def _cell(value: float, deepest: float, form: str, factor: float) -> Cell:
    depth = round(DEEPEST * abs(value) / deepest) if deepest > 0.0 else 0
    return Cell(value, form.format(factor * value), depth)
