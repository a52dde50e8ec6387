"""The figures per payment of all policies, measure by measure, in words."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.evaluation.payments.result import (
    APPROVALS,
    ATTEMPTS,
    OPEN,
    VALUE,
    PaymentMeasure,
    PaymentResult,
)
from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Evaluation, PolicyResult


@dataclass(frozen=True, slots=True)
class MeasureOfAll:
    """One measure under every policy that has it.

    Attributes
    ----------
    name, title
        as in :class:`PaymentMeasure`.
    scale
        how its figures are printed.
    policies
        results with the measure, in the order of the evaluation.
    """

    name: str
    title: str
    scale: Scale
    policies: tuple[tuple[PolicyResult, PaymentMeasure], ...]

    def of(self, policy: PolicyResult) -> PaymentMeasure | None:
        """The measure of one policy, if it has it."""
        return next((measure for owner, measure in self.policies if owner is policy), None)


def with_payments(evaluation: Evaluation) -> tuple[tuple[PolicyResult, PaymentResult], ...]:
    """The policies that were judged payment by payment."""
    return tuple(
        (policy, policy.payments) for policy in evaluation.policies if policy.payments is not None
    )


def measures(evaluation: Evaluation) -> tuple[MeasureOfAll, ...]:
    """All measures, the reward per payment first."""
    found: dict[str, list[tuple[PolicyResult, PaymentMeasure]]] = {}
    for policy, payments in with_payments(evaluation):
        for measure in payments.measures:
            found.setdefault(measure.name, []).append((policy, measure))
    return tuple(
        MeasureOfAll(name, pairs[0][1].title, _scale(name, pairs, evaluation), tuple(pairs))
        for name, pairs in found.items()
    )


def _scale(
    name: str, pairs: list[tuple[PolicyResult, PaymentMeasure]], evaluation: Evaluation
) -> Scale:
    if name == VALUE:
        return Scale.of(evaluation)
    estimates = [each for _, found in pairs for each in (*found.estimates, *found.gains)]
    intervals = [interval for each in estimates for interval in each.intervals]
    return Scale.fitting(name in (APPROVALS, OPEN), intervals, 3 if name == ATTEMPTS else 2)
