"""An evaluation as one HTML file that opens offline.

Everything that the charts show stands in tables too, so the page can be read without JavaScript,
on paper and by a screen reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from authopt import __version__
from authopt.errors import UserError
from authopt.evaluation.diagnostics import LEAST_EFFECTIVE
from authopt.evaluation.propensities.verdicts import FALSE_ALARM
from authopt.evaluation.quantities import Estimate
from authopt.evaluation.report.again import command
from authopt.evaluation.report.doubts import alarmed, doubts
from authopt.evaluation.report.drawn import drawn
from authopt.evaluation.report.figures_forest import comparisons_shown
from authopt.evaluation.report.figures_log import routes_shown
from authopt.evaluation.report.figures_sensitivity import families
from authopt.evaluation.report.money import money, money_interval, unit_of
from authopt.evaluation.report.payment_measures import measures, with_payments
from authopt.evaluation.report.segment_heat import heat_of
from authopt.evaluation.report.verdict import headlines, verdict
from authopt.evaluation.report.wording import (
    Scale,
    direction,
    holds,
    log_facts,
    p_value,
    share,
    weight,
)
from authopt.evaluation.result import Evaluation, PolicyResult
from authopt.evaluation.segment_result import Volume
from authopt.look import charts
from authopt.look.palette import marker_path, series
from authopt.whole_file import write_whole

TEMPLATES = Path(__file__).parent
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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": share, "weight": weight, "p_value": p_value}
    environment.globals |= {
        "direction": direction,
        "holds": holds,
        "money": money,
        "money_interval": money_interval,
        "unit_of": unit_of,
    }
    figures = {
        name: Markup(charts.as_div(figure, f"chart-{name}"))
        for name, figure in drawn(evaluation).items()
    }
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        figures=figures,
        script=Markup(charts.script()),
        script_megabytes=f"{len(charts.script().encode()) / 1e6:.1f}",
        style=Markup(STYLE.read_text(encoding="utf-8")),
        version=__version__,
        **_answer(evaluation),
        **_parts(evaluation),
    )


def _answer(evaluation: Evaluation) -> dict[str, Any]:
    """What the top of the page says, and what every part of it needs."""
    others = [policy for policy in evaluation.policies if not policy.is_logging_policy]
    return {
        "others": others,
        "key": [
            (policy.name, series(number), marker_path(number))
            for number, policy in enumerate(others)
        ],
        "scale": Scale.of(evaluation),
        "full_scale": Scale.in_full(evaluation),
        "level": f"{100 * evaluation.confidence:g}%",
        "facts": log_facts(evaluation),
        "verdict": verdict(evaluation),
        "headlines": headlines(evaluation),
        "alarmed": alarmed(evaluation),
        "doubts": doubts(evaluation),
        "command": command(evaluation),
        "sections": _sections(evaluation),
    }


def _parts(evaluation: Evaluation) -> dict[str, Any]:
    """What the parts of the page are made from."""
    others = [policy for policy in evaluation.policies if not policy.is_logging_policy]
    estimates = [
        each
        for policy in evaluation.policies
        for each in (*policy.estimates, *_of_payments(policy))
    ]
    titles = {gain.estimator: gain.title for policy in others for gain in policy.gains}
    # A member's own title tells how far it cuts weights, and that differs between policies.
    titles |= {family.estimator: family.title for family in families(evaluation)}
    return {
        "volumes": _volumes(others),
        "payments": with_payments(evaluation),
        "measures": measures(evaluation),
        "bounds": [(each, each.bounds) for each in others if each.bounds is not None],
        "false_alarm": f"{FALSE_ALARM:.0%}",
        "least_effective": f"{LEAST_EFFECTIVE:.0f}",
        "routes_in_chart": len(routes_shown(evaluation)),
        "pairs_in_chart": len(comparisons_shown(evaluation)),
        "families": families(evaluation),
        "estimators_of_gains": list(titles.items()),
        "heat": heat_of(evaluation),
        "drifting": [(each, each.over_time) for each in others if each.over_time is not None],
        "sources": list({(each.estimator, each.source): each for each in estimates}.values()),
    }


def _of_payments(policy: PolicyResult) -> list[Estimate]:
    payments = policy.payments
    return [] if payments is None else [each for m in payments.measures for each in m.estimates]


def _sections(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Anchors and names of the sections that the page has."""
    others = [policy for policy in evaluation.policies if not policy.is_logging_policy]
    timed = evaluation.over_time or any(each.over_time is not None for each in others)
    every = [
        ("values", "values and gains", True),
        ("payments", "per payment", bool(with_payments(evaluation))),
        ("doubts", "what can go wrong", True),
        ("sensitivity", "sensitivity", bool(others)),
        ("segments", "segments", heat_of(evaluation) is not None),
        ("time", "over time", bool(timed)),
        ("estimators", "all estimators", True),
        ("reading", "how to read this", True),
        ("sources", "sources", True),
    ]
    return [(at, name) for at, name, there in every if there]


def _volumes(others: list[PolicyResult]) -> list[list[Volume]]:
    """By currency: the volume under every policy that did not make the log."""
    by_currency: dict[str, list[Volume]] = {}
    for policy in others:
        for volume in policy.volume:
            by_currency.setdefault(volume.currency, []).append(volume)
    return list(by_currency.values())
