"""The charts of an evaluation report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Estimate, Evaluation, PolicyResult, RouteOverlap
from authopt.look.charts import apply_defaults
from authopt.look.palette import BLUE, GREEN, GREY, LIGHT_GREY, VERMILION, marker, series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LONGEST_NAME = 34
ROUTES_SHOWN = 20


def short(name: str) -> str:
    """A name that fits beside a chart; the tables hold it whole."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def values_figure(evaluation: Evaluation) -> Figure:
    """Values with their covering intervals; the logging policy's as a line."""
    figure = _forest([(each, each.value) for each in evaluation.policies], evaluation)
    own = evaluation.policies[0].value.value
    if own is not None:
        figure.add_vline(
            x=own * (100.0 if Scale.of(evaluation).percent else 1.0),
            line={"color": GREY, "dash": "dot", "width": 1.5},
        )
    return figure


def gains_figure(evaluation: Evaluation) -> Figure:
    """Gains over the logging policy with their covering intervals."""
    pairs = [(each, each.gain) for each in evaluation.policies if each.gain is not None]
    figure = _forest([(each, gain) for each, gain in pairs if gain is not None], evaluation, True)
    figure.add_vline(x=0.0, line={"color": GREY, "dash": "dot", "width": 1.5})
    return figure


def _forest(
    rows: list[tuple[PolicyResult, Estimate]], evaluation: Evaluation, gains: bool = False
) -> Figure:
    from plotly.graph_objects import Figure, Scatter

    percent = Scale.of(evaluation).percent
    unit = 100.0 if percent else 1.0
    figure = Figure()
    for place, (policy, estimate) in enumerate(rows):
        interval = estimate.interval
        middle = (interval.lower + interval.upper) / 2
        value = middle if estimate.value is None else estimate.value
        colour = GREY if policy.is_logging_policy else BLUE
        if gains and interval.lower > 0.0:
            colour = GREEN
        elif gains and interval.upper < 0.0:
            colour = VERMILION
        figure.add_trace(
            Scatter(
                x=[unit * value],
                y=[place],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [unit * max(interval.upper - value, 0.0)],
                    "arrayminus": [unit * max(value - interval.lower, 0.0)],
                    "thickness": 2.5,
                    "width": 5,
                },
                mode="markers",
                # Hollow where there is an interval but no estimate.
                marker={
                    "size": 10,
                    "color": colour,
                    "symbol": "circle-open" if estimate.value is None else "circle",
                },
                showlegend=False,
                name=short(policy.name),
                hovertemplate="%{x}<extra>" + _escaped(short(policy.name)) + "</extra>",
            )
        )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[_escaped(short(policy.name)) for policy, _ in rows],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    if percent:
        # A difference of percentages is in percentage points, which are not percent.
        figure.update_xaxes(ticksuffix=" pp" if gains else "%", tickformat="+" if gains else "")
    return apply_defaults(figure, 90 + 42 * len(rows))


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
    names = [_escaped(short(each.route)) for each in routes]
    figure = Figure()
    logged = [each.logged for each in routes]
    figure.add_trace(Bar(x=names, y=logged, name="taken in the log", marker={"color": GREY}))
    if all(each.logging is not None for each in routes):
        given = [each.logging for each in routes]
        label = "logging probability"
        figure.add_trace(Bar(x=names, y=given, name=label, marker={"color": LIGHT_GREY}))
    others = [each for each in evaluation.policies if not each.is_logging_policy]
    for place, policy in enumerate(others):
        wanted = [each.evaluation.get(policy.name, 0.0) for each in routes]
        label = _escaped(short(policy.name))
        figure.add_trace(Bar(x=names, y=wanted, name=label, marker={"color": series(place)}))
    figure.add_trace(
        Scatter(
            x=names,
            y=[each.eligible for each in routes],
            name="eligible",
            mode="markers",
            marker={"symbol": "line-ew-open", "size": 22, "color": GREY, "line": {"width": 2}},
        )
    )
    figure.update_layout(barmode="group")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(type="category", showgrid=False)
    return apply_defaults(figure, 340)


def weights_figure(evaluation: Evaluation) -> Figure:
    """Share of the decisions by importance weight, in powers of two."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    edges: dict[str, float] = {}
    others = [each for each in evaluation.policies if not each.is_logging_policy]
    for policy in others:
        edges |= {_bin(each.lower, each.upper): each.lower for each in policy.diagnostics.weights}
    order = sorted(edges, key=lambda label: (edges[label], label != "0"))
    for place, policy in enumerate(others):
        rows = {_bin(each.lower, each.upper): each.rows for each in policy.diagnostics.weights}
        shares = [rows.get(label, 0) / evaluation.log.rows for label in order]
        figure.add_trace(
            Scatter(
                x=order,
                y=shares,
                mode="lines+markers",
                line={"color": series(place), "shape": "hvh"},
                marker={"symbol": marker(place), "size": 8},
                name=_escaped(short(policy.name)),
            )
        )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(type="category", title="importance weight, from")
    return apply_defaults(figure, 320)


def time_figure(evaluation: Evaluation) -> Figure:
    """The log's own mean reward over time."""
    from plotly.graph_objects import Figure, Scatter

    bins = evaluation.over_time
    figure = Figure(
        Scatter(
            x=[each.start.strftime("%Y-%m-%d %H:%M") for each in bins],
            y=[each.reward for each in bins],
            customdata=[each.rows for each in bins],
            mode="lines+markers",
            line={"color": BLUE, "width": 1.5},
            marker={"size": 4},
            hovertemplate="%{x} UTC<br>%{y}<br>%{customdata} decisions<extra></extra>",
        )
    )
    if Scale.of(evaluation).percent:
        figure.update_yaxes(tickformat=".0%")
    return apply_defaults(figure, 260)


def _bin(lower: float, upper: float) -> str:
    return "0" if upper == 0.0 else f"{lower:g}" if lower else f"below {upper:g}"


def _escaped(text: str) -> str:
    # Plotly reads a few HTML tags in its labels.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
