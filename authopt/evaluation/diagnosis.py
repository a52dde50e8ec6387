"""How well a log can answer for a policy: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeanWeight:
    """The mean importance weight, which is 1 if the propensities are right and support is full.

    ``expected`` is 1 less the evaluation mass without support. ``covered`` says whether the
    interval holds it; None where there are too few buckets to tell.
    """

    value: float
    lower: float
    upper: float
    expected: float
    covered: bool | None


@dataclass(frozen=True, slots=True)
class WeightBin:
    """Rows whose weight is in [lower, upper); the first bin is the weight 0 alone."""

    lower: float
    upper: float
    rows: int


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How well the log can answer for this policy.

    Attributes
    ----------
    effective_sample_size
        (sum of w)^2 / sum of w^2 (Kish 1965), in rows.
    effective_share
        the same as a share of the rows, 0 to 1.
    largest_weight_seen
        over the logged actions.
    largest_weight_possible, largest_weight_source
        the weight that the covering intervals reckon with, and where it is from: ``declared`` by
        the user, ``computed`` over all eligible actions, or ``unbounded`` (the log does not give
        the probabilities of the actions that it did not take; the weight is then None, and the
        intervals allow for any).
    mean_weight
        with its interval.
    unsupported_mass
        share of the evaluation policy's probability on actions that the logging policy never
        takes (probability 0), 0 to 1; None where the log does not say.
    thin_mass, thin_below
        share of its probability on actions which the logging policy takes with a probability
        above 0 but below ``thin_below``; None where the log does not say.
    weights
        histogram in powers of two, for a plot.
    """

    effective_sample_size: float
    effective_share: float
    largest_weight_seen: float
    largest_weight_possible: float | None
    largest_weight_source: str
    mean_weight: MeanWeight
    unsupported_mass: float | None
    thin_mass: float | None
    thin_below: float
    weights: tuple[WeightBin, ...]
