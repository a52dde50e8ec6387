"""Charts of what an evaluation rests on: overlap by route, calibration, weights, the log's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authopt.evaluation.report.labels import label
from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Evaluation, RouteOverlap
from authopt.look.charts import apply_defaults
from authopt.look.palette import BLUE, GREY, LIGHT_GREY, marker, series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROUTES_SHOWN = 20
_LONGEST_ROUTE = 18


def routes_shown(evaluation: Evaluation) -> list[RouteOverlap]:
    """The routes that a chart has room for: those that any policy or the log uses most."""
    by_use = sorted(
        evaluation.routes, key=lambda each: -max(each.logged, *each.evaluation.values(), 0.0)
    )
    return by_use[:ROUTES_SHOWN]


def overlap_figure(evaluation: Evaluation) -> Figure:
    """How often the log took each route, and how much each policy wants it."""
    from plotly.graph_objects import Bar, Figure, Scatter

    routes = routes_shown(evaluation)
    places = list(range(len(routes)))
    figure = Figure(
        [
            Bar(
                x=[each.logged for each in routes],
                y=places,
                orientation="h",
                width=0.62,
                name="taken in the log",
                marker={"color": LIGHT_GREY, "opacity": 0.55},
            ),
            Scatter(
                x=[each.eligible for each in routes],
                y=places,
                name="eligible",
                mode="markers",
                marker={"symbol": "line-ns", "size": 20, "line": {"width": 2, "color": GREY}},
            ),
        ]
    )
    others = [each for each in evaluation.policies if not each.is_logging_policy]
    for number, policy in enumerate(others):
        figure.add_trace(
            Scatter(
                x=[each.evaluation.get(policy.name, 0.0) for each in routes],
                y=places,
                name=label(policy.name),
                mode="markers",
                marker={"symbol": marker(number), "size": 10, "color": series(number)},
            )
        )
    names = [label(each.route, _LONGEST_ROUTE) for each in routes]
    figure.update_yaxes(tickvals=places, ticktext=names, range=[len(routes) - 0.5, -0.5])
    figure.update_xaxes(tickformat=".0%", rangemode="tozero", nticks=8)
    figure = apply_defaults(figure, 50 + 34 * len(routes)).update_yaxes(showgrid=False)
    return figure.update_layout(showlegend=False, margin={"t": 4, "b": 28})


def calibration_figure(evaluation: Evaluation) -> Figure:
    """How often each route was taken against the mean of its logged probabilities."""
    from plotly.graph_objects import Figure, Scatter

    routes = [each for each in routes_shown(evaluation) if each.logging is not None]
    expected = [each.logging or 0.0 for each in routes]
    most = max([*expected, *(each.logged for each in routes)], default=1.0) * 1.06
    figure = Figure(
        [
            Scatter(
                x=[0.0, most],
                y=[0.0, most],
                mode="lines",
                line={"color": GREY, "dash": "dot", "width": 1.5},
                hoverinfo="skip",
                showlegend=False,
            ),
            Scatter(
                x=expected,
                y=[each.logged for each in routes],
                mode="markers",
                marker={"size": 10, "color": BLUE},
                text=[label(each.route) for each in routes],
                hovertemplate="%{text}<br>probability %{x:.2%}<br>taken %{y:.2%}<extra></extra>",
                showlegend=False,
            ),
        ]
    )
    figure.update_xaxes(tickformat=".0%", range=[0.0, most], title="mean logged probability")
    figure.update_yaxes(tickformat=".0%", range=[0.0, most], title="taken")
    return apply_defaults(figure, 320).update_layout(margin={"b": 50})


def weights_figure(evaluation: Evaluation) -> Figure:
    """Share of the decisions by importance weight, in powers of two."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    edges: dict[str, float] = {}
    others = [each for each in evaluation.policies if not each.is_logging_policy]
    for policy in others:
        edges |= {_bin(each.lower, each.upper): each.lower for each in policy.diagnostics.weights}
    order = sorted(edges, key=lambda name: (edges[name], name != "0"))
    for place, policy in enumerate(others):
        rows = {_bin(each.lower, each.upper): each.rows for each in policy.diagnostics.weights}
        shares = [rows.get(name, 0) / evaluation.log.rows for name in order]
        figure.add_trace(
            Scatter(
                x=order,
                y=shares,
                mode="lines+markers",
                line={"color": series(place), "shape": "hvh"},
                marker={"symbol": marker(place), "size": 8},
                name=label(policy.name),
            )
        )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(type="category", title="importance weight, from")
    return apply_defaults(figure, 300).update_layout(showlegend=False, margin={"b": 50})


def log_time_figure(evaluation: Evaluation) -> Figure:
    """The log's own mean reward over time."""
    from plotly.graph_objects import Figure, Scatter

    bins, scale = evaluation.over_time, Scale.of(evaluation)
    # A tick format of its own turns a share into percent.
    unit = 1.0 if scale.percent else scale.factor
    most = max(each.rows for each in bins)
    figure = Figure(
        Scatter(
            x=[each.start.strftime("%Y-%m-%d %H:%M") for each in bins],
            y=[unit * each.reward for each in bins],
            customdata=[each.rows for each in bins],
            mode="lines+markers",
            line={"color": BLUE, "width": 1},
            # Few decisions make a small mark: their mean says little.
            marker={"size": [2.0 + 5.0 * (each.rows / most) ** 0.5 for each in bins]},
            hovertemplate="%{x} UTC<br>%{y}<br>%{customdata} decisions<extra></extra>",
        )
    )
    if scale.percent:
        figure.update_yaxes(tickformat=".0%")
    figure.update_xaxes(nticks=7)
    return apply_defaults(figure, 260)


def _bin(lower: float, upper: float) -> str:
    return "0" if upper == 0.0 else _power(lower) if lower else f"<{_power(upper)}"


def _power(weight: float) -> str:
    """A power of two; 1/512 is easier to read than 0.00195312."""
    return f"{weight:g}" if weight >= 1.0 else f"1/{1.0 / weight:g}"
