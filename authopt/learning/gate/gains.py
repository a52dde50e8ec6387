"""The gain of a candidate over the live policy out of an evaluation, whoever made the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

from authopt.evaluation.payments.result import PaymentMeasure
from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.result import Evaluation, PolicyResult


@dataclass(frozen=True, slots=True)
class Sides:
    """The candidate and the live policy in an evaluation.

    ``live`` is None where it made the log: gains over it are the evaluation's own.
    """

    evaluation: Evaluation
    candidate: PolicyResult
    live: PolicyResult | None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Sides:
        """From an evaluation of these policies in this order, after the one that made the log."""
        _, candidate, *live = evaluation.policies
        return cls(evaluation, candidate, live[0] if live else None)

    @property
    def live_or_log(self) -> PolicyResult:
        """The live policy's own result."""
        return self.evaluation.policies[0] if self.live is None else self.live

    def gain(self) -> Estimate:
        """Per decision."""
        if self.live is None:
            assert self.candidate.gain is not None
            return self.candidate.gain
        return self.evaluation.compare(self.candidate.name, self.live.name).difference

    def measure(self, name: str) -> PaymentMeasure | None:
        """A measure per payment of the candidate; None where the log has none."""
        return _measure(self.candidate, name)

    def live_measure(self, name: str) -> PaymentMeasure | None:
        """The same of the live policy."""
        return _measure(self.live_or_log, name)

    def payment_gain(self, name: str) -> Estimate | None:
        """Gain in a measure per payment; None where the log has none.

        Of two policies that did not make the log, each gain over the logging policy has its own
        interval, and the difference has the limits that follow from both: where each side of both
        fails with probability a, each side of the difference does with at most 2 a.
        """
        candidate = self.measure(name)
        if candidate is None or candidate.gain is None:
            return None
        if self.live is None:
            return candidate.gain
        live = _measure(self.live, name)
        if live is None or live.gain is None:
            return None
        return _less(candidate.gain, live.gain)


def trusted(estimate: Estimate) -> Interval | None:
    """The recommended interval if it may be relied on."""
    return next((each for each in estimate.intervals if each.vetoed is None), None)


def interval_by(estimate: Estimate, guarantee: Guarantee) -> Interval | None:
    """The first interval of a guarantee; None where there is none."""
    return next((each for each in estimate.intervals if each.guarantee is guarantee), None)


def _measure(policy: PolicyResult, name: str) -> PaymentMeasure | None:
    if policy.payments is None:
        return None
    return next((each for each in policy.payments.measures if each.name == name), None)


def _less(one: Estimate, other: Estimate) -> Estimate:
    value = None
    if one.value is not None and other.value is not None:
        value = one.value - other.value
    pairs = [(each, other.by(each.method)) for each in one.intervals]
    found = tuple(_difference(each, match) for each, match in pairs if match is not None)
    return replace(one, value=value, intervals=found)


def _difference(one: Interval, other: Interval) -> Interval:
    lower, upper = one.lower - other.upper, one.upper - other.lower
    return replace(one, lower=lower, upper=upper, vetoed=one.vetoed or other.vetoed)
