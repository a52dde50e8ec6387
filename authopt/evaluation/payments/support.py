"""How far a log can speak for a policy payment by payment, and what a reader must know of it."""

from __future__ import annotations

import numpy as np

from authopt.errors import UserError
from authopt.evaluation import intervals
from authopt.evaluation.diagnostics import LEAST_EFFECTIVE, LEAST_SUPPORT, effective_sample_size
from authopt.evaluation.intervals import Limits, Ratio
from authopt.evaluation.payments.columns import PaymentTable
from authopt.evaluation.payments.models import STEPS
from authopt.evaluation.payments.result import PaymentSupport
from authopt.evaluation.payments.rows import PaymentSums
from authopt.evaluation.payments.survey import PaymentFacts
from authopt.evaluation.quantities import Estimate, Guarantee, Interval, Level, Remark
from authopt.evaluation.scores import Range
from authopt.evaluation.settings import Settings

HEAVIEST_KNOWN = 1e9
"""A largest possible weight of a path above it is of no use: intervals then allow for any."""


def pays_once(facts: PaymentFacts, settings: Settings) -> bool:
    """Whether a payment earns at most what one decision can, so far as the log shows.

    An approval ends a payment. So where its rewards are at least 0, or only approvals earn, the
    others add nothing to it.
    """
    once = settings.reward_by_approval and facts.most_approved <= 1
    return (settings.reward_low >= 0.0 or once) and facts.largest_total <= settings.reward_high


def range_of(
    facts: PaymentFacts,
    sums: PaymentSums,
    settings: Settings,
    *,
    is_logging_policy: bool,
    clusters: int | None,
    payment_bounds: Limits | None,
) -> Range:
    """What is known beforehand of payments; see ``payment_summary.payment_result``.

    Raises
    ------
    UserError
        If a logged payment is outside its bounds.
    """
    times = 1 if pays_once(facts, settings) else facts.longest
    low, high = payment_bounds or (
        min(settings.reward_low, 0.0) * facts.longest,
        max(settings.reward_high, 0.0) * times,
    )
    if not low <= facts.smallest_total <= facts.largest_total <= high:
        raise UserError(
            f"the reward of a payment is bounded by {low:g} and {high:g}, but the log has payments "
            f"of {facts.smallest_total:g} to {facts.largest_total:g}: declare bounds that hold"
        )
    return Range(
        reward_low=low,
        reward_high=high,
        largest_weight=1.0 if is_logging_policy else _heaviest_path(facts, sums, settings),
        most_unsupported=facts.most_unsupported,
        q_low=np.nan,
        q_high=np.nan,
        clusters=min(clusters or facts.payments, facts.payments),
    )


def _heaviest_path(facts: PaymentFacts, sums: PaymentSums, settings: Settings) -> float:
    declared = settings.max_weight
    each = max(sums.largest_weight if declared is None else declared, 1.0)
    if not facts.longest * np.log(each) <= np.log(HEAVIEST_KNOWN):
        return np.inf
    return max(float(each**facts.longest), facts.heaviest)


def doubt_of(known: Range, facts: PaymentFacts) -> str | None:
    """Why asymptotic intervals of weighted payments must not be relied on, or None.

    Where a payment could weigh as much as the whole log, the payments that decide may be missing
    from it, and neither the effective sample nor the spread of the others tells. In the simulator
    (1,000 payments, nominal 95%, weights of up to 1e6) the normal interval of attempts per payment
    covers 47% to 86%.
    """
    largest = known.largest_weight
    if largest <= facts.payments:
        return None
    weight = f"as much as {largest:,.0f}" if np.isfinite(largest) else "any weight"
    return (
        f"a single payment could have {weight}, and the log has {facts.payments:,} payments: the "
        "few that decide may be missing"
    )


