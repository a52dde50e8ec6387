"""From sums to answers: estimates, intervals and diagnostics of every policy."""

from __future__ import annotations

from collections.abc import Sequence

from authopt.batch import utc_datetime
from authopt.errors import UserError
from authopt.evaluation import diagnostics, intervals
from authopt.evaluation.bound_sums import BoundSums
from authopt.evaluation.comparison_summary import comparison_of
from authopt.evaluation.estimating import gain_of, value_of
from authopt.evaluation.estimator import Estimator
from authopt.evaluation.estimators import (
    headline,
    unbiased,
)
from authopt.evaluation.judged import ROWS, Judged, Named, judge, longest_cluster
from authopt.evaluation.over_time import OverTime, over_time
from authopt.evaluation.overview import reward_over_time, route_overlap
from authopt.evaluation.payments.result import PaymentResult
from authopt.evaluation.payments.rows import PaymentSums
from authopt.evaluation.payments.summary import payment_result
from authopt.evaluation.policy_sums import PAYMENTS, SEGMENTS, TIME
from authopt.evaluation.propensities.checks import checks_of
from authopt.evaluation.result import (
    LOGGING_POLICY,
    Comparison,
    Evaluation,
    LeftOut,
    LogFacts,
    PolicyResult,
)
from authopt.evaluation.segment_result import Segmentation, Volume
from authopt.evaluation.segment_summary import segmentation_of, volume_of
from authopt.evaluation.segments import VOLUME, SegmentSums
from authopt.evaluation.settings import Settings
from authopt.evaluation.sums import EvaluationSums
from authopt.evaluation.time_estimates import dependence
from authopt.evaluation.time_sums import TimeSums


def summarise(sums: EvaluationSums, policies: Sequence[Named], settings: Settings) -> Evaluation:
    """The evaluation that the sums hold.

    Raises
    ------
    UserError
        If no row could be used, or a weight is larger than the user declared possible.
    """
    log = sums.log
    if not log.rows:
        reasons = "; ".join(f"{rows:,} rows: {why}" for why, rows in log.left_out.items())
        raise UserError(
            f"{settings.path or 'the log'}: no row can be used for an evaluation"
            + (f" ({reasons})" if reasons else ": it is empty")
        )
    for policy, each in zip(policies, sums.policies, strict=True):
        _check_declared(policy.name, each.largest_seen, settings)
    facts = _facts(sums, settings)
    tables = [each.table for each in (sums.own, *sums.policies)]
    replicates = intervals.resample(tables, settings.bootstrap, settings.seed)
    own = judge(
        Named(LOGGING_POLICY, LOGGING_POLICY), sums.own, True, facts, settings, replicates[0]
    )
    others = [
        judge(policy, each, False, facts, settings, drawn)
        for policy, each, drawn in zip(policies, sums.policies, replicates[1:], strict=True)
    ]
    bounds = dict(enumerate(sums.bounds, start=1))
    results = [
        _result(each, len(others), bounds.get(place), facts, settings)
        for place, each in enumerate((own, *others))
    ]
    return Evaluation(
        log=facts,
        confidence=settings.confidence,
        bootstrap=settings.bootstrap,
        reward_model=settings.reward_model,
        policies=tuple(results),
        routes=route_overlap(log, {each.policy.name: each.sums.route_mass for each in others}),
        over_time=reward_over_time(log),
        remarks=(*diagnostics.log_remarks(log, settings.propensity_source), *settings.remarks),
        comparisons=_comparisons(sums, others, results[1:], settings),
        checks=() if sums.checks is None else checks_of(sums.checks),
        options=settings.options,
    )


def _facts(sums: EvaluationSums, settings: Settings) -> LogFacts:
    log = sums.log
    return LogFacts(
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
        reward_low=(settings.declared or (settings.reward_low, settings.reward_high))[0],
        reward_high=(settings.declared or (settings.reward_low, settings.reward_high))[1],
        mean_reward=sums.own.table.total("r") / log.rows,
        most_attempts=log.most_attempts,
        reward_currency=settings.reward_currency,
        reward_spec=settings.reward_spec,
    )


