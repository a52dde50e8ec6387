"""From sums by segment to answers: values and gains that may be read side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.diagnostics import effective_sample_size
from authopt.evaluation.estimating import Evidence, gain_of, value_of
from authopt.evaluation.estimator import Estimator
from authopt.evaluation.quantities import Estimate, Interval
from authopt.evaluation.scores import Range
from authopt.evaluation.segment_result import Segment, Segmentation, Volume
from authopt.evaluation.segments import GROUPS, SegmentSums


def segmentation_of(
    sums: SegmentSums,
    estimator: Estimator,
    known: Range,
    *,
    confidence: float,
    looked_at: int,
    is_logging_policy: bool,
) -> Segmentation:
    """The segments of one column under one policy.

    With K intervals read together, each covering interval gets the confidence 1 - (1 - c) / K, so
    that all of them hold at once with confidence c (Bonferroni; Dunn, JASA 56, 1961). A segment
    that stands out then does so however many were looked at.

    Parameters
    ----------
    sums
        of the column.
    estimator
        the one to quote.
    known
        what is known of the policy's rows.
    confidence
        c.
    looked_at
        K.
    is_logging_policy
        whether there is no gain to speak of.
    """
    covering = 1.0 - (1.0 - confidence) / max(looked_at, 1)
    segments = []
    for label in sums.labels:
        evidence = _evidence(sums.table(label), known, confidence, covering)
        rows = evidence.table.total("one")
        segments.append(
            Segment(
                name=label,
                rows=round(rows),
                logged=evidence.table.total("r") / rows,
                value=value_of(estimator, evidence),
                gain=None if is_logging_policy else gain_of(estimator, evidence),
            )
        )
    segments.sort(key=lambda segment: (-segment.rows, segment.name))
    return Segmentation(sums.column, looked_at, covering, tuple(segments))


def volume_of(
    sums: SegmentSums, estimator: Estimator, known: Range, confidence: float
) -> tuple[Volume, ...]:
    """The gain in money by currency, from sums in which rewards are multiplied by the amount.

    The reward of a row is between 0 and the largest amount, and the model's predictions move with
    it; the limits of the mean per decision are multiplied by the number of decisions.
    """
    found = []
    amounts = zip(sums.labels, sums.amount.tolist(), sums.largest_amount.tolist(), strict=True)
    for label, amount, largest in amounts:
        table = sums.table(label)
        rows = table.total("one")
        scaled = replace(
            known,
            reward_low=min(0.0, known.reward_low * largest),
            reward_high=max(known.reward_high * largest, np.finfo(np.float64).tiny),
            q_low=min(0.0, known.q_low * largest),
            q_high=known.q_high * largest,
        )
        gain = gain_of(estimator, _evidence(table, scaled, confidence, confidence))
        found.append(
            Volume(
                currency=label,
                rows=round(rows),
                amount=amount,
                logged=table.total("r"),
                gain=_times(gain, rows),
            )
        )
    return tuple(sorted(found, key=lambda volume: -volume.rows))


def _evidence(table: BucketTable, known: Range, confidence: float, covering: float) -> Evidence:
    rows = table.total("one")
    return Evidence(
        table=table,
        known=replace(known, clusters=min(known.clusters, _clusters(table))),
        effective=effective_sample_size(table),
        unsupported=table.total("unsupported") / rows,
        replicates=None,
        confidence=confidence,
        covering=covering,
    )


def _clusters(table: BucketTable) -> int:
    """About how many clusters a segment has, from how many buckets they fell into.

    Linear counting (Whang, Vander-Zanden & Taylor, 'A Linear-Time Probabilistic Counting Algorithm
    for Database Applications', 1990); never more than there are rows.
    """
    rows, filled = round(table.total("one")), int((table["one"] > 0.0).sum())
    if filled == GROUPS:
        return max(rows // 2, GROUPS) if rows >= GROUPS else rows
    return min(rows, round(-GROUPS * float(np.log1p(-filled / GROUPS))))


def _times(estimate: Estimate, rows: float) -> Estimate:
    def scaled(interval: Interval) -> Interval:
        return replace(interval, lower=interval.lower * rows, upper=interval.upper * rows)

    return replace(
        estimate,
        value=None if estimate.value is None else estimate.value * rows,
        intervals=tuple(scaled(each) for each in estimate.intervals),
    )
