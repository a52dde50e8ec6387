"""What an evaluation answers: plain frozen data, which tables, reports and JSON are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authopt.evaluation.bound_sums import PartialValue
from authopt.evaluation.diagnosis import Diagnostics
from authopt.evaluation.over_time import OverTime
from authopt.evaluation.payments.result import PaymentResult
from authopt.evaluation.propensities.verdicts import Check
from authopt.evaluation.quantities import Estimate, Remark
from authopt.evaluation.segment_result import Segmentation, Volume
from authopt.evaluation.sensitivity import Sensitivity

LOGGING_POLICY = "logged"
"""Name of the policy that made the log; its result always comes first."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies on the same rows: the first's value less the second's, paired.

    Attributes
    ----------
    first, second
        names of the policies; neither made the log.
    estimates
        of the difference, by every estimator that both have.
    headline
        short name of the estimator to quote.
    """

    first: str
    second: str
    estimates: tuple[Estimate, ...]
    headline: str

    @property
    def difference(self) -> Estimate:
        """The estimate to quote."""
        return next(each for each in self.estimates if each.estimator == self.headline)


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
    sensitivity
        of the estimators that cut weights; empty for the logging policy.
    segments
        by column, as asked.
    volume
        the gain in money by currency; empty where the reward is not approval or amounts are not
        known, and for the logging policy.
    payments
        payment by payment; None where that was not asked for or the log has no payments.
    over_time
        the value over time; None likewise.
    bounds
        of the value under the stated assumption on delays; None where none was stated.
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
    sensitivity: tuple[Sensitivity, ...] = ()
    segments: tuple[Segmentation, ...] = ()
    volume: tuple[Volume, ...] = ()
    payments: PaymentResult | None = None
    over_time: OverTime | None = None
    bounds: PartialValue | None = None

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
    reward_currency
        that rewards are minor units of; None where they are no money.
    reward_spec
        the text that the reward was made from.
    most_attempts
        largest number of an attempt.
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
    most_attempts: int = 1
    reward_currency: str | None = None
    reward_spec: str = "approved"


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
    comparisons
        of every two policies that did not make the log.
    checks
        of the propensities; empty where they were not checked.
    options
        what was asked, as the options of the command by name, beyond what stands elsewhere.
    """

    log: LogFacts
    confidence: float
    bootstrap: int
    reward_model: str | None
    policies: tuple[PolicyResult, ...]
    routes: tuple[RouteOverlap, ...]
    over_time: tuple[TimeBin, ...]
    remarks: tuple[Remark, ...]
    comparisons: tuple[Comparison, ...] = ()
    checks: tuple[Check, ...] = ()
    options: tuple[str, ...] = ()

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

    def compare(self, first: str, second: str) -> Comparison:
        """The difference between two policies that did not make the log.

        Raises
        ------
        KeyError
            If they were not compared in this order.
        """
        for each in self.comparisons:
            if (each.first, each.second) == (first, second):
                return each
        raise KeyError((first, second))

    def as_json(self) -> dict[str, Any]:
        """The whole as JSON-able containers."""
        import msgspec

        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
