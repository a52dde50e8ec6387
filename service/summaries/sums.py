"""What is added up."""

from __future__ import annotations

from dataclasses import dataclass, fields


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over decisions that count: all but deferred ones that nobody activated.

    Attributes
    ----------
    decisions
        all of them.
    attempts
        of them, those that were not to stop.
    answered, approved
        attempts whose outcome says whether they were approved, and those that were.
    first_answered, first_approved
        of these, the first attempts of their payments.
    payments, payments_paid
        payments whose first attempt was decided here, and those of them that were approved, by
        whichever attempt.
    fallbacks
        decisions that fell back on the static priority.
    charged_back
        approved attempts with a chargeback.
    propensity_ppm
        sum of the propensities in millionths; of activations that give none and did not do what was
        drawn, 0.
    approved_minor, refunded_minor, fees_minor
        money in minor units: amounts that were approved, what of it was paid back or charged back,
        and fees of all attempts. Summed only where the cut is the currency, else 0.
    """

    decisions: int = 0
    attempts: int = 0
    answered: int = 0
    approved: int = 0
    first_answered: int = 0
    first_approved: int = 0
    payments: int = 0
    payments_paid: int = 0
    fallbacks: int = 0
    charged_back: int = 0
    propensity_ppm: int = 0
    approved_minor: int = 0
    refunded_minor: int = 0
    fees_minor: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    @property
    def rate(self) -> float | None:
        """Approved of the answered attempts; None where there are none."""
        return _share(self.approved, self.answered)

    @property
    def first_rate(self) -> float | None:
        """Approved of the answered first attempts; None where there are none."""
        return _share(self.first_approved, self.first_answered)

    @property
    def paid_rate(self) -> float | None:
        """Paid ones of the payments; None where there are none."""
        return _share(self.payments_paid, self.payments)

    @property
    def fallback_share(self) -> float | None:
        """Fallbacks of the decisions; None where there are none."""
        return _share(self.fallbacks, self.decisions)

    @property
    def mean_propensity(self) -> float | None:
        """Of the decisions; None where there are none."""
        return _share(self.propensity_ppm, 1_000_000 * self.decisions)

    @property
    def unanswered(self) -> int:
        """Attempts whose outcome is not known."""
        return self.attempts - self.answered


NAMES = tuple(field.name for field in fields(Sums))
"""The columns of the table, in their order."""

MONEY = slice(NAMES.index("approved_minor"), len(NAMES))
"""Those of them that are money."""
