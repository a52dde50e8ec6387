"""What an evaluation per payment answers: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.evaluation.quantities import Estimate, Interval, Remark

VALUE = "value"
APPROVALS = "approvals"
ATTEMPTS = "attempts"
COST_PER_ATTEMPT = "cost_per_attempt"
COST_PER_APPROVAL = "cost_per_approval"
OPEN = "open"


@dataclass(frozen=True, slots=True)
class PaymentMeasure:
    """One figure per payment, by one or more estimators.

    Attributes
    ----------
    name, title
        ``value``, ``approvals``, ``attempts``, ``cost_per_attempt``, ``cost_per_approval`` or
        ``open``, and what it is in words.
    estimates
        of the policy's figure.
    gains
        of that figure less the logging policy's own, from the same payments (paired); empty for
        the logging policy.
    headline
        short name of the estimator to quote.
    """

    name: str
    title: str
    estimates: tuple[Estimate, ...]
    gains: tuple[Estimate, ...]
    headline: str

    @property
    def estimate(self) -> Estimate:
        """The estimate to quote."""
        return next(each for each in self.estimates if each.estimator == self.headline)

    @property
    def gain(self) -> Estimate | None:
        """The gain to quote; None for the logging policy."""
        return next((each for each in self.gains if each.estimator == self.headline), None)


@dataclass(frozen=True, slots=True)
class PaymentSupport:
    """How far the log can speak for the policy, payment by payment.

    Attributes
    ----------
    effective_sample_size, effective_share
        (sum of w)^2 / sum of w^2 over the weights of whole paths, in payments and as a share.
    heaviest_path, heaviest_possible
        largest weight of a path seen, and the largest possible one (None: not known, or so large
        that intervals allow for any).
    mean_weight
        mean weight of whole paths, with the mass that left the log: 1 if the propensities are
        right.
    unsupported
        share of the policy's payments in which it would take an action that the logging policy
        never takes, 0 to 1: what would have followed is unknown.
    stopped_unseen
        share in which it would give up where the logging policy never does: what follows is known,
        nothing.
    """

    effective_sample_size: float
    effective_share: float
    heaviest_path: float
    heaviest_possible: float | None
    mean_weight: Estimate
    unsupported: float
    stopped_unseen: float


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """One policy, payment by payment.

    Attributes
    ----------
    payments, decisions
        number of payments and of decisions used.
    longest
        most decisions of a payment.
    incomplete
        payments whose attempts are not numbered 1, 2, 3, ... in the rows used.
    measures
        the value first; without costs in the log, the cost measures are left out.
    support
        effective sample, weights, and what the log cannot follow.
    if_continued
        interval of the value, from the worst to the best: where the log ends an open payment,
        nothing more, or one attempt more that earns the most that an attempt can earn.
    remarks
        what a reader must know.
    """

    payments: int
    decisions: int
    longest: int
    incomplete: int
    measures: tuple[PaymentMeasure, ...]
    support: PaymentSupport
    if_continued: Interval
    remarks: tuple[Remark, ...]

    @property
    def value(self) -> PaymentMeasure:
        """The reward per payment."""
        return self.measure(VALUE)

    def measure(self, name: str) -> PaymentMeasure:
        """The measure of this name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)
