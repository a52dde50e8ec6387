"""Two pictures of a board: who wins by how much, and what was lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from authopt.batch import FloatArray
from authopt.look.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from authopt.look.static_charts import (
    EndLabel,
    Page,
    Stroke,
    chart_defaults,
    label_ends,
    mark,
    new_figure,
    save,
    say,
)
from simulator.leaderboard.findings import best_rival, explanation, finding, said
from simulator.leaderboard.roster import Kind
from simulator.leaderboard.standings import Board, Interval, Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHING = 0.05
"""Share of the payments that a point of a regret curve is the mean over."""

_TIMES = 10_000
_ROOM = 2.0
"""How far above the highest curve that is named the picture of the regret goes, as a factor."""


def write_pictures(board: Board, folder: Path, *, dark: bool = False) -> list[Path]:
    """Write both pictures into a folder, as ``value-PLACE.png`` and ``regret-PLACE.png``.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    UserError
        If a file cannot be written.
    """
    written = []
    for name, draw in (("value", draw_values), ("regret", draw_regret)):
        path = folder / f"{name}-{board.place}.png"
        with chart_defaults(dark) as look:
            save(draw(board, look), path)
        written.append(path)
    return written


def draw_values(board: Board, look: Page) -> Figure:
    """A dot and an interval by policy: payments of 10,000 against the reference, paired by seed."""
    rows = board.standings[::-1]
    figure = new_figure(9.2, 1.6 + 0.245 * len(rows))
    axes = figure.subplots()
    named = _named(board)
    for place, each in enumerate(rows):
        _dot(axes, look, place, each, named.get(each.label))
    axes.axvline(0.0, color=look.muted, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axes.set_yticks(range(len(rows)), [each.label for each in rows])
    for tick, each in zip(axes.get_yticklabels(), rows, strict=True):
        _write_label(tick, look, each, named.get(each.label))
    axes.set_ylim(-0.6, len(rows) + 0.2)
    axes.grid(axis="x")
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"payments paid in the end, of 10,000, against {board.reference}")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+,.0f}" if value else "0")
    _values_beside(axes, look, rows)
    what = (
        "Differences paired by seed, with 95% intervals (Student's t over seeds). On the right: "
        "the share of payments paid; how much of the way to the oracle is gone, from the best "
        "order of routes that retries at once (A) and from the best static policy, timetables "
        "included (B)."
    )
    say(figure, look, finding(board), explanation(board, what))
    return figure


def draw_regret(board: Board, look: Page) -> Figure:
    """Approvals lost to the best action at the same decision points, by the payment's number."""
    figure = new_figure(9.2, 5.0)
    axes = figure.subplots()
    named = _named(board)
    bins = max(1, round(SMOOTHING * len(next(iter(board.curves.values())))))
    number = (np.arange(len(next(iter(board.curves.values())))) + 0.5) * board.block
    labels: list[EndLabel] = []
    named_curves: list[FloatArray] = []
    other_curves: list[FloatArray] = []
    for each in reversed(board.standings):
        if each.kind is Kind.ORACLE and each.label not in named:
            continue
        curve = _smooth(board.curves[each.label], bins)
        stroke = named.get(each.label)
        if stroke is None:
            axes.plot(
                number, curve, color=GREY, linestyle="solid", linewidth=0.8, alpha=0.6, zorder=2
            )
        else:
            axes.plot(number, curve, linewidth=2.1, zorder=4, **stroke.line)
            labels.append(EndLabel(each.label, float(curve[-1]), stroke))
        (other_curves if stroke is None else named_curves).append(curve)
    if other_curves:
        end = float(np.median([curve[-1] for curve in other_curves]))
        labels.append(EndLabel("other baselines", end, Stroke(GREY, "solid", "o")))
    highest = max(float(np.max(each)) for each in (*named_curves, *other_curves))
    top = min(highest, _ROOM * max(float(np.max(each)) for each in named_curves))
    axes.set_ylim(0.0, 1.06 * top)
    axes.set_xlim(0, board.payments)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("payment, in the order of arrival")
    axes.set_title("Approvals lost to the best action, of 1,000 decisions")
    if board.after:
        mark(axes, look, board.after, "counted from here on")
    what = (
        "The chance of approval lost at the decision points that each policy met itself, moving "
        "mean, averaged over seeds."
    )
    if top < highest:
        what += " Some baselines lie above the picture."
    say(figure, look, _regret_finding(board), explanation(board, what))
    label_ends(axes, look, labels)
    return figure


