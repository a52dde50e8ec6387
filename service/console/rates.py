"""Shares with their intervals, and differences of shares: what the pages say of rates."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.logs.audit.rates import wilson

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its limits.

    Attributes
    ----------
    value, low, high
        a share, or a difference of shares.
    """

    value: float
    low: float
    high: float

    @property
    def above(self) -> bool:
        """Whether all of it is above 0."""
        return self.low > 0.0

    @property
    def below(self) -> bool:
        """Whether all of it is below 0."""
        return self.high < 0.0


def share(part: int, whole: int, confidence: float = CONFIDENCE) -> Estimate | None:
    """A share with its score interval (Wilson); None of nothing."""
    if whole < 1:
        return None
    return Estimate(part / whole, *wilson(part, whole, confidence))


def difference(
    part: int, whole: int, other_part: int, other_whole: int, confidence: float = CONFIDENCE
) -> Estimate | None:
    """A share less another one of other trials; None where one of them is of nothing.

    The limits are those of two score intervals together (Newcombe, 'Interval estimation for the
    difference between independent proportions', Statistics in Medicine 17, 1998, method 10). They
    are for one look.
    """
    one = share(part, whole, confidence)
    other = share(other_part, other_whole, confidence)
    if one is None or other is None:
        return None
    value = one.value - other.value
    below = ((one.value - one.low) ** 2 + (other.high - other.value) ** 2) ** 0.5
    above = ((one.high - one.value) ** 2 + (other.value - other.low) ** 2) ** 0.5
    return Estimate(value, value - below, value + above)


def estimate_of(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """A row's cells for an estimate and its limits."""
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
