"""Small charts as inline SVG, without a script: where every stroke and word of them stands.

Coordinates are in a box of ``width`` by ``height``, which the page scales. What a chart shows is
said in words too, and stands in a table of its page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from authopt.look.palette import series
from service.console.wording import shown

_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 24.0, 10.0, 24.0
_DASHES = ("", "7 3", "2 3", "8 3 2 3", "4 2 1 2 1 2", "12 4")
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_X_ROOM = 90.0


@dataclass(frozen=True, slots=True)
class Line:
    """A series; None where there is no value.

    Attributes
    ----------
    name
        in the key and in the words.
    values
        one for each time of the chart.
    low, high
        limits of the band, as long as ``values``; empty: no band.
    """

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """A word at an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """A value in its place, and what is said of it."""

    x: float
    y: float
    said: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A series as it is drawn: paths of SVG."""

    name: str
    colour: str
    dashes: str
    path: str
    band: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as it is drawn.

    Attributes
    ----------
    title, said
        its name, and what it shows in words.
    width, height, left, right, bottom
        of the box, and where the axes stand in it.
    strokes
        the series.
    across, up
        the words at the axes.
    """

    title: str
    said: str
    width: float
    height: float
    left: float
    right: float
    bottom: float
    strokes: tuple[Stroke, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def line_chart(
    title: str,
    times: Sequence[datetime],
    lines: Sequence[Line],
    kind: str = "rate",
    width: float = 760.0,
    height: float = 220.0,
) -> Chart:
    """Series over time, each with a band where it has limits.

    Parameters
    ----------
    times
        UTC, ascending.
    kind
        of the values, as ``service.console.wording.shown`` takes it.
    """
    left, right, bottom = _LEFT, width - _RIGHT, height - _BOTTOM
    values = [
        value for line in lines for part in (line.values, line.low, line.high) for value in part
    ]
    steps = _steps([value for value in values if value is not None])
    lowest, highest = steps[0], steps[-1]
    first, last = (times[0], times[-1]) if times else (datetime.now(UTC),) * 2
    whole_s = (last - first).total_seconds() or 1.0

    def x(time: datetime) -> float:
        middle = first == last
        return (
            (left + right) / 2
            if middle
            else left + (right - left) * ((time - first).total_seconds() / whole_s)
        )

    def y(value: float) -> float:
        return bottom - (bottom - _TOP) * (value - lowest) / (highest - lowest)

    def heights(part: Sequence[float | None]) -> list[float | None]:
        return [None if value is None else y(value) for value in part]

    places = [x(time) for time in times]
    strokes = tuple(
        Stroke(
            line.name,
            series(at),
            _DASHES[at % len(_DASHES)],
            _path(places, heights(line.values)),
            _band(places, heights(line.low), heights(line.high)),
            _points(line, times, places, heights(line.values), kind),
        )
        for at, line in enumerate(lines)
    )
    return Chart(
        title,
        _in_words(title, times, lines, kind),
        width,
        height,
        left,
        right,
        bottom,
        strokes,
        _across(times, places, right - left),
        tuple(Tick(round(y(step), 1), str(shown(step, kind))) for step in steps),
    )


@dataclass(frozen=True, slots=True)
class Whisker:
    """An interval on a scale with a line at zero, in a box of 100 by 12."""

    low: float
    at: float
    high: float
    zero: float


def whisker(low: float, value: float, high: float, reach: float) -> Whisker:
    """An interval of a difference, on the scale from ``-reach`` to ``reach``."""

    def place(number: float) -> float:
        return round(50.0 + 48.0 * max(-1.0, min(1.0, number / reach)), 1)

    return Whisker(place(low), place(value), place(high), 50.0)


def _points(
    line: Line,
    times: Sequence[datetime],
    places: Sequence[float],
    heights: Sequence[float | None],
    kind: str,
) -> tuple[Point, ...]:
    return tuple(
        Point(
            round(place, 1),
            round(height, 1),
            f"{line.name}, {time:%Y-%m-%d %H:%M}: {shown(value, kind)}",
        )
        for time, place, height, value in zip(times, places, heights, line.values, strict=True)
        if height is not None
    )


def _path(places: Sequence[float], heights: Sequence[float | None]) -> str:
    """A line that is broken where there is no value."""
    pieces, pen_down = [], False
    for place, height in zip(places, heights, strict=True):
        if height is not None:
            pieces.append(f"{'L' if pen_down else 'M'}{place:.1f} {height:.1f}")
        pen_down = height is not None
    return "".join(pieces)


def _band(
    places: Sequence[float], low: Sequence[float | None], high: Sequence[float | None]
) -> str:
    there = [
        (place, below, above)
        for place, below, above in zip(places, low, high, strict=False)
        if below is not None and above is not None
    ]
    if len(there) < 2:
        return ""
    out = [f"{place:.1f} {above:.1f}" for place, _, above in there]
    back = [f"{place:.1f} {below:.1f}" for place, below, _ in reversed(there)]
    return f"M{'L'.join(out + back)}Z"


def _steps(values: Sequence[float]) -> list[float]:
    """Round numbers that the values lie between, four or so."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.005, high + 0.005
    rough = (high - low) / 3.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * nice for nice in _NICE if size * nice >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * at for at in range(first, max(last, first + 1) + 1)]


def _across(times: Sequence[datetime], places: Sequence[float], room: float) -> tuple[Tick, ...]:
    if not times:
        return ()
    every = max(1, math.ceil(len(times) * _X_ROOM / room))
    days = (times[-1] - times[0]).total_seconds() > 2 * 86_400
    form = "%-d %b" if days else "%H:%M"
    return tuple(
        Tick(round(places[at], 1), f"{times[at]:{form}}") for at in range(0, len(times), every)
    )


def _in_words(title: str, times: Sequence[datetime], lines: Sequence[Line], kind: str) -> str:
    said = [_line_in_words(times, line, kind) for line in lines]
    return " ".join([f"{title}.", *said])


def _line_in_words(times: Sequence[datetime], line: Line, kind: str) -> str:
    known = [
        (time, value) for time, value in zip(times, line.values, strict=True) if value is not None
    ]
    if not known:
        return f"{line.name}: no values."
    (first, began), (last, ended) = known[0], known[-1]
    low, high = min(value for _, value in known), max(value for _, value in known)
    return (
        f"{line.name}: {shown(began, kind)} at {first:%Y-%m-%d %H:%M}, "
        f"{shown(ended, kind)} at {last:%Y-%m-%d %H:%M}; "
        f"lowest {shown(low, kind)}, highest {shown(high, kind)}."
    )