def _check_declared(name: str, seen: float, settings: Settings) -> None:
    declared = settings.max_weight
    if declared is not None and seen > declared * (1.0 + 1e-9):
        raise UserError(
            f"policy {name!r} has a weight of {seen:.6g}, above the largest possible "
            f"weight that was declared, {declared:g}. Declare the true bound with --max-weight, "
            "or leave it out where the log has the probabilities of all eligible actions"
        )


def _result(
    each: Judged,
    policies: int,
    bounds: BoundSums | None,
    facts: LogFacts,
    settings: Settings,
) -> PolicyResult:
    estimators = list(each.estimators.values())
    quoted = headline(estimators)
    whole = each.estimators[unbiased(estimators)]
    segments, volume = _by_segment(each, whole, policies, settings)
    return PolicyResult(
        name=each.policy.name,
        spec=each.policy.spec,
        is_logging_policy=each.own,
        learns=each.policy.learns,
        estimates=tuple(value_of(estimator, each.evidence) for estimator in estimators),
        gains=()
        if each.own
        else tuple(gain_of(estimator, each.evidence) for estimator in estimators),
        headline=quoted,
        diagnostics=each.judged,
        remarks=diagnostics.policy_remarks(each.sums, each.judged, facts.clusters),
        sensitivity=each.sensitivity,
        segments=segments,
        volume=volume,
        payments=_payments(each, facts, settings),
        over_time=_over_time(each, settings),
        bounds=None
        if bounds is None
        else bounds.value(facts.clusters, settings.confidence, settings.max_weight),
    )


def _payments(each: Judged, facts: LogFacts, settings: Settings) -> PaymentResult | None:
    part = each.sums.parts.get(PAYMENTS)
    if not isinstance(part, PaymentSums):
        return None
    by_payment = settings.cluster in ("payment_id", *ROWS)
    return payment_result(
        part,
        settings,
        is_logging_policy=each.own,
        clusters=None if by_payment else facts.clusters,
    )


def _over_time(each: Judged, settings: Settings) -> OverTime | None:
    part = each.sums.parts.get(TIME)
    if not isinstance(part, TimeSums):
        return None
    low, high = settings.reward_low, settings.reward_high
    effect = dependence(each.sums.table)
    return over_time(part, low, high, settings.confidence, design_effect=effect)


def _by_segment(
    each: Judged, estimator: Estimator, policies: int, settings: Settings
) -> tuple[tuple[Segmentation, ...], tuple[Volume, ...]]:
    found = {
        name.removeprefix(SEGMENTS): part
        for name, part in each.sums.parts.items()
        if isinstance(part, SegmentSums)
    }
    money = found.pop(VOLUME, None)
    looked_at = max(policies, 1) * sum(len(part.labels) for part in found.values())
    segmentations = tuple(
        segmentation_of(
            part,
            estimator,
            each.known,
            confidence=settings.confidence,
            looked_at=looked_at,
            is_logging_policy=each.own,
        )
        for part in found.values()
    )
    if money is None or each.own:
        return segmentations, ()
    return segmentations, volume_of(money, estimator, each.known, settings.confidence)


def _comparisons(
    sums: EvaluationSums,
    judged: Sequence[Judged],
    results: Sequence[PolicyResult],
    settings: Settings,
) -> tuple[Comparison, ...]:
    return tuple(
        comparison_of(
            (results[first], results[second]),
            (sums.policies[first], sums.policies[second]),
            (judged[first].known, judged[second].known),
            (judged[first].estimators, judged[second].estimators),
            pair,
            (judged[first].replicates, judged[second].replicates),
            longest_cluster(settings, sums.log.most_attempts),
            settings,
        )
        for (first, second), pair in sums.pairs.items()
    )
