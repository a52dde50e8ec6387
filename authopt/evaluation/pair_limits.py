"""The covering interval of the difference between two policies that did not make the log."""

from __future__ import annotations

from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.covering import within
from authopt.evaluation.intervals import (
    Limits,
    cressie_read_lower,
    critical_value,
    design_effect,
)
from authopt.evaluation.pairs import FIRST, SECOND
from authopt.evaluation.scores import Combination, Range, moments_of


def difference_limits(joint: BucketTable, first: Range, second: Range, confidence: float) -> Limits:
    """Limits of the first policy's value less the second's, from their joint table.

    As for a single policy (:mod:`authopt.evaluation.covering`), with d = (w_a - w_b) (r - low) as
    the score. What a row can take from d is bounded by the second policy's weight, what it can
    add by the first's: so the lower limit rests on the mean of the second policy's weights being
    1, the upper one on the first's, and masses without support count against each limit.

    Parameters
    ----------
    joint
        what :meth:`authopt.evaluation.pairs.PairSums.joint` gives.
    first, second
        what is known of each policy's rows; the bounds of the reward are the same.
    confidence
        nominal coverage of both limits together.
    """
    span = first.span
    if first.clusters < 2:
        return -span, span
    few = (first.clusters + 1) / (first.clusters - 1)
    critical = few * critical_value(confidence, first.clusters - 1)
    lower = _lower(joint, second, SECOND, {"d": 1.0, SECOND + "unsupported": -span}, critical)
    upper = _lower(joint, first, FIRST, {"d": -1.0, FIRST + "unsupported": -span}, critical)
    limits = (-span if lower is None else lower, span if upper is None else -upper)
    return within(limits, -span, span, first, confidence)


def _lower(
    joint: BucketTable, known: Range, prefix: str, score: Combination, critical: float
) -> float | None:
    weight = prefix + "coverage"
    data, by_bucket = moments_of(joint, weight, score)
    effect = design_effect(data, joint[weight], by_bucket, joint["one"])
    return cressie_read_lower(
        data,
        0.0,
        known.largest_coverage,
        lambda coverage: -coverage * known.span,
        critical * effect,
    )
