"""What an evaluation answers by segment: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.evaluation.quantities import Estimate


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of the log under one policy.

    Attributes
    ----------
    name
        value of the column.
    rows
        decisions in it.
    logged
        their mean reward under the logging policy.
    value
        the policy's value in it, by the headline estimator.
    gain
        the value less ``logged``, paired; None for the logging policy.
    """

    name: str
    rows: int
    logged: float
    value: Estimate
    gain: Estimate | None


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segments of one column.

    Attributes
    ----------
    column
        what they are by.
    looked_at
        intervals that are read together: segments of all columns, times policies.
    confidence
        of each covering interval, so that all of them hold together with the evaluation's
        confidence (Bonferroni); the asymptotic ones hold each for itself.
    segments
        largest first.
    """

    column: str
    looked_at: int
    confidence: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    """What a gain means in money, for the decisions in one currency.

    Attributes
    ----------
    currency
        ISO 4217 code.
    rows
        decisions in it.
    amount
        sum of their amounts, minor units.
    logged
        sum of the amounts times reward under the logging policy, minor units.
    gain
        the same under the policy less ``logged``, over the whole log, minor units.
    """

    currency: str
    rows: int
    amount: float
    logged: float
    gain: Estimate
