"""Charts of how far the answer depends on the estimator, and on how far weights are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.report.labels import label
from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Evaluation, PolicyResult
from authopt.evaluation.sensitivity import Sensitivity
from authopt.look.charts import apply_defaults
from authopt.look.palette import BLUE, GREY, LIGHT_GREY, marker, series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NOT_CUT, MODEL_ALONE = "uncut", "model"


@dataclass(frozen=True, slots=True)
class FamilyOf:
    """A family of estimators under every policy that has it.

    Attributes
    ----------
    estimator, title
        short name and words.
    parameters
        how far weights are cut, in words, from not at all to the most.
    policies
        results and what the family says of them, in the order of the evaluation.
    """

    estimator: str
    title: str
    parameters: tuple[str, ...]
    policies: tuple[tuple[PolicyResult, Sensitivity], ...]

    def chosen(self, policy: PolicyResult, place: int) -> str:
        """By which rule the parameter at this place was chosen for a policy, if by any."""
        each = next(found for owner, found in self.policies if owner is policy)
        parameter = each.points[place].parameter
        rules = (("shown", each.chosen), ("SLOPE", each.slope), ("bounded", each.mse))
        return ", ".join(name for name, value in rules if value == parameter)


def families(evaluation: Evaluation) -> tuple[FamilyOf, ...]:
    """The families of estimators that cut weights."""
    found: dict[str, list[tuple[PolicyResult, Sensitivity]]] = {}
    for policy in evaluation.policies:
        for each in policy.sensitivity:
            found.setdefault(each.estimator, []).append((policy, each))
    return tuple(
        FamilyOf(name, pairs[0][1].title, _parameters(pairs[0][1]), tuple(pairs))
        for name, pairs in found.items()
    )


def estimators_figure(evaluation: Evaluation, policy: PolicyResult) -> Figure:
    """The gain of one policy by every estimator; the covering interval thin, the normal thick."""
    from plotly.graph_objects import Figure, Scatter

    scale = Scale.of(evaluation)
    unit = scale.factor
    figure = Figure()
    for place, gain in enumerate(policy.gains):
        for interval, width, colour in _bars(gain):
            figure.add_trace(
                Scatter(
                    x=[unit * interval.lower, unit * interval.upper],
                    y=[place, place],
                    mode="lines",
                    line={"color": LIGHT_GREY if interval.vetoed else colour, "width": width},
                    hoverinfo="skip",
                )
            )
    for place, gain in enumerate(policy.gains):
        if gain.value is not None:
            quoted = gain.estimator == policy.headline
            figure.add_trace(
                Scatter(
                    x=[unit * gain.value],
                    y=[place],
                    mode="markers",
                    marker={
                        "size": 11 if quoted else 7,
                        "symbol": "diamond" if quoted else "circle",
                        "color": BLUE,
                    },
                    hovertemplate=f"{scale.gain_with_unit(gain.value)}"
                    f"<extra>{gain.estimator}</extra>",
                )
            )
    figure.add_vline(x=0.0, line={"color": GREY, "dash": "dot", "width": 1.5}, layer="below")
    figure.update_yaxes(
        tickvals=list(range(len(policy.gains))),
        ticktext=[gain.estimator for gain in policy.gains],
        range=[len(policy.gains) - 0.5, -0.5],
    )
    figure.update_xaxes(
        range=[unit * limit for limit in _range(evaluation)],
        tickangle=0,
        nticks=6,
    )
    figure = apply_defaults(figure, 56 + 22 * len(policy.gains))
    figure.update_layout(showlegend=False, margin={"l": 4, "r": 8, "t": 4, "b": 36})
    return figure.update_yaxes(showgrid=False)


def family_figure(evaluation: Evaluation, family: FamilyOf) -> Figure:
    """Values by one family as weights are cut further; what the rules chose is marked."""
    from plotly.graph_objects import Figure, Scatter

    scale = Scale.of(evaluation)
    # A tick format of its own turns a share into percent.
    unit = 1.0 if scale.percent else scale.factor
    others = [each for each in evaluation.policies if not each.is_logging_policy]
    own = evaluation.policies[0].value.value
    figure = Figure()
    for policy, each in family.policies:
        number = others.index(policy)
        values = [unit * point.value for point in each.points]
        rules = [family.chosen(policy, place) for place in range(len(each.points))]
        figure.add_trace(
            Scatter(
                x=family.parameters,
                y=values,
                name=label(policy.name),
                mode="lines+markers",
                line={"color": series(number), "width": 2},
                marker={"symbol": marker(number), "size": 6, "color": series(number)},
                hovertemplate="%{y}<extra>" + label(policy.name) + "</extra>",
            )
        )
        for rule, symbol, size in (("shown", "circle-open", 16), ("SLOPE", "square-open", 19)):
            at = [place for place, names in enumerate(rules) if rule in names]
            figure.add_trace(
                Scatter(
                    x=[family.parameters[place] for place in at],
                    y=[values[place] for place in at],
                    mode="markers",
                    marker={
                        "symbol": symbol,
                        "size": size,
                        "color": series(number),
                        "line": {"width": 1.5},
                    },
                    hoverinfo="skip",
                )
            )
    if own is not None:
        figure.add_hline(
            y=unit * own, line={"color": GREY, "dash": "dot", "width": 1.5}, layer="below"
        )
    figure.update_xaxes(type="category", showgrid=False, tickangle=0, tickfont={"size": 11})
    figure.update_yaxes(tickformat="~%" if scale.percent else "", nticks=6)
    figure = apply_defaults(figure, 240)
    return figure.update_layout(showlegend=False, margin={"l": 4, "r": 8, "t": 8, "b": 30})


def _parameters(sensitivity: Sensitivity) -> tuple[str, ...]:
    last = len(sensitivity.points) - 1
    return tuple(
        NOT_CUT
        if place == 0
        else MODEL_ALONE
        if place == last and point.parameter == 0.0
        else _short(point.parameter)
        for place, point in enumerate(sensitivity.points)
    )


def _short(parameter: float) -> str:
    return f"{parameter / 1000:g}k" if parameter >= 1000.0 else f"{parameter:g}"


def _bars(gain: Estimate) -> Iterator[tuple[Interval, float, str]]:
    if gain.interval.guarantee is not Guarantee.ASYMPTOTIC:
        yield gain.interval, 1.5, BLUE
    normal = gain.by("normal")
    if normal is not None:
        yield normal, 5, BLUE


def _range(evaluation: Evaluation) -> tuple[float, float]:
    """What all policies' charts show, so that they can be compared."""
    span = evaluation.log.reward_high - evaluation.log.reward_low
    limits = [0.0]
    for gain in (gain for policy in evaluation.policies for gain in policy.gains):
        limits += [] if gain.value is None else [gain.value]
        for interval, _, _ in _bars(gain):
            # One that says that anything is possible may run out of the chart.
            if not (interval.vetoed and interval.width >= span):
                limits += [interval.lower, interval.upper]
    low, high = min(limits), max(limits)
    room = 0.03 * (high - low) or 1.0
    return low - room, high + room
