"""Charts of how a policy's gain changes over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authopt.evaluation.over_time import OverTime
from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Evaluation
from authopt.look.charts import apply_defaults
from authopt.look.palette import BLUE, GREY

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BAND = "rgba(0, 114, 178, 0.18)"


def over_time_figure(evaluation: Evaluation, found: OverTime) -> Figure:
    """The gain of one policy by a sliding window, with its interval as a band."""
    from plotly.graph_objects import Figure, Scatter

    scale = Scale.of(evaluation)
    unit = scale.factor
    middle = [each.start + (each.end - each.start) / 2 for each in found.windows]
    times = [time.strftime("%Y-%m-%d %H:%M") for time in middle]
    gains = [each.gain for each in found.windows]
    shared = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure = Figure(
        [
            Scatter(x=times, y=[unit * gain.interval.upper for gain in gains], **shared),
            Scatter(
                x=times,
                y=[unit * gain.interval.lower for gain in gains],
                fill="tonexty",
                fillcolor=_BAND,
                **shared,
            ),
            Scatter(
                x=times,
                y=[None if gain.value is None else unit * gain.value for gain in gains],
                mode="lines",
                line={"color": BLUE, "width": 2},
                hovertemplate="%{x} UTC<br>%{y}<extra></extra>",
            ),
        ]
    )
    figure.add_hline(y=0.0, line={"color": GREY, "dash": "dot", "width": 1.5}, layer="below")
    low, high = _range(evaluation)
    figure.update_yaxes(
        range=[unit * low, unit * high],
        ticksuffix=" pp" if scale.percent else "",
        nticks=6,
    )
    figure.update_xaxes(nticks=4, showgrid=False)
    figure = apply_defaults(figure, 220)
    return figure.update_layout(showlegend=False, margin={"l": 4, "r": 8, "t": 8, "b": 36})


def _range(evaluation: Evaluation) -> tuple[float, float]:
    """What all policies' charts show, so that they can be compared."""
    limits = [0.0]
    for policy in evaluation.policies:
        if policy.over_time is not None and not policy.is_logging_policy:
            for window in policy.over_time.windows:
                limits += [window.gain.interval.lower, window.gain.interval.upper]
    room = 0.05 * (max(limits) - min(limits)) or 1.0
    return min(limits) - room, max(limits) + room
