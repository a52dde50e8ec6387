"""From sums to answers: estimates, intervals and diagnostics of every policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from authopt.batch import FloatArray, utc_datetime
from authopt.errors import UserError
from authopt.evaluation import diagnostics, intervals
from authopt.evaluation.covering import Range, gain_limits, value_limits
from authopt.evaluation.estimators import (
    ESTIMATORS,
    LOGGING_ESTIMATORS,
    Estimator,
    headline,
)
from authopt.evaluation.intervals import Limits, Quantity, Ratio
from authopt.evaluation.result import (
    Diagnostics,
    Estimate,
    Evaluation,
    Guarantee,
    Interval,
    LeftOut,
    LogFacts,
    PolicyResult,
    RouteOverlap,
    TimeBin,
)
from authopt.evaluation.sums import LogSums, PolicySums

MOST_TIME_BINS = 120
BIN_HOURS = (1, 6, 24, 7 * 24, 30 * 24, 91 * 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was asked.

    Attributes
    ----------
    reward, reward_low, reward_high
        name and bounds of the reward.
    cluster
        name of the column whose values are the clusters.
    confidence
        nominal coverage of the intervals, in (0, 1).
    bootstrap
        number of bootstrap replicates; 0 for none.
    max_weight
        largest possible weight as the user declares it, or None.
    seed
        of the bootstrap.
    propensity_source
        where the log's propensities are from.
    path
        file of the log, or None.
    reward_model
        description of the reward model, or None where there is none.
    """

    reward: str = "reward"
    reward_low: float = 0.0
    reward_high: float = 1.0
    cluster: str = "payment_id"
    confidence: float = 0.95
    bootstrap: int = 1000
    max_weight: float | None = None
    seed: int = 0
    propensity_source: str = "logged"
    path: Path | None = None
    reward_model: str | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.confidence < 1.0:
            raise UserError(f"confidence is {self.confidence}; expected above 0 and below 1")
        if self.bootstrap < 0:
            raise UserError(f"bootstrap replicates are {self.bootstrap}; expected 0 or more")
        if not -np.inf < self.reward_low < self.reward_high < np.inf:
            raise UserError(
                f"the reward's bounds are {self.reward_low} and {self.reward_high}; expected two "
                "finite numbers, the lower one first"
            )
        if self.max_weight is not None and not 1.0 <= self.max_weight < np.inf:
            raise UserError(
                f"the largest weight is declared as {self.max_weight}; expected a number >= 1 "
                "(a policy that is the logging policy has weights of 1)"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A policy and what was added up for it."""

    name: str
    spec: str
    sums: PolicySums
    is_logging_policy: bool = False
    learns: bool = False


def summarise(log: LogSums, policies: Sequence[Judged], settings: Settings) -> Evaluation:
    """The evaluation that the sums hold.

    Raises
    ------
    UserError
        If no row could be used, or a weight is larger than the user declared possible.
    """
    if not log.rows:
        reasons = "; ".join(f"{rows:,} rows: {why}" for why, rows in log.left_out.items())
        raise UserError(
            f"{settings.path or 'the log'}: no row can be used for an evaluation"
            + (f" ({reasons})" if reasons else ": it is empty")
        )
    for policy in policies:
        _check_declared(policy, settings)
    mean = policies[0].sums.table.total("r") / log.rows
    facts = LogFacts(
        path=None if settings.path is None else str(settings.path),
        rows=log.rows,
        clusters=log.clusters.count(),
        clusters_exact=log.clusters.exact,
        cluster=settings.cluster,
        first=utc_datetime(log.first),
        last=utc_datetime(log.last),
        left_out=tuple(LeftOut(why, rows) for why, rows in log.left_out.most_common()),
        propensity_source=settings.propensity_source,
        full_probabilities=not log.without_probabilities,
        reward=settings.reward,
        reward_low=settings.reward_low,
        reward_high=settings.reward_high,
        mean_reward=mean,
    )
    tables = [policy.sums.table for policy in policies]
    replicates = intervals.resample(tables, settings.bootstrap, settings.seed)
    return Evaluation(
        log=facts,
        confidence=settings.confidence,
        bootstrap=settings.bootstrap,
        reward_model=settings.reward_model,
        policies=tuple(
            _policy_result(policy, drawn, facts, settings)
            for policy, drawn in zip(policies, replicates, strict=True)
        ),
        routes=_routes(log, policies),
        over_time=_over_time(log),
        remarks=diagnostics.log_remarks(log, settings.propensity_source),
    )


def _check_declared(policy: Judged, settings: Settings) -> None:
    declared, seen = settings.max_weight, policy.sums.largest_seen
    if declared is not None and seen > declared * (1.0 + 1e-9):
        raise UserError(
            f"policy {policy.name!r} has a weight of {seen:.6g}, above the largest possible "
            f"weight that was declared, {declared:g}. Declare the true bound with --max-weight, "
            "or leave it out where the log has the probabilities of all eligible actions"
        )


def _policy_result(
    policy: Judged, replicates: FloatArray, facts: LogFacts, settings: Settings
) -> PolicyResult:
    sums = policy.sums
    judged = diagnostics.diagnostics_of(
        sums,
        facts.clusters,
        settings.confidence,
        None if policy.is_logging_policy else settings.max_weight,
        facts.full_probabilities or policy.is_logging_policy,
    )
    with_model = "v" in sums.table.columns
    estimators = [
        estimator
        for estimator in (LOGGING_ESTIMATORS if policy.is_logging_policy else ESTIMATORS)
        if with_model or not estimator.needs_model
    ]
    possible = judged.largest_weight_possible
    known = Range(
        reward_low=settings.reward_low,
        reward_high=settings.reward_high,
        largest_weight=np.inf if possible is None else max(possible, sums.largest_seen),
        most_unsupported=sums.most_unsupported,
        q_low=sums.q_low,
        q_high=sums.q_high,
        clusters=facts.clusters,
    )
    values = [
        _estimate(estimator, sums, replicates, known, judged, settings, gain=False)
        for estimator in estimators
    ]
    gains = [
        _estimate(estimator, sums, replicates, known, judged, settings, gain=True)
        for estimator in estimators
        if not policy.is_logging_policy
    ]
    return PolicyResult(
        name=policy.name,
        spec=policy.spec,
        is_logging_policy=policy.is_logging_policy,
        learns=policy.learns,
        estimates=tuple(values),
        gains=tuple(gains),
        headline=headline(estimators),
        diagnostics=judged,
        remarks=diagnostics.policy_remarks(sums, judged, facts.clusters),
    )


def _estimate(
    estimator: Estimator,
    sums: PolicySums,
    replicates: FloatArray,
    known: Range,
    judged: Diagnostics,
    settings: Settings,
    *,
    gain: bool,
) -> Estimate:
    table, confidence = sums.table, settings.confidence
    quantity: Quantity = [Ratio(estimator.numerator, estimator.denominator)]
    low, high = known.reward_low, known.reward_high
    if gain:
        quantity = [*quantity, Ratio("r", "one", -1.0)]
        low, high = -known.span, known.span
    value = intervals.estimate(table, quantity)
    found: list[Interval] = []
    if estimator.score is not None:
        limits = (gain_limits if gain else value_limits)(table, estimator.score, known, confidence)
        found.append(_covering(limits, value, low, high, confidence))
    weightless = estimator.score in (None, "r")
    rows = table.total("one")
    veto = diagnostics.veto_of(judged, rows if weightless else judged.effective_sample_size)
    computed: dict[str, Limits | None] = {
        "normal": intervals.normal(table, quantity, confidence),
        "jackknife": intervals.jackknife(table, quantity, confidence),
    }
    if settings.bootstrap:
        computed["bootstrap"] = intervals.bootstrap(table.columns, replicates, quantity, confidence)
    for method, asymptotic in computed.items():
        if asymptotic is None:
            why = "the buckets do not vary: there is nothing to tell the error from"
            found.append(Interval(method, low, high, confidence, Guarantee.ASYMPTOTIC, why))
        else:
            found.append(Interval(method, *asymptotic, confidence, Guarantee.ASYMPTOTIC, veto))
    return Estimate(
        estimator=estimator.name,
        title=estimator.title,
        source=estimator.source,
        value=value,
        intervals=tuple(found),
        note=estimator.note,
    )


def _covering(
    limits: Limits, value: float | None, low: float, high: float, confidence: float
) -> Interval:
    # Its centre is a regression estimate: it is widened, never narrowed, to hold the estimate.
    lower, upper = limits
    if value is not None:
        possible = min(max(value, low), high)
        lower, upper = min(lower, possible), max(upper, possible)
    return Interval("cressie-read", lower, upper, confidence, Guarantee.COVERS)


def _routes(log: LogSums, policies: Sequence[Judged]) -> tuple[RouteOverlap, ...]:
    return tuple(
        RouteOverlap(
            route=route,
            eligible=log.eligible[route] / log.rows,
            logged=taken / log.rows,
            logging=None if log.without_probabilities else log.logging[route] / log.rows,
            evaluation={
                policy.name: policy.sums.route_mass[route] / log.rows
                for policy in policies
                if not policy.is_logging_policy
            },
        )
        for route, taken in log.taken.most_common()
        if log.eligible[route]
    )


def _over_time(log: LogSums) -> tuple[TimeBin, ...]:
    if not log.hours:
        return ()
    hours = np.array(sorted(log.hours))
    span = hours[-1] - hours[0]
    step = next((step for step in BIN_HOURS if span / step < MOST_TIME_BINS), BIN_HOURS[-1])
    bins: dict[int, tuple[int, float]] = {}
    for hour in hours.tolist():
        rows, total = log.hours[hour]
        before = bins.get(hour // step, (0, 0.0))
        bins[hour // step] = (before[0] + rows, before[1] + total)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return tuple(
        TimeBin(epoch + timedelta(hours=place * step), rows, total / rows)
        for place, (rows, total) in bins.items()
    )