def support_of(
    table: PaymentTable, facts: PaymentFacts, known: Range, confidence: float
) -> PaymentSupport:
    """Effective sample, weights and what the log cannot follow."""
    paths, payments = table.whole["r"], float(facts.payments)
    effective = effective_sample_size(paths)
    quantity = [Ratio("coverage", "one")]
    value = intervals.estimate(paths, quantity)
    limits = intervals.normal(paths, quantity, confidence)
    lower, upper = limits or (min(value or 0.0, 1.0), max(value or 0.0, 1.0))
    mean = Interval("normal", lower, upper, confidence, Guarantee.ASYMPTOTIC)
    possible = known.largest_weight
    return PaymentSupport(
        effective_sample_size=effective,
        effective_share=effective / payments,
        heaviest_path=facts.heaviest,
        heaviest_possible=possible if np.isfinite(possible) else None,
        mean_weight=Estimate("mean", "mean weight of whole paths", "sample mean", value, (mean,)),
        unsupported=paths.total("unsupported") / payments,
        stopped_unseen=table.sums.total("stopped") / payments,
    )


def remarks_on(
    facts: PaymentFacts, sums: PaymentSums, support: PaymentSupport, still_open: float | None
) -> tuple[Remark, ...]:
    """What a reader must know; ``still_open`` is the share of payments that the log ends open."""
    found = [
        *_of_weights(support),
        *_of_ends(support, still_open),
        *_of_rows(facts),
        *_of_costs(facts, sums),
    ]
    return tuple(Remark(level, text) for level, text in found)


def _of_weights(support: PaymentSupport) -> list[tuple[Level, str]]:
    found = []
    mean, effective = support.mean_weight, support.effective_sample_size
    if mean.value is not None and not mean.interval.lower <= 1.0 <= mean.interval.upper:
        found.append(
            (
                Level.WARNING,
                f"mean weight of whole payments {mean.value:.3f} [{mean.interval.lower:.3f}, "
                f"{mean.interval.upper:.3f}], expected 1: the propensities are wrong, or few "
                "payments carry the weight",
            )
        )
    if effective < LEAST_EFFECTIVE:
        found.append(
            (
                Level.WARNING,
                f"effective sample of {effective:,.0f} payments ({support.effective_share:.1%}): "
                "the log says little about whole payments under this policy",
            )
        )
    if support.heaviest_possible is None:
        found.append(
            (
                Level.NOTE,
                "the largest possible weight of a whole payment is not known, or beyond use: "
                "intervals allow for any",
            )
        )
    return found


def _of_ends(support: PaymentSupport, still_open: float | None) -> list[tuple[Level, str]]:
    found = []
    if support.unsupported > 0.0:
        found.append(
            (
                Level.WARNING if support.unsupported > 1.0 - LEAST_SUPPORT else Level.NOTE,
                f"in {support.unsupported:.2%} of its payments the policy takes an action that the "
                "logging policy never takes: what follows is unknown, and covering intervals allow "
                "for worst and best",
            )
        )
    if support.stopped_unseen > 0.0:
        found.append(
            (
                Level.NOTE,
                f"in {support.stopped_unseen:.2%} of its payments the policy gives up where the "
                "logging policy never does: nothing follows, which needs no data",
            )
        )
    if still_open:
        found.append(
            (
                Level.NOTE,
                f"{still_open:.2%} of its payments end with a decline, though nobody gave up. "
                "Figures take that for the end; if the policy could have gone on, it may be worth "
                "more",
            )
        )
    return found


def _of_rows(facts: PaymentFacts) -> list[tuple[Level, str]]:
    found = []
    if facts.incomplete:
        found.append(
            (
                Level.WARNING,
                f"{facts.incomplete:,} of {facts.payments:,} payments have attempts that are not "
                "numbered 1, 2, 3, ... in the rows used: missing decisions count as if both "
                "policies agreed on them",
            )
        )
    if facts.longest > STEPS:
        found.append(
            (
                Level.NOTE,
                f"the longest payment has {facts.longest:,} decisions; from the {STEPS}th on they "
                "share a step",
            )
        )
    return found


def _of_costs(facts: PaymentFacts, sums: PaymentSums) -> list[tuple[Level, str]]:
    found = []
    if 0 < facts.unpriced < facts.made:
        found.append(
            (
                Level.WARNING,
                f"{facts.unpriced:,} of {facts.made:,} attempts have no known cost: they count as "
                "free",
            )
        )
    if len(sums.currencies) > 1 and facts.unpriced < facts.made:
        found.append(
            (
                Level.WARNING,
                f"costs are in minor units of {len(sums.currencies)} currencies, and their sums "
                "mix them: evaluate one currency at a time",
            )
        )
    return found
