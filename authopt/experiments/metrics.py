"""What is measured of every unit of an experiment, beside the value that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """Which way a metric should go."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that every payment has, or for some payments is not known.

    Attributes
    ----------
    name
        as guardrails and JSON have it.
    words
        as sentences have it.
    better
        which way it should go.
    bounds
        of its values, if that helps: limits are then exact for any number of units.
    money
        whether it is in minor units of a currency, so that only payments in one currency add up.
    """

    name: str
    words: str
    better: Better
    bounds: tuple[float, float] | None
    money: bool = False


PAID = Metric("paid", "the share of payments that are paid", Better.HIGHER, (0.0, 1.0))
FIRST_APPROVED = Metric(
    "first_approved", "the approval of first attempts", Better.HIGHER, (0.0, 1.0)
)
ATTEMPTS = Metric("attempts", "the attempts per payment", Better.LOWER, None)
FEES = Metric("fees_minor", "the fees per payment", Better.LOWER, None, money=True)
FALLBACK = Metric("fallback", "the share decided by the fallback", Better.LOWER, (0.0, 1.0))
LATENCY = Metric("latency_ms", "the latency of first attempts", Better.LOWER, None)

METRICS = {each.name: each for each in (PAID, FIRST_APPROVED, ATTEMPTS, FEES, FALLBACK, LATENCY)}
"""By name."""
