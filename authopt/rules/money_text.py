"""Amounts in minor units as people read them."""

from __future__ import annotations

from authopt.prices.currencies import decimals_of


def money(minor: float, currency: str) -> str:
    """Such as ``1,234.50 EUR``; in minor units where the currency's decimals are not known."""
    decimals = decimals_of(currency)
    if decimals is None:
        return f"{minor:,.0f} {currency} (minor units)"
    # A fee may be a fraction of a cent.
    shown = decimals if float(minor).is_integer() else decimals + 2
    return f"{minor / 10**decimals:,.{shown}f} {currency}"
