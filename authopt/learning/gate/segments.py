"""The guardrail by segment: nobody is made worse than a tolerance, all segments judged at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.diagnostics import effective_sample_size
from authopt.evaluation.estimators import SNIPS
from authopt.evaluation.pair_limits import difference_limits
from authopt.evaluation.pairs import FIRST, SECOND
from authopt.evaluation.scores import Range
from authopt.evaluation.segment_summary import segmentation_of
from authopt.learning.gate.along_log import AlongLog
from authopt.learning.gate.gains import Sides
from authopt.learning.gate.pair_segments import PairSegmentSums
from authopt.learning.gate.settings import Gate
from authopt.learning.gate.verdict import GateCheck, Outcome
from authopt.learning.gate.wording import Told

SHOWN = 3
"""Segments that a reason names."""


@dataclass(frozen=True, slots=True)
class SegmentGain:
    """One segment: its share of the decisions, and the gain with limits that hold for all."""

    name: str
    share: float
    value: float | None
    lower: float
    upper: float
    effective: float


def segment_checks(sides: Sides, along: AlongLog, gate: Gate, told: Told) -> Iterator[GateCheck]:
    """One check for every column that segments are formed by."""
    looked_at = sum(len(part.labels) for part in along.segments.values())
    for column in along.columns:
        name, title = (
            f"segment:{column}",
            f"no {column.replace('_id', '').replace('_', ' ')} harmed",
        )
        if column in along.too_many:
            reason = f"{column} has too many values to hold bounds for each; name a coarser column"
            yield GateCheck(name, title, Outcome.UNKNOWN, None, None, None, None, reason)
        elif column in along.segments:
            found = segment_gains(sides, along, gate, column, looked_at)
            yield _check(name, title, found, gate, along, told)


def segment_gains(
    sides: Sides, along: AlongLog, gate: Gate, column: str, looked_at: int
) -> list[SegmentGain]:
    """The gains of one column's segments, largest first.

    Their limits hold for all segments of all columns together, with the gate's confidence
    (Bonferroni), as the evaluation's do.
    """
    payments = sides.evaluation.log.clusters
    first, second, _ = ranges_of(along, payments)
    part = along.segments[column]
    found = segmentation_of(
        part,
        SNIPS,
        first,
        confidence=gate.confidence,
        looked_at=looked_at,
        is_logging_policy=False,
    )
    gains = []
    for segment in found.segments:
        assert segment.gain is not None
        value, limits = segment.gain.value, segment.gain.interval
        lower, upper = limits.lower, limits.upper
        if column in along.pairs:
            value, lower, upper = difference_in(
                along.pairs[column],
                segment.name,
                (first, second),
                sides.evaluation.log.most_attempts,
                found.confidence,
            )
        effective = effective_sample_size(part.table(segment.name))
        share = segment.rows / along.rows
        gains.append(SegmentGain(segment.name, share, value, lower, upper, effective))
    return gains


def ranges_of(along: AlongLog, payments: int) -> tuple[Range, Range, Range]:
    """What is known of the rows of the candidate, the live policy, and without exploration."""
    low, high = along.reward.bounds
    first, second, third = (
        Range(low, high, each.largest_weight, each.most_unsupported, 0.0, 0.0, payments)
        for each in along.extremes
    )
    return first, second, third


def difference_in(
    part: PairSegmentSums,
    label: str,
    ranges: tuple[Range, Range],
    most_attempts: int,
    confidence: float,
) -> tuple[float | None, float, float]:
    """The difference between two policies in one segment: self-normalised, with its limits."""
    table, (first, second) = part.table(label), ranges
    clusters = min(first.clusters, _clusters(table, most_attempts))
    lower, upper = difference_limits(
        table, replace(first, clusters=clusters), replace(second, clusters=clusters), confidence
    )
    weights = [table.total(prefix + "w") for prefix in (FIRST, SECOND)]
    if not all(weights):
        return None, lower, upper
    totals = [table.total(prefix + "wr") for prefix in (FIRST, SECOND)]
    return totals[0] / weights[0] - totals[1] / weights[1], lower, upper


def _clusters(table: BucketTable, most_attempts: int) -> int:
    """At least so many payments: as many as groups were hit, and as the longest could fill."""
    hit = int((table["one"] > 0.0).sum())
    return max(hit, round(table.total("one")) // most_attempts)


def _check(
    name: str,
    title: str,
    segments: list[SegmentGain],
    gate: Gate,
    along: AlongLog,
    told: Told,
) -> GateCheck:
    low, high = along.reward.bounds
    limit = -gate.segment_tolerance * (high - low)
    if gate.segment_rule == "shown-unharmed":
        failed = [each for each in segments if each.lower < limit]
        how = "is not shown to be within the tolerance of"
    else:
        failed = [each for each in segments if each.upper < limit]
        how = "is shown to be worse by more than"
    dark = [each for each in segments if _is_dark(each, gate) and each not in failed]
    worst = min(segments, key=lambda each: each.upper)
    if gate.segment_rule == "shown-unharmed":
        worst = min(segments, key=lambda each: each.lower)
    tolerance = told.reward(-limit)
    reasons = []
    if failed:
        listed = ", ".join(
            f"{each.name} ({told.interval(each.lower, each.upper)})" for each in failed[:SHOWN]
        )
        more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        reasons.append(f"{len(failed)} of {len(segments)} {how} {tolerance}: {listed}{more}")
    if dark:
        listed = ", ".join(
            f"{each.name} ({each.share:.0%} of the decisions, effective sample "
            f"{each.effective:,.0f})"
            for each in dark[:SHOWN]
        )
        reasons.append(f"the log says next to nothing about {listed}")
    if not reasons:
        if gate.segment_rule == "shown-unharmed":
            reasons.append(f"all {len(segments)} are shown to lose no more than {tolerance}")
        else:
            reasons.append(f"none of {len(segments)} is shown to lose more than {tolerance}")
    return GateCheck(
        name,
        title,
        Outcome.FAIL if failed or dark else Outcome.PASS,
        worst.value,
        worst.lower,
        worst.upper,
        limit,
        "; ".join(reasons),
        told.is_money,
        is_open=bool(failed or dark) and all(each.upper >= limit for each in failed),
    )


def _is_dark(segment: SegmentGain, gate: Gate) -> bool:
    return segment.share >= gate.large_segment and segment.effective < gate.least_segment_effective
