"""The report on estimated propensities as one HTML file that opens offline.

Everything that the charts show stands in tables too, so the page can be read without JavaScript,
on paper and by a screen reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from authopt import __version__
from authopt.errors import UserError
from authopt.logs.propensity_report import ActionSupport, PropensityReport, ReliabilityBin
from authopt.look import charts
from authopt.look.palette import BLUE, GREY
from authopt.whole_file import write_whole

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

TEMPLATE = Path(__file__).with_name("propensity_page.html")
STYLE = Path(charts.__file__).with_name("style.css")

DRAWN = 12
"""Actions that have a plot of their own: those that were offered most."""

_COLUMNS = 3
_ROW_HEIGHT = 260


def write_page(report: PropensityReport, poor: tuple[str, ...], log: str, path: Path) -> None:
    """Write the page; the file appears whole or not at all.

    Parameters
    ----------
    report
        what was estimated, and how far it can be trusted.
    poor
        where it falls short, in sentences.
    log
        what to call the log.
    path
        of the page.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    data = render(report, poor, log).encode()
    try:
        write_whole(path, data)
    except OSError as error:
        raise UserError(f"{path}: the report cannot be written ({error.strerror})") from error


def render(report: PropensityReport, poor: tuple[str, ...], log: str) -> str:
    """The page as text."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    drawn = {
        "overall": overall_figure(report.reliability),
        "actions": actions_figure(actions_drawn(report)),
    }
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        report=report,
        poor=poor,
        log=log,
        drawn=len(actions_drawn(report)),
        figures={
            name: Markup(charts.as_div(figure, f"chart-{name}")) for name, figure in drawn.items()
        },
        script=Markup(charts.script()),
        style=Markup(STYLE.read_text(encoding="utf-8")),
        version=__version__,
    )


def actions_drawn(report: PropensityReport) -> tuple[ActionSupport, ...]:
    """The actions that have a plot of their own, most offered first."""
    offered = [action for action in report.actions if action.reliability]
    return tuple(sorted(offered, key=lambda action: -action.offered)[:DRAWN])


def overall_figure(reliability: tuple[ReliabilityBin, ...]) -> Figure:
    """Observed shares against predicted probabilities, over all actions."""
    from plotly.graph_objects import Figure

    figure = Figure([_diagonal(), _points(reliability)])
    figure.update_xaxes(title="predicted probability", range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(title="share taken", range=[-0.02, 1.02], tickformat=".0%")
    return charts.apply_defaults(figure, height=420).update_layout(showlegend=False)


def actions_figure(actions: tuple[ActionSupport, ...]) -> Figure:
    """The same, action by action."""
    from plotly.subplots import make_subplots

    rows = max(1, -(-len(actions) // _COLUMNS))
    figure = make_subplots(
        rows=rows,
        cols=_COLUMNS,
        subplot_titles=[action.action for action in actions],
        horizontal_spacing=0.08,
        vertical_spacing=min(0.16, 0.4 / rows),
    )
    for place, action in enumerate(actions):
        row, column = place // _COLUMNS + 1, place % _COLUMNS + 1
        figure.add_traces([_diagonal(), _points(action.reliability)], rows=row, cols=column)
        # Both axes over the same stretch, so that the diagonal is one; each action over its own.
        span = _span(action.reliability)
        figure.update_xaxes(range=span, row=row, col=column)
        figure.update_yaxes(range=span, row=row, col=column)
    charts.apply_defaults(figure, height=80 + _ROW_HEIGHT * rows)
    figure.update_xaxes(tickformat=".3~p", nticks=5)
    figure.update_yaxes(tickformat=".3~p", nticks=5)
    return figure.update_layout(showlegend=False, margin={"t": 40})


def _span(reliability: tuple[ReliabilityBin, ...]) -> list[float]:
    low = min(min(each.lower, each.predicted) for each in reliability)
    high = max(max(each.upper, each.predicted) for each in reliability)
    more = 0.05 * (high - low) + 0.002
    return [low - more, high + more]


def _diagonal() -> Scatter:
    from plotly.graph_objects import Scatter

    line = {"color": GREY, "dash": "dot", "width": 1.5}
    return Scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip")


def _points(reliability: tuple[ReliabilityBin, ...]) -> Scatter:
    from plotly.graph_objects import Scatter

    return Scatter(
        x=[each.predicted for each in reliability],
        y=[each.observed for each in reliability],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [max(each.upper - each.observed, 0.0) for each in reliability],
            "arrayminus": [max(each.observed - each.lower, 0.0) for each in reliability],
            "thickness": 2,
            "width": 4,
        },
        mode="markers",
        marker={"size": 8, "color": BLUE},
        customdata=[[each.count, each.lower, each.upper] for each in reliability],
        hovertemplate="predicted %{x:.3f}<br>taken %{y:.3f} (%{customdata[1]:.3f} to "
        "%{customdata[2]:.3f})<br>%{customdata[0]:,} decisions<extra></extra>",
    )
