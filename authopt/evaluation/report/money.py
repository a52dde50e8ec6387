"""Sums of money as people read them: in the major unit of their currency."""

from __future__ import annotations

from authopt.evaluation.quantities import Interval
from authopt.prices.currencies import decimals_of

_WHOLE_FROM = 100.0
"""Sums of this size, in major units, are told without their decimals."""


def money(minor: float | None, currency: str, sign: str = "") -> str:
    """A sum of minor units, in major units; "—" where there is none.

    Parameters
    ----------
    minor
        the sum.
    currency
        ISO 4217 code; of any other text, minor units are told as they are.
    sign
        "+" for a difference.
    """
    if minor is None:
        return "—"
    decimals = decimals_of(currency) or 0
    major = minor / 10.0**decimals
    shown = 0 if abs(major) >= _WHOLE_FROM else decimals
    return format(round(major, shown) + 0.0, f"{sign},.{shown}f")


def money_interval(interval: Interval, currency: str) -> str:
    """The limits of a difference of sums."""
    return f"{money(interval.lower, currency, '+')} to {money(interval.upper, currency, '+')}"


def unit_of(currency: str) -> str:
    """What the sums of a currency are counted in."""
    return currency if decimals_of(currency) is not None else f"minor units ({currency})"
