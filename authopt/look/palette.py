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
