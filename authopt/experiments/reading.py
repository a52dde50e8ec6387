"""All that an experiment says at a time: values, differences, segments, guardrails, the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from authopt.experiments.by_segment import SegmentDifference
from authopt.experiments.cuped import variance_reduction
from authopt.experiments.difference import ArmValue, Difference, arm_value, differences
from authopt.experiments.guardrails import Guardrail, Judgement, judge, unmeasured
from authopt.experiments.metrics import METRICS
from authopt.experiments.sample_ratio import SampleRatio, sample_ratio
from authopt.experiments.tallies import Tallies
from authopt.experiments.verdict import Verdict, verdict


class MetricReading(msgspec.Struct, frozen=True):
    """A metric in the arms, and of the other arms against the first one."""

    metric: str
    words: str
    values: list[ArmValue]
    differences: list[Difference]


class Reading(msgspec.Struct, frozen=True):
    """An experiment as it stands.

    Attributes
    ----------
    units
        of the arms, in their order.
    values
        of the arms, per payment.
    differences
        of the other arms against the first one: what decides. Adjusted where there are covariates.
    variance_reduction
        by the adjustment; None without one.
    unadjusted
        differences of the values as they are, where there is an adjustment.
    narrower
        by what part the limits of each difference are narrower for it; below 0 if they are wider.
    segments
        differences within segments.
    metrics
        each for its own error: to look at, not to decide by.
    guardrails
        judged.
    unmeasured
        metrics of guardrails that nothing is known of.
    sample_ratio
        of the units.
    verdict
        what to do.
    """

    units: list[int]
    values: list[ArmValue]
    differences: list[Difference]
    variance_reduction: float | None
    unadjusted: list[Difference]
    narrower: list[float | None]
    segments: list[SegmentDifference]
    metrics: list[MetricReading]
    guardrails: list[Judgement]
    unmeasured: list[str]
    sample_ratio: SampleRatio
    verdict: Verdict


def read(
    tallies: Tallies,
    guardrails: Sequence[Guardrail] = (),
    *,
    alpha: float = 0.05,
    worthwhile: float = 0.0,
) -> Reading:
    """Read an experiment, at any time and as often as one likes.

    Parameters
    ----------
    tallies
        all that was counted.
    guardrails
        fixed beforehand.
    alpha
        probability that arms that do not differ are ever told apart; guardrails and segments have
        an error of as much each.
    worthwhile
        see :func:`verdict`.
    """
    deciding, arms = tallies.deciding, tallies.value.arms
    found = differences(deciding, alpha)
    ratio = sample_ratio(tallies.units.tolist(), tallies.value.shares)
    judgements = judge(guardrails, tallies.metrics, alpha)
    segments = tallies.segments.differences(alpha)
    adjusted = tallies.adjusted is not None
    plain = differences(tallies.value, alpha) if adjusted else []
    return Reading(
        units=tallies.units.tolist(),
        values=[arm_value(tallies.value, arm, alpha) for arm in arms],
        differences=found,
        variance_reduction=variance_reduction(deciding) if adjusted else None,
        unadjusted=plain,
        narrower=[narrower(*pair) for pair in zip(found, plain, strict=True)] if adjusted else [],
        segments=segments,
        metrics=[
            MetricReading(
                name,
                METRICS[name].words,
                [arm_value(tally, arm, alpha) for arm in arms],
                differences(tally, alpha),
            )
            for name, tally in tallies.measured().items()
        ],
        guardrails=judgements,
        unmeasured=unmeasured(guardrails, tallies.measured()),
        sample_ratio=ratio,
        verdict=verdict(deciding, found, ratio, judgements, segments, worthwhile=worthwhile),
    )


def narrower(adjusted: Difference, plain: Difference) -> float | None:
    """By what part limits are narrower than others; None where one of the two has none."""
    widths = [
        None if each.lower is None or each.upper is None else each.upper - each.lower
        for each in (adjusted, plain)
    ]
    if widths[0] is None or not widths[1]:
        return None
    return 1.0 - widths[0] / widths[1]
