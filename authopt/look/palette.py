"""Colours that people with any colour vision can tell apart.

Okabe & Ito, 'Color Universal Design' (2008), without its black and its yellow, which vanish on a
dark and on a light page.
"""

from __future__ import annotations

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
GREY, LIGHT_GREY = "#8a8f98", "#b9bec6"

SERIES = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
"""For series in order; the logging policy is ``GREY``."""


def series(number: int) -> str:
    """Colour of the series of this number, from 0; they repeat."""
    return SERIES[number % len(SERIES)]


MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "star")


def marker(number: int) -> str:
    """Marker of the series of this number, so that colour alone tells nothing apart."""
    return MARKERS[number % len(MARKERS)]


_PATHS = {
    "circle": "M6 1.5a4.5 4.5 0 1 0 .01 0Z",
    "square": "M2 2h8v8h-8Z",
    "diamond": "M6 .8 11.2 6 6 11.2 .8 6Z",
    "triangle-up": "M6 1.5 11 10H1Z",
    "x": "M3 1 6 4l3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3-3-3Z",
    "star": "M6 .8 7.5 4.6l4 .3-3.1 2.6 1 3.9L6 9.3l-3.4 2.1 1-3.9L.5 4.9l4-.3Z",
}


def marker_path(number: int) -> str:
    """The marker of :func:`marker` as an SVG path in a box of 12 by 12, for keys in HTML."""
    return _PATHS[marker(number)]
