"""A replay as one HTML file that opens offline; what the charts show stands in tables too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from authopt import __version__
from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.look import charts
from authopt.look.palette import BLUE, GREY, ORANGE
from authopt.whole_file import write_whole
from simulator.replay.answering import Source
from simulator.replay.figures import Figures
from simulator.replay.over_time import LatencyOverTime, OverTime, latency_over_time, over_time
from simulator.replay.replayed import Replayed
from simulator.replay.summary import remarks

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPLATE = Path(__file__).with_name("page.html")
STYLE = Path(charts.__file__).with_name("style.css")

ROUTES_DRAWN = 12


def write_page(replayed: Replayed, figures: Figures, log: str, path: Path) -> None:
    """Write the page; the file appears whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    data = render(replayed, figures, log).encode()
    try:
        write_whole(path, data)
    except OSError as error:
        raise UserError(f"{path}: the page cannot be written ({error.strerror})") from error


def render(replayed: Replayed, figures: Figures, log: str) -> str:
    """The page as text."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": _percent, "points": _points, "when": _when}
    found = over_time(replayed)
    drawn = {"approved": approved_figure(found)}
    for place, route in enumerate(found.routes[:ROUTES_DRAWN]):
        drawn[f"route-{place}"] = route_figure(found, place, route)
    latency = None
    if replayed.traffic is not None and len(replayed.traffic.at_s):
        latency = latency_over_time(replayed.traffic.at_s, replayed.traffic.latency_s)
        drawn["latency"] = latency_figure(latency)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        figures=figures,
        log=log,
        remarks=list(remarks(figures, log)),
        meanings={source.name.lower(): source.meaning for source in Source},
        found=found,
        latency=latency,
        drawn=min(len(found.routes), ROUTES_DRAWN),
        charts={
            name: Markup(charts.as_div(figure, f"chart-{name}")) for name, figure in drawn.items()
        },
        colours={"replay": BLUE, "log": GREY, "p99": ORANGE},
        script=Markup(charts.script()),
        style=Markup(STYLE.read_text(encoding="utf-8")),
        version=__version__,
    )


def approved_figure(found: OverTime) -> Figure:
    """Share approved over time, of the log and of the replay."""
    figure = _lines(found, found.log.approved, found.replay.approved)
    return charts.apply_defaults(figure, 300).update_layout(showlegend=False)


def route_figure(found: OverTime, place: int, route: str) -> Figure:
    """Share of the decisions that took a route, over time."""
    figure = _lines(found, found.log.routes[:, place], found.replay.routes[:, place])
    figure = charts.apply_defaults(figure, 170)
    figure.update_yaxes(rangemode="tozero", nticks=4)
    figure.update_xaxes(nticks=3)
    return figure.update_layout(showlegend=False, margin={"l": 4, "r": 8, "t": 8, "b": 30})


def latency_figure(latency: LatencyOverTime) -> Figure:
    """Median and 99th percentile of the time to an answer."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure(
        [
            Scatter(
                x=latency.middle_s.round(3).tolist(),
                y=_plain(values),
                name=name,
                mode="lines",
                line={"color": colour, "width": 2, "dash": dash},
                hovertemplate="%{x:.1f} s<br>" + name + " %{y:.1f} ms<extra></extra>",
            )
            for values, name, colour, dash in (
                (latency.p50, "median", BLUE, "solid"),
                (latency.p99, "99th percentile", ORANGE, "dash"),
            )
        ]
    )
    figure.update_xaxes(title="seconds since the start")
    figure.update_yaxes(ticksuffix=" ms", rangemode="tozero")
    return charts.apply_defaults(figure, 260).update_layout(showlegend=False)


def _lines(found: OverTime, log: FloatArray, replay: FloatArray) -> Figure:
    from plotly.graph_objects import Figure, Scatter

    times = [_when(time) for time in found.middle]
    figure = Figure(
        [
            Scatter(
                x=times,
                y=_plain(values),
                mode="lines",
                line={"color": colour, "width": 2, "dash": dash},
                hovertemplate="%{x} UTC<br>" + name + " %{y:.1%}<extra></extra>",
            )
            for values, name, colour, dash in (
                (log, "log", GREY, "dot"),
                (replay, "replay", BLUE, "solid"),
            )
        ]
    )
    figure.update_yaxes(tickformat=".0%")
    return figure


def _plain(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _percent(share: float | None) -> str:
    return "-" if share is None or np.isnan(share) else f"{share:.1%}"


def _points(gain: float) -> str:
    return f"{100 * gain:+.2f} pp"


def _when(time: np.datetime64) -> str:
    return str(time.astype("M8[m]")).replace("T", " ")
