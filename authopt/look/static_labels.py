"""Words within a picture for paper: stretches and places pointed out, names at ends of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authopt.look.static_page import Page, Stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def shade(axes: Axes, look: Page, start: Any, end: Any, text: str = "") -> None:
    """Point out a stretch of the x axis, with a few words at its top."""
    axes.axvspan(start, end, color=look.shade, zorder=0, linewidth=0)
    if text:
        axes.annotate(
            text,
            (start, 1.0),
            (3, -3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=8.0,
            color=look.muted,
        )


def mark(axes: Axes, look: Page, at: Any, text: str, *, left: bool = False) -> None:
    """Point out one place of the x axis, with a few words at its top."""
    axes.axvline(at, color=look.muted, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate(
        text,
        (at, 1.0),
        (-4 if left else 4, -3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        ha="right" if left else "left",
        fontsize=8.0,
        color=look.muted,
    )


@dataclass(frozen=True, slots=True)
class EndLabel:
    """The name of a line, to be written at its right end (data coordinates of ``y``)."""

    text: str
    y: float
    stroke: Stroke


def label_ends(axes: Axes, look: Page, labels: Sequence[EndLabel]) -> None:
    """Write the names of lines to the right of the axes, moved apart where they would collide.

    A piece of the line stands before its name, so that lines that end together are told apart.

    The limits of the y axis have to be final, and the figure headed (:func:`say`).

    Parameters
    ----------
    axes
        that the lines are in.
    look
        the page.
    labels
        one per line; a name may have several rows.
    """
    if not labels:
        return
    low, high = axes.get_ylim()
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    box = axes.get_position()
    points = max(box.height * float(figure.get_size_inches()[1]) * 72.0, 1.0)
    order = sorted(labels, key=lambda label: label.y)
    wanted = [(label.y - low) / (high - low) * points for label in order]
    sizes = [10.8 * (label.text.count("\n") + 1) + 1.5 for label in order]
    places = spread(wanted, sizes, points)
    wide = max(axes.get_window_extent().width / figure.dpi * 72.0, 1.0)
    for label, place in zip(order, places, strict=True):
        axes.plot(
            [1.0 + 5.0 / wide, 1.0 + 25.0 / wide],
            [place / points] * 2,
            transform=axes.transAxes,
            clip_on=False,
            **label.stroke.line,
        )
        axes.annotate(
            label.text,
            (1.0, place / points),
            (30, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=8.7,
            fontweight="bold",
            color=look.text(label.stroke.colour),
            annotation_clip=False,
            linespacing=1.15,
        )


def spread(wanted: Sequence[float], sizes: Sequence[float], length: float) -> list[float]:
    """Places near the wanted ones at which boxes of these sizes do not overlap.

    Parameters
    ----------
    wanted
        centres, ascending.
    sizes
        of the boxes, in the same unit.
    length
        the boxes stay within 0 and this, as far as there is room.
    """
    places = list(wanted)
    for at in range(len(places)):
        least = sizes[at] / 2 if at == 0 else places[at - 1] + (sizes[at - 1] + sizes[at]) / 2
        places[at] = max(places[at], least)
    for at in reversed(range(len(places))):
        last = at == len(places) - 1
        most = length - sizes[at] / 2 if last else places[at + 1] - (sizes[at + 1] + sizes[at]) / 2
        places[at] = min(places[at], most)
    return places
