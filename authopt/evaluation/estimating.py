"""An estimate with all its intervals, from the sums of a policy, a segment or a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation import diagnostics, intervals
from authopt.evaluation.bca import bca
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.covering import gain_limits, value_limits
from authopt.evaluation.estimator import Estimator
from authopt.evaluation.intervals import Limits, Quantity, Ratio
from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.scores import Range

ByScore = Mapping[str | None, Sequence[Interval]]
"""Intervals by the name of the column whose mean is the quantity."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evidence:
    """What an estimate is made from.

    Attributes
    ----------
    table
        bucket sums.
    known
        what is known beforehand of the rows.
    effective
        effective sample size, rows.
    unsupported
        share of the evaluation policy's probability without support, as far as the log says.
    replicates
        float64[replicates, columns] of the table's column sums; None for no bootstrap.
    confidence
        nominal coverage of the asymptotic intervals.
    covering
        that of the covering ones; it is higher where many are read together.
    value_intervals, gain_intervals
        further intervals of the value and of the gain, by the column that they are made from.
    """

    table: BucketTable
    known: Range
    effective: float
    unsupported: float
    replicates: FloatArray | None
    confidence: float
    covering: float
    value_intervals: ByScore = field(default_factory=dict)
    gain_intervals: ByScore = field(default_factory=dict)


def value_of(estimator: Estimator, evidence: Evidence) -> Estimate:
    """The value by one estimator."""
    known = evidence.known
    limits = None
    if estimator.score is not None:
        limits = value_limits(evidence.table, estimator.score, known, evidence.covering)
    bounds = (known.reward_low, known.reward_high)
    more = evidence.value_intervals.get(estimator.score, ())
    return estimate_of(estimator, quantity_of(estimator), limits, bounds, evidence, more)


def gain_of(estimator: Estimator, evidence: Evidence) -> Estimate:
    """The value less the mean logged reward by one estimator, paired."""
    known = evidence.known
    limits = None
    if estimator.score is not None:
        limits = gain_limits(evidence.table, estimator.score, known, evidence.covering)
    quantity = [*quantity_of(estimator), Ratio("r", "one", -1.0)]
    more = evidence.gain_intervals.get(estimator.score, ())
    return estimate_of(estimator, quantity, limits, (-known.span, known.span), evidence, more)


def quantity_of(estimator: Estimator) -> Quantity:
    """What an estimator divides by what."""
    return [Ratio(numerator, denominator) for numerator, denominator in estimator.ratios]


def estimate_of(
    estimator: Estimator,
    quantity: Quantity,
    covering: Limits | None,
    bounds: Limits,
    evidence: Evidence,
    more: Sequence[Interval] = (),
) -> Estimate:
    """A quantity with its intervals.

    Parameters
    ----------
    estimator
        gives names and notes.
    quantity
        what is estimated.
    covering
        limits of the covering interval, or None where there is none.
    bounds
        smallest and largest value that is possible at all.
    evidence
        the sums.
    more
        further intervals, in order.
    """
    value = intervals.estimate(evidence.table, quantity)
    found = []
    if covering is not None:
        level = evidence.covering
        found.append(Interval("cressie-read", *covering, level, Guarantee.COVERS))
    found = [_holding(each, value, bounds) for each in (*found, *more)]
    found += _asymptotic(estimator, quantity, bounds, evidence)
    return Estimate(
        estimator=estimator.name,
        title=estimator.title,
        source=estimator.source,
        value=value,
        intervals=tuple(found),
        note=estimator.note,
        parameter=estimator.parameter,
    )


def _asymptotic(
    estimator: Estimator, quantity: Quantity, bounds: Limits, evidence: Evidence
) -> list[Interval]:
    table, confidence = evidence.table, evidence.confidence
    computed: dict[str, Limits | None] = {
        "normal": intervals.normal(table, quantity, confidence),
        "jackknife": intervals.jackknife(table, quantity, confidence),
    }
    if evidence.replicates is not None:
        drawn = evidence.replicates
        computed["bootstrap"] = intervals.bootstrap(table.columns, drawn, quantity, confidence)
        computed["bca"] = bca(table, drawn, quantity, confidence)
    # A few clusters are few observations, however many rows they have.
    filled = float(np.count_nonzero(table["one"]))
    effective = min(evidence.effective if estimator.weighted else table.total("one"), filled)
    veto = diagnostics.veto_of(effective, evidence.unsupported)
    if veto is None and estimator.biased:
        veto = estimator.note or "it does not cover the bias of the estimator"
    found = []
    for method, limits in computed.items():
        if limits is None:
            why = "the buckets do not vary: there is nothing to tell the error from"
            found.append(Interval(method, *bounds, confidence, Guarantee.ASYMPTOTIC, why))
        else:
            found.append(Interval(method, *limits, confidence, Guarantee.ASYMPTOTIC, veto))
    return found


def _holding(interval: Interval, value: float | None, bounds: Limits) -> Interval:
    # Its centre need not be the estimate: it is widened, never narrowed, to hold it.
    if value is None:
        return interval
    possible = min(max(value, bounds[0]), bounds[1])
    return replace(
        interval, lower=min(interval.lower, possible), upper=max(interval.upper, possible)
    )
