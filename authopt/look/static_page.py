"""What pictures for paper are drawn with: the page, its colours, and the strokes of the series.

matplotlib is an extra (``authopt[simulator]``), so it is imported where it is used alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from authopt.errors import MissingExtra
from authopt.look.palette import SERIES, marker, series

DPI = 200
"""Twice the dots of a screen, so that a picture is sharp in print too."""

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
