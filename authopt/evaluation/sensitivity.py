"""How an answer moves as weights are cut further and further."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.evaluation import intervals
from authopt.evaluation.estimating import Evidence, quantity_of
from authopt.evaluation.estimator import Family
from authopt.evaluation.selection import Choice


@dataclass(frozen=True, slots=True)
class SensitivityPoint:
    """What a family of estimators says with one value of its parameter.

    Attributes
    ----------
    parameter
        how far weights are cut; infinite, or 0, for not at all.
    value
        the estimate.
    lower, upper
        the normal interval of the evaluation's confidence, which does not cover the bias; None
        where there is nothing to tell the error from.
    bias_bound
        upper bound of the size of the bias, with probability 90%.
    """

    parameter: float
    value: float
    lower: float | None
    upper: float | None
    bias_bound: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How an answer moves as weights are cut further and further.

    Attributes
    ----------
    estimator, title
        short name and words of the family.
    chosen
        the parameter with the least estimated mean squared error: the one shown.
    slope, mse
        those that SLOPE chose, and the least squared error with an upper bound of the bias.
    points
        from no cut to the most.
    """

    estimator: str
    title: str
    chosen: float
    slope: float
    mse: float
    points: tuple[SensitivityPoint, ...]


def sensitivity_of(
    family: Family, chosen: Choice, slope: Choice, mse: Choice, evidence: Evidence
) -> Sensitivity:
    """What the members of a family say; each choice is by one of the rules."""
    points = []
    for candidate in slope.candidates:
        quantity = quantity_of(candidate.estimator)
        limits = intervals.normal(evidence.table, quantity, evidence.confidence)
        points.append(
            SensitivityPoint(
                parameter=candidate.estimator.parameter or 0.0,
                value=candidate.value,
                lower=None if limits is None else limits[0],
                upper=None if limits is None else limits[1],
                bias_bound=candidate.bias_bound,
            )
        )
    return Sensitivity(
        estimator=family.name,
        title=family.title,
        chosen=chosen.parameter or 0.0,
        slope=slope.parameter or 0.0,
        mse=mse.parameter or 0.0,
        points=tuple(points),
    )
