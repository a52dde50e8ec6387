"""Forest plots: estimates with their intervals, one to a row, the name above its bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authopt.evaluation.quantities import Estimate
from authopt.evaluation.report.labels import label
from authopt.evaluation.report.verdict import chosen
from authopt.evaluation.report.wording import Direction, Scale, direction
from authopt.evaluation.result import Comparison, Evaluation
from authopt.look.charts import apply_defaults, name_rows
from authopt.look.palette import BLUE, GREEN, GREY, VERMILION

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_PAIRS = 12
"""Comparisons that a chart has room for; with more, those of the policy to speak of are shown."""

_COLOURS = {Direction.BETTER: GREEN, Direction.WORSE: VERMILION, Direction.OPEN: BLUE}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a name, an estimate, its colour, and what stands at the right end."""

    name: str
    estimate: Estimate
    colour: str
    said: str


def values_figure(evaluation: Evaluation) -> Figure:
    """Values with their covering intervals; the logging policy's as a line."""
    scale = Scale.of(evaluation)
    rows = [
        Row(
            label(policy.name),
            policy.value,
            GREY if policy.is_logging_policy else BLUE,
            f"{scale.value(policy.value.value)}  [{scale.interval(policy.value.interval)}]",
        )
        for policy in evaluation.policies
    ]
    return _forest(rows, scale, evaluation.policies[0].value.value, gains=False)


def gains_figure(evaluation: Evaluation) -> Figure:
    """Gains over the logging policy with their covering intervals."""
    return gains_forest(
        [(each.name, each.gain) for each in evaluation.policies if each.gain is not None],
        Scale.of(evaluation),
    )


def comparisons_figure(evaluation: Evaluation) -> Figure:
    """Differences between two candidates with their covering intervals."""
    return gains_forest(
        [
            (f"{_half(each.first)} less {_half(each.second)}", each.difference)
            for each in comparisons_shown(evaluation)
        ],
        Scale.of(evaluation),
    )


def comparisons_shown(evaluation: Evaluation) -> tuple[Comparison, ...]:
    """The comparisons that a chart has room for."""
    best = chosen(evaluation)
    if len(evaluation.comparisons) <= MOST_PAIRS or best is None:
        return evaluation.comparisons
    return tuple(each for each in evaluation.comparisons if best.name in (each.first, each.second))


def gains_forest(gains: Sequence[tuple[str, Estimate]], scale: Scale) -> Figure:
    """Named differences around a line at 0, coloured by what their intervals say.

    Parameters
    ----------
    gains
        names and differences.
    scale
        of the reward.
    """
    rows = [
        Row(
            label(name),
            gain,
            _COLOURS[direction(gain)],
            f"{scale.gain(gain.value)}  [{scale.gain_interval(gain.interval)}]",
        )
        for name, gain in gains
    ]
    return _forest(rows, scale, 0.0, gains=True)


_HALF = 14


def _half(name: str) -> str:
    return name if len(name) <= _HALF else name[: _HALF - 1] + "…"


def _limits(estimate: Estimate) -> list[float]:
    value = [] if estimate.value is None else [estimate.value]
    return [estimate.interval.lower, *value, estimate.interval.upper]


def _forest(rows: Sequence[Row], scale: Scale, line: float | None, *, gains: bool) -> Figure:
    """Rows of estimates, about a line that they are read against."""
    from plotly.graph_objects import Figure, Scatter

    unit = scale.factor
    figure = Figure()
    if line is not None:
        style = {"color": GREY, "dash": "dot", "width": 1.5}
        figure.add_vline(x=unit * line, line=style, layer="below")
    for place, row in enumerate(rows):
        interval, value = row.estimate.interval, row.estimate.value
        shown = (interval.lower + interval.upper) / 2 if value is None else value
        figure.add_trace(
            Scatter(
                x=[unit * interval.lower, unit * interval.upper],
                y=[place, place],
                mode="lines",
                line={"color": row.colour, "width": 3},
                hoverinfo="skip",
                showlegend=False,
            )
        )
        figure.add_trace(
            Scatter(
                x=[unit * shown],
                y=[place],
                mode="markers",
                # Hollow where there is an interval but no estimate.
                marker={
                    "size": 12,
                    "color": row.colour,
                    "symbol": "diamond-open" if value is None else "diamond",
                },
                showlegend=False,
                hovertemplate=f"{row.said}<extra>{row.name}</extra>",
            )
        )
    limits = [limit for row in rows for limit in _limits(row.estimate)]
    limits += [] if line is None else [line]
    room = 0.03 * (max(limits) - min(limits)) or 1.0
    # A difference of percentages is in percentage points, which are not percent.
    suffix = (" pp" if gains else "%") if scale.percent else ""
    figure.update_xaxes(
        range=[unit * (min(limits) - room), unit * (max(limits) + room)],
        ticksuffix=suffix,
        nticks=6,
        tickangle=0,
    )
    figure.update_yaxes(range=[len(rows) - 0.5, -0.75], showticklabels=False)
    name_rows(figure, [row.name for row in rows], [row.said for row in rows])
    figure = apply_defaults(figure, 48 + 46 * len(rows)).update_yaxes(showgrid=False)
    return figure.update_layout(margin={"l": 10, "r": 10, "t": 4, "b": 28})
