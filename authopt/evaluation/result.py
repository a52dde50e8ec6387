"""What an evaluation answers: plain frozen data, which tables, reports and JSON are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

LOGGING_POLICY = "logged"
"""Name of the policy that made the log; its result always comes first."""


class Guarantee(StrEnum):
    """How far an interval can be relied on."""

    COVERS = "covers"
    """Holds with few rows and heavy weights; counts what the log cannot know as worst and best."""

    ASYMPTOTIC = "asymptotic"
    """Right in the limit of many rows; too narrow when few rows carry the weight."""


class Level(StrEnum):
    """How much a remark matters."""

    NOTE = "note"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a reader must know before trusting a figure."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval.

    Attributes
    ----------
    method
        ``cressie-read``, ``normal``, ``jackknife`` or ``bootstrap``.
    lower, upper
        the limits, finite.
    confidence
        nominal coverage, such as 0.95.
    guarantee
        whether it covers with few rows, or only in the limit.
    vetoed
        why this interval must not be relied on here, or None.
    """

    method: str
    lower: float
    upper: float
    confidence: float
    guarantee: Guarantee
    vetoed: str | None = None

    @property
    def width(self) -> float:
        """Upper less lower limit."""
        return self.upper - self.lower


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one estimator says of one quantity.

    Attributes
    ----------
    estimator
        short name: ``on-policy``, ``ips``, ``snips``, ``dm``, ``dr``.
    title, source
        name in words, and where the estimator was published.
    value
        the estimate, or None where the log holds nothing to estimate from (no overlap).
    intervals
        the recommended one first.
    note
        what the estimator's intervals do not cover (such as the bias of a reward model), or None.
    """

    estimator: str
    title: str
    source: str
    value: float | None
    intervals: tuple[Interval, ...]
    note: str | None = None

    @property
    def interval(self) -> Interval:
        """The recommended interval."""
        return self.intervals[0]


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


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """One policy: its value, its gain over the logging policy, and how far to trust them.

    Attributes
    ----------
    name, spec
        name for tables, and the text that it was loaded from (the name where there is none).
    is_logging_policy
        whether this is the policy that made the log.
    learns
        whether it learnt from the log while it was judged.
    estimates
        of the value: mean reward per decision.
    gains
        of the value less the logging policy's own, from the same rows (paired); empty for the
        logging policy.
    headline
        short name of the estimator to quote; it is among ``estimates`` and ``gains``.
    diagnostics
        effective sample, weights, support.
    remarks
        on this policy alone.
    """

    name: str
    spec: str
    is_logging_policy: bool
    learns: bool
    estimates: tuple[Estimate, ...]
    gains: tuple[Estimate, ...]
    headline: str
    diagnostics: Diagnostics
    remarks: tuple[Remark, ...]

    @property
    def value(self) -> Estimate:
        """The estimate of the value to quote."""
        return self.estimate(self.headline)

    @property
    def gain(self) -> Estimate | None:
        """The estimate of the gain over the logging policy to quote; None for that policy."""
        return next((gain for gain in self.gains if gain.estimator == self.headline), None)

    def estimate(self, estimator: str) -> Estimate:
        """The estimate of the value by the estimator of this short name.

        Raises
        ------
        KeyError
            If it was not computed.
        """
        for estimate in self.estimates:
            if estimate.estimator == estimator:
                return estimate
        raise KeyError(estimator)


@dataclass(frozen=True, slots=True)
class RouteOverlap:
    """One route: how often it was taken, and how much each policy wants it.

    Attributes
    ----------
    route
        name, or ``stop``.
    eligible
        share of the decisions in which the route was eligible, 0 to 1.
    logged
        share of the decisions in which it was taken.
    logging
        mean probability under the logging policy; None where the log does not say.
    evaluation
        mean probability under each policy, by the policy's name.
    """

    route: str
    eligible: float
    logged: float
    logging: float | None
    evaluation: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TimeBin:
    """A stretch of the log: rows and mean logged reward from ``start`` (UTC) on."""

    start: datetime
    rows: int
    reward: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows of the log that could not be used, and why."""

    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The log that an evaluation rests on.

    Attributes
    ----------
    path
        file, or None where the log was in memory.
    rows
        decisions used.
    clusters, clusters_exact, cluster
        number of clusters (``cluster`` says what they are: ``payment_id``, ...), rows within which
        are not independent; an estimate (to within 1%) where ``clusters_exact`` is false.
    first, last
        times of the first and the last decision used, UTC; None where the log has no rows or
        the times are not known.
    left_out
        rows that were not used, by reason.
    propensity_source
        ``logged``, ``estimated`` or ``unknown``.
    full_probabilities
        whether the log gives the probability of every eligible action, not of the taken alone.
    reward, reward_low, reward_high
        name of the reward and its declared bounds.
    mean_reward
        mean of the logged rewards; None where there are no rows.
    """

    path: str | None
    rows: int
    clusters: int
    clusters_exact: bool
    cluster: str
    first: datetime | None
    last: datetime | None
    left_out: tuple[LeftOut, ...]
    propensity_source: str
    full_probabilities: bool
    reward: str
    reward_low: float
    reward_high: float
    mean_reward: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Policies side by side on one log.

    Attributes
    ----------
    log
        what it rests on.
    confidence
        nominal coverage of every interval.
    bootstrap
        replicates of the bootstrap intervals.
    reward_model
        description of the reward model that DM and DR use, or None.
    policies
        the logging policy first.
    routes
        overlap by route, most taken first; empty where routes are not known.
    over_time
        the log's reward by equal stretches of time; empty where times are not known.
    remarks
        on the log and on the evaluation as a whole.
    """

    log: LogFacts
    confidence: float
    bootstrap: int
    reward_model: str | None
    policies: tuple[PolicyResult, ...]
    routes: tuple[RouteOverlap, ...]
    over_time: tuple[TimeBin, ...]
    remarks: tuple[Remark, ...]

    def policy(self, name: str) -> PolicyResult:
        """The result of the policy of this name.

        Raises
        ------
        KeyError
            If no such policy was evaluated.
        """
        for policy in self.policies:
            if policy.name == name:
                return policy
        raise KeyError(name)

    def as_json(self) -> dict[str, Any]:
        """The whole as JSON-able containers."""
        import msgspec

        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