def _regret_finding(board: Board) -> str:
    own, rival = board.standing(board.reference), best_rival(board)
    sentence = (
        f"{said(own.label)} loses {own.regret.mean:.1f} approvals of 1,000 to the best action"
    )
    if rival is None:
        return sentence
    least = min(
        (each for each in board.standings if each.kind in (Kind.STATIC, Kind.LEARNER)),
        key=lambda each: each.regret.mean,
    )
    return f"{sentence}; of the baselines '{least.label}' loses least, {least.regret.mean:.1f}"


def _named(board: Board) -> dict[str, Stroke]:
    """The policies that are told apart, with how they are drawn; all others are grey."""
    rival = best_rival(board)
    learner = next((each.label for each in board.standings if each.kind is Kind.LEARNER), None)
    wanted = (
        (board.reference, Stroke(BLUE, "solid", "o")),
        (None if rival is None else rival.label, Stroke(ORANGE, (0, (5, 1.6)), "s")),
        (learner, Stroke(PURPLE, (0, (1.2, 1.2)), "^")),
        (board.static, Stroke(GREEN, (0, (6, 1.6, 1.2, 1.6)), "D")),
    )
    drawn: dict[str, Stroke] = {}
    for label, stroke in wanted:
        if label is not None:
            drawn.setdefault(label, stroke)
    for at, each in enumerate(each for each in board.standings if each.kind is Kind.OURS):
        drawn.setdefault(each.label, Stroke((SKY, VERMILION)[at % 2], "solid", "X"))
    return drawn


def _dot(axes: Axes, look: Page, place: int, each: Standing, stroke: Stroke | None) -> None:
    difference = each.difference or Interval(0.0, None, None)
    hollow = each.kind is Kind.ORACLE
    colour = look.muted if hollow else GREY if stroke is None else stroke.colour
    if difference.lower is not None and difference.upper is not None:
        axes.plot(
            [_TIMES * difference.lower, _TIMES * difference.upper],
            [place, place],
            color=colour,
            linestyle="solid",
            linewidth=2.0,
            zorder=3,
        )
    axes.plot(
        _TIMES * difference.mean,
        place,
        marker="o" if stroke is None else stroke.marker,
        markersize=6.5 if stroke is not None else 5.0,
        color=colour,
        markerfacecolor=look.paper if hollow else colour,
        markeredgewidth=1.4,
        linestyle="none",
        zorder=4,
    )


def _write_label(tick: object, look: Page, each: Standing, stroke: Stroke | None) -> None:
    from matplotlib.text import Text

    assert isinstance(tick, Text)
    if stroke is not None:
        tick.set_color(look.text(stroke.colour))
        tick.set_fontweight("bold")
    else:
        tick.set_color(look.muted if each.kind is Kind.ORACLE else look.ink)


def _values_beside(axes: Axes, look: Page, rows: tuple[Standing, ...]) -> None:
    """Columns of figures to the right of the axes."""

    def write(place: int, row: float, text: str, size: float, colour: str) -> None:
        axes.annotate(
            text,
            (1.0, row),
            (place, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            ha="right",
            fontsize=size,
            color=colour,
        )

    for place, heading in ((44, "paid"), (84, "gap A"), (124, "gap B")):
        write(place, len(rows) - 0.15, heading, 8.2, look.muted)
    for at, each in enumerate(rows):
        write(44, at, f"{each.value.mean:.2%}", 8.5, look.ink)
        for place, share in ((84, each.captured_cascade), (124, each.captured_static)):
            if share is not None:
                write(place, at, f"{share.mean:.0%}", 8.5, look.ink)


def _smooth(curve: FloatArray, bins: int) -> FloatArray:
    """A centred moving mean, over fewer at both ends."""
    window = np.ones(bins)
    return np.asarray(
        np.convolve(curve, window, "same") / np.convolve(np.ones(len(curve)), window, "same")
    )
