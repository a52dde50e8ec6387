"""Pictures for paper, notebooks and plain files: matplotlib in the product's palette.

A figure is made, headed and saved here; who draws finds the page, its strokes and the words within
a picture under this name too. matplotlib is an extra (``authopt[simulator]``), so it is imported
where it is used alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from authopt.errors import UserError
from authopt.look.static_labels import EndLabel, label_ends, mark, shade, spread
from authopt.look.static_page import (
    DARK,
    DPI,
    LIGHT,
    Page,
    Stroke,
    chart_defaults,
    need_matplotlib,
    page,
    stroke,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DARK",
    "DPI",
    "LIGHT",
    "SUFFIXES",
    "EndLabel",
    "Page",
    "Stroke",
    "chart_defaults",
    "label_ends",
    "mark",
    "need_matplotlib",
    "new_figure",
    "page",
    "save",
    "say",
    "shade",
    "spread",
    "stroke",
    "wrapped",
]

SUFFIXES = (".png", ".svg", ".pdf")


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
