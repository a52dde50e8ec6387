"""Pictures for paper, notebooks and plain files: matplotlib in the product's palette.

matplotlib is an extra (``authopt[simulator]``), so it is imported where it is used alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authopt.errors import MissingExtra, UserError
from authopt.look.palette import SERIES, marker, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 200
"""Twice the dots of a screen, so that a picture is sharp in print too."""

SUFFIXES = (".png", ".svg", ".pdf")

_MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "x": "X",
    "star": "*",
}
_DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.6)),
    (0, (1.2, 1.2)),
    (0, (6, 1.6, 1.2, 1.6)),
    (0, (3, 1.2, 1.2, 1.2, 1.2, 1.2)),
    (0, (9, 2.5)),
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a picture is drawn on.

    Attributes
    ----------
    paper, ink
        colours of the background and of the text.
    muted
        of what should be read second: units, notes, axes.
    grid
        of the grid.
    shade
        of a stretch that is pointed out.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    shade: str

    def text(self, colour: str) -> str:
        """A colour of the palette as text of this page: the same hue, legible."""
        from matplotlib.colors import to_hex, to_rgb

        towards = to_rgb(self.ink)
        red, green, blue = (
            0.62 * own + 0.38 * far for own, far in zip(to_rgb(colour), towards, strict=True)
        )
        return to_hex((red, green, blue))


LIGHT = Page("#ffffff", "#1c2128", "#5b6470", "#e3e6ea", "#f0e9dc")
DARK = Page("#14171c", "#e8eaed", "#a2abb6", "#2c323a", "#33302a")


def page(dark: bool = False) -> Page:
    """The dark page, or the white one."""
    return DARK if dark else LIGHT


@dataclass(frozen=True, slots=True)
class Stroke:
    """How one series is drawn: colour, dashes and marker each tell it apart from the others."""

    colour: str
    dashes: Any
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """Keywords of ``Axes.plot`` for a line without markers."""
        return {"color": self.colour, "linestyle": self.dashes}


def stroke(number: int) -> Stroke:
    """Of the series of this number, from 0."""
    return Stroke(series(number), _DASHES[number % len(_DASHES)], _MARKERS[marker(number)])


@contextmanager
def chart_defaults(dark: bool = False) -> Iterator[Page]:
    """Settings for all that is drawn within; those in force before come back afterwards.

    Parameters
    ----------
    dark
        for a dark page; the default is white, which prints.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    need_matplotlib()
    import matplotlib

    look = page(dark)
    with matplotlib.rc_context(_settings(look)):
        yield look


def need_matplotlib() -> None:
    """Ask for matplotlib before long work whose end is a picture.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "simulator", "a picture") from None


def _settings(look: Page) -> Any:
    from cycler import cycler

    lines = cycler(color=SERIES) + cycler(linestyle=_DASHES)
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": look.muted,
        "axes.facecolor": look.paper,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.labelcolor": look.muted,
        "axes.labelsize": 9.0,
        "axes.linewidth": 0.7,
        "axes.prop_cycle": lines,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": look.ink,
        "axes.titlelocation": "left",
        "axes.titlesize": 10.0,
        "axes.titleweight": "bold",
        "axes.titlepad": 8.0,
        "figure.dpi": DPI / 2,
        "figure.facecolor": look.paper,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9.0,
        "grid.color": look.grid,
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "legend.labelcolor": look.ink,
        "lines.linewidth": 1.9,
        "lines.markersize": 5.0,
        "lines.solid_capstyle": "round",
        "lines.dash_capstyle": "butt",
        "savefig.dpi": DPI,
        "savefig.facecolor": look.paper,
        "svg.fonttype": "path",
        "svg.hashsalt": "authopt",
        "text.color": look.ink,
        "xtick.color": look.muted,
        "xtick.labelsize": 8.5,
        "xtick.major.size": 3.0,
        "ytick.color": look.muted,
        "ytick.labelsize": 8.5,
        "ytick.left": False,
    }


def new_figure(width: float = 7.6, height: float = 4.6) -> Figure:
    """An empty figure (inches) that belongs to no window; parts are laid out by themselves."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def say(figure: Figure, look: Page, finding: str, explanation: str) -> None:
    """Head a figure with what it shows, and with what is drawn.

    Parameters
    ----------
    figure
        made by :func:`new_figure`, otherwise finished.
    look
        the page.
    finding
        one sentence: the answer. Broken where the figure is too narrow.
    explanation
        what is drawn, of which data.
    """
    width, height = (float(each) for each in figure.get_size_inches())
    room = (width - 0.25) * 72.0
    heading, note = wrapped(finding, 12.0, "bold", room), wrapped(explanation, 8.7, "normal", room)
    rows = 0.23 * len(heading) + 0.175 * len(note) + 0.20
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0.0, 0.0, 1.0, 1.0 - rows / height))  # type: ignore[call-arg]
    left, top = 0.10 / width, 1.0 - 0.10 / height
    figure.text(
        left,
        top,
        "\n".join(heading),
        va="top",
        fontsize=12.0,
        fontweight="bold",
        linespacing=1.2,
    )
    below = top - 0.23 * len(heading) / height
    figure.text(
        left, below, "\n".join(note), va="top", fontsize=8.7, color=look.muted, linespacing=1.3
    )


def wrapped(text: str, size: float, weight: str, room: float) -> list[str]:
    """Break a text into lines.

    Parameters
    ----------
    text
        words with single spaces between them.
    size, weight
        of its letters (points).
    room
        that a line may fill, in points; a single word may be wider.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)

    def wide(line: str) -> float:
        return float(text_to_path.get_text_width_height_descent(line, font, False)[0])

    lines: list[str] = []
    for word in text.split():
        if lines and wide(f"{lines[-1]} {word}") <= room:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines


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


def save(figure: Figure, path: Path) -> None:
    """Write a picture; the same figure gives the same bytes.

    Parameters
    ----------
    figure
        drawn within :func:`chart_defaults`; so is this to be called.
    path
        ends with one of ``SUFFIXES``.

    Raises
    ------
    UserError
        If the name ends otherwise, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"{path}: a picture cannot be written as {suffix or 'a file without a suffix'!s}; "
            f"expected a name that ends with {', '.join(SUFFIXES)}"
        )
    # A date in the file would make two runs differ.
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        figure.savefig(path, metadata=metadata[suffix])
    except OSError as error:
        raise UserError(f"{path}: the picture could not be written: {error}") from error
