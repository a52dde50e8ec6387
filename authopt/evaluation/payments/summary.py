"""From the sums over payments to answers: estimates with their intervals, and remarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from authopt.evaluation import intervals
from authopt.evaluation.betting import row_bets
from authopt.evaluation.betting.row_bets import RowBets
from authopt.evaluation.covering import gain_limits, value_limits
from authopt.evaluation.estimating import Evidence, estimate_of, quantity_of
from authopt.evaluation.estimator import Estimator
from authopt.evaluation.intervals import Limits, Quantity, Ratio
from authopt.evaluation.payments import estimators
from authopt.evaluation.payments.columns import CONTINUED, PaymentTable, payment_table
from authopt.evaluation.payments.estimators import PaymentEstimator
from authopt.evaluation.payments.result import (
    APPROVALS,
    ATTEMPTS,
    COST_PER_APPROVAL,
    COST_PER_ATTEMPT,
    OPEN,
    VALUE,
    PaymentMeasure,
    PaymentResult,
)
from authopt.evaluation.payments.rows import PaymentSums
from authopt.evaluation.payments.support import (
    doubt_of,
    pays_once,
    range_of,
    remarks_on,
    support_of,
)
from authopt.evaluation.payments.survey import PaymentFacts, survey
from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.scores import Range
from authopt.evaluation.settings import Settings


def payment_result(
    sums: PaymentSums,
    settings: Settings,
    *,
    is_logging_policy: bool = False,
    clusters: int | None = None,
    payment_bounds: Limits | None = None,
) -> PaymentResult:
    """What the payments of a log say of one policy.

    Covering intervals are those of whole paths: a payment is one decision among all the ways that
    it could have gone, with the weight of its path, and what :mod:`authopt.evaluation.covering`
    says of decisions holds of it. They cover the figure, whichever estimator is quoted; each is
    widened to hold its estimate.

    Parameters
    ----------
    sums
        the rows of the policy.
    settings
        bounds of the reward of a decision, confidence, bootstrap, largest weight of a decision.
    is_logging_policy
        whether the policy made the log.
    clusters
        number of clusters where payments are not the clusters; by default that of payments.
    payment_bounds
        smallest and largest possible reward of a payment. By default those of as many decisions as
        the longest payment has; the largest is that of one decision, if rewards are at least 0 or
        only approvals earn, and no logged payment has more than one decision can have (an approval
        ends a payment).

    Raises
    ------
    UserError
        If no decision could be used, or a payment is outside its bounds.
    """
    found = survey(sums)
    facts = found.facts
    known = range_of(
        facts,
        sums,
        settings,
        is_logging_policy=is_logging_policy,
        clusters=clusters,
        payment_bounds=payment_bounds,
    )
    table = payment_table(sums, found, known, max(settings.reward_high, 0.0))
    support = support_of(table, facts, known, settings.confidence)
    (replicates,) = intervals.resample([table.sums], settings.bootstrap, settings.seed)
    evidence = Evidence(
        table=table.sums,
        known=known,
        effective=support.effective_sample_size,
        unsupported=support.unsupported,
        replicates=replicates if settings.bootstrap else None,
        confidence=settings.confidence,
        covering=settings.confidence,
    )
    work = _Work(table, facts, evidence, is_logging_policy)
    measures = [work.value(), work.count(APPROVALS, "approvals per payment", "approved")]
    measures.append(work.count(ATTEMPTS, "attempts per payment", "made"))
    if facts.unpriced < facts.made:
        title = "cost per attempt, minor units"
        measures.append(work.quotient(COST_PER_ATTEMPT, title, "cost", "made"))
        title = "cost per approval, minor units"
        measures.append(work.quotient(COST_PER_APPROVAL, title, "cost", "approved"))
    measures.append(work.count(OPEN, "payments that the log ends while they are open", "open"))
    return PaymentResult(
        payments=facts.payments,
        decisions=facts.rows,
        longest=facts.longest,
        incomplete=facts.incomplete,
        measures=tuple(measures),
        support=support,
        if_continued=work.if_continued(measures[0].estimate.interval, settings),
        remarks=remarks_on(facts, sums, support, measures[-1].estimate.value),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    table: PaymentTable
    facts: PaymentFacts
    evidence: Evidence
    own: bool

    @property
    def known(self) -> Range:
        return self.evidence.known

    @property
    def score(self) -> str:
        return "r" if self.own else "wr"

    def value(self) -> PaymentMeasure:
        table = self.table
        with_model = "dr" in table.sums.columns
        used: Sequence[PaymentEstimator] = [
            each for each in estimators.REWARD_ESTIMATORS if with_model or not each.needs_model
        ]
        # Where single payments weigh much, what is divided by the weights is the steadier.
        headline = "wdr" if with_model else "wpdis"
        measure = self._measure(VALUE, "reward per payment", "r", used, headline, self.known)
        if self.known.clusters < self.facts.payments:
            # Bets are on payments one after the other: they must not depend on each other.
            return measure
        return replace(
            measure,
            estimates=_with(measure.estimates, self._bets(table.value_bets, row_bets.value_limits)),
            gains=_with(measure.gains, self._bets(table.gain_bets, row_bets.gain_limits)),
        )

    def count(self, name: str, title: str, column: str) -> PaymentMeasure:
        most = {"approved": self.facts.most_approved, "made": self.facts.most_made}
        high = float(max(1, most.get(column, 1)))
        known = replace(self.known, reward_low=0.0, reward_high=high)
        return self._measure(name, title, column, estimators.COUNT_ESTIMATORS, "wpdis", known)

    def quotient(self, name: str, title: str, above: str, below: str) -> PaymentMeasure:
        """A total divided by another: attempts and approvals are counted where costs are."""
        way = "" if self.own else "pdis:"
        each = estimators.ON_POLICY if self.own else estimators.PDIS
        named = replace(
            each.of(above, self.table.steps),
            note="a ratio of two totals; there is no covering interval of it",
        )
        quantity, own = [Ratio(way + above, way + below)], [Ratio(above, below, -1.0)]
        most = float(np.abs(self.table.sums[above]).sum())
        bounds = (-most, most)
        value = self._estimate(named, quantity, None, bounds)
        gains: tuple[Estimate, ...] = ()
        if not self.own:
            gains = (self._estimate(named, [*quantity, *own], None, bounds),)
        return PaymentMeasure(name, title, (value,), gains, each.name)

    def if_continued(self, value: Interval, settings: Settings) -> Interval:
        known = self.known
        if not pays_once(self.facts, settings):
            high = known.reward_high + max(settings.reward_high, 0.0)
            known = replace(known, reward_high=high)
        best = value_limits(
            self.table.whole[CONTINUED], self.score, known, self.evidence.confidence
        )
        return replace(value, upper=max(best[1], value.upper))

    def _measure(
        self,
        name: str,
        title: str,
        column: str,
        used: Sequence[PaymentEstimator],
        headline: str,
        known: Range,
    ) -> PaymentMeasure:
        paths, confidence = self.table.whole[column], self.evidence.confidence
        if self.own:
            used, headline = (estimators.ON_POLICY,), estimators.ON_POLICY.name
        found = [each.of(column, self.table.steps) for each in used]
        limits = value_limits(paths, self.score, known, confidence)
        bounds = (known.reward_low, known.reward_high)
        values = [self._estimate(each, quantity_of(each), limits, bounds) for each in found]
        gains: list[Estimate] = []
        if not self.own:
            limits, bounds = gain_limits(paths, "wr", known, confidence), (-known.span, known.span)
            logged = Ratio(column, "one", -1.0)
            for each in found:
                quantity: Quantity = [*quantity_of(each), logged]
                gains.append(self._estimate(each, quantity, limits, bounds))
        return PaymentMeasure(name, title, tuple(values), tuple(gains), headline)

    def _estimate(
        self, estimator: Estimator, quantity: Quantity, limits: Limits | None, bounds: Limits
    ) -> Estimate:
        estimate = estimate_of(estimator, quantity, limits, bounds, self.evidence)
        doubt = doubt_of(self.known, self.facts) if estimator.weighted else None
        if doubt is None:
            return estimate
        return replace(
            estimate,
            intervals=tuple(
                replace(each, vetoed=each.vetoed or doubt)
                if each.guarantee is Guarantee.ASYMPTOTIC
                else each
                for each in estimate.intervals
            ),
        )

    def _bets(self, bets: RowBets, limits_of: Callable[..., Limits]) -> Interval:
        confidence, largest = self.evidence.confidence, self.known.largest_weight
        limits = limits_of(bets, confidence, largest_weight=largest)
        return Interval("betting", *limits, confidence, Guarantee.ANYTIME)


def _with(estimates: tuple[Estimate, ...], interval: Interval) -> tuple[Estimate, ...]:
    return tuple(replace(each, intervals=(*each.intervals, interval)) for each in estimates)
