"""What a policy does by segment, as a heat map: its probabilities, and what it does otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.explaining.behaviour import Behaviour, Segment, live_name
from authopt.look.palette import BLUE, VERMILION
from authopt.look.static_charts import (
    SUFFIXES,
    Page,
    chart_defaults,
    need_matplotlib,
    new_figure,
    save,
    say,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_SCALE = 0.05
"""Differences of this size, or of the largest one, have the deepest colour."""

DEEPEST = 0.85
"""Of the palette's colour in the deepest cell, so that figures can be read on it."""


def check_picture(path: Path) -> None:
    """Refuse before the work what could not be drawn after it.

    Raises
    ------
    UserError
        If the name ends otherwise than a picture's.
    MissingExtra
        If matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"--out {path}: expected a name that ends with .html, {', '.join(SUFFIXES)}"
        )
    need_matplotlib()


def draw(said: Behaviour, path: Path, *, dark: bool = False, most: int = 12) -> None:
    """Draw the first column's segments, the largest first, by route.

    Parameters
    ----------
    said
        what the policy does.
    path
        of the picture.
    dark
        for a dark page.
    most
        segments that are drawn.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    column, segments = next(iter(said.by.items()))
    shown = [*segments[:most], said.overall]
    routes = list(said.overall.routes)
    own, live = (
        np.array([[getattr(each, what).get(route, 0.0) for route in routes] for each in shown])
        for what in ("routes", "live_routes")
    )
    with chart_defaults(dark) as look:
        width = 3.6 + 1.35 * len(routes)
        figure = new_figure(max(width, 7.6), 1.5 + 0.3 * len(shown))
        left, right = figure.subplots(1, 2, sharey=True)
        _heat(left, look, own, 1.0, "{:.0%}")
        gap = own - live
        _heat(right, look, gap, max(LEAST_SCALE, float(np.abs(gap).max())), "{:+.1f}", 100.0)
        left.set_title("Mean probability")
        right.set_title("Points more or less")
        for axes in (left, right):
            axes.set_xticks(range(len(routes)), [_short(route) for route in routes])
        left.set_yticks(range(len(shown)), [_label(each, said) for each in shown])
        say(figure, look, _finding(said), _explanation(said, column, len(segments), most))
        save(figure, path)


def _heat(
    axes: Axes, look: Page, values: FloatArray, scale: float, form: str, factor: float = 1.0
) -> None:
    from matplotlib.colors import to_rgb

    paper = np.array(to_rgb(look.paper))
    depth = np.clip(np.abs(values) / scale, 0.0, 1.0)[:, :, None] * DEEPEST
    ends = np.where(
        (values >= 0.0)[:, :, None], np.array(to_rgb(BLUE)), np.array(to_rgb(VERMILION))
    )
    colours = (1.0 - depth) * paper + depth * ends
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    # The last row is all decisions together.
    axes.axhline(len(values) - 1.5, color=look.muted, linewidth=0.8)
    for row, each in enumerate(values):
        for place, value in enumerate(each.tolist()):
            text = form.format(factor * value)
            if float(text.strip("%")) == 0.0:
                text = "0"
            axes.text(
                place,
                row,
                text,
                ha="center",
                va="center",
                fontsize=8.0,
                color=_ink(colours[row, place]),
            )


def _ink(colour: FloatArray) -> str:
    """Black or white, whichever has more contrast (WCAG 2.2, relative luminance)."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000"


def _label(segment: Segment, said: Behaviour) -> str:
    name = "all decisions" if segment is said.overall else _short(segment.name, 24)
    return f"{name}  {segment.share:.0%}" if segment is not said.overall else name


def _short(name: str, most: int = 13) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _finding(said: Behaviour) -> str:
    moved = said.overall.movements
    if not moved or moved[0].share < 0.0005:
        return f"{said.policy} sends its payments as {live_name(said)} does"
    first = moved[0]
    return (
        f"{said.policy} gives {said.overall.changed:.1%} of the decisions another action than "
        f"{live_name(said)}, most of all {first.source} to {first.target}"
    )


def _explanation(said: Behaviour, column: str, segments: int, most: int) -> str:
    which = f"the {most} largest of {segments} segments" if segments > most else "all segments"
    return (
        f"Left: mean probability of each route by {column} ({which}, with their share of "
        f"{said.decisions:,} decisions). Right: percentage points more (blue) or less (orange) "
        f"than {live_name(said)}."
    )
