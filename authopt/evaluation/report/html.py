"""An evaluation as one HTML file that opens offline.

Everything that the charts show stands in tables too, so the page can be read without JavaScript,
on paper and by a screen reader.
"""

from __future__ import annotations

from pathlib import Path

from authopt import __version__
from authopt.errors import UserError
from authopt.evaluation.diagnostics import LEAST_EFFECTIVE
from authopt.evaluation.report import figures
from authopt.evaluation.report.wording import (
    Scale,
    alarmed,
    command,
    direction,
    log_facts,
    share,
    verdict,
    weight,
)
from authopt.evaluation.result import Evaluation
from authopt.look import charts
from authopt.whole_file import write_whole

TEMPLATE = Path(__file__).with_name("report.html")
STYLE = Path(charts.__file__).with_name("style.css")


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write the report; the file appears whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    data = render(evaluation).encode()
    try:
        write_whole(path, data)
    except OSError as error:
        raise UserError(f"{path}: the report cannot be written ({error.strerror})") from error


def render(evaluation: Evaluation) -> str:
    """The report as text."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"share": share, "weight": weight}
    others = [policy for policy in evaluation.policies if not policy.is_logging_policy]
    drawn = {"values": figures.values_figure(evaluation)}
    if others:
        drawn |= {
            "gains": figures.gains_figure(evaluation),
            "weights": figures.weights_figure(evaluation),
        }
    if evaluation.routes:
        drawn["overlap"] = figures.overlap_figure(evaluation)
    if evaluation.over_time:
        drawn["time"] = figures.time_figure(evaluation)
    sources = {each.estimator: each for policy in evaluation.policies for each in policy.estimates}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        evaluation=evaluation,
        others=others,
        scale=Scale.of(evaluation),
        verdict=verdict(evaluation),
        facts=log_facts(evaluation),
        direction=direction,
        sources=sources.values(),
        figures={
            name: Markup(charts.as_div(figure, f"chart-{name}")) for name, figure in drawn.items()
        },
        script=Markup(charts.script()),
        style=Markup(STYLE.read_text(encoding="utf-8")),
        alarmed=alarmed(evaluation),
        version=__version__,
        command=command(evaluation),
        least_effective=f"{LEAST_EFFECTIVE:.0f}",
        routes_in_chart=len(figures.routes_shown(evaluation)),
        script_megabytes=f"{len(charts.script().encode()) / 1e6:.1f}",
    )
