"""Sums of money in words."""

from __future__ import annotations

import pytest

from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.report.money import decimals_of, money, money_interval, unit_of


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("eur", None), ("euro", None), ("", None)],
)
def test_the_decimals_of_a_currency_are_those_of_iso_4217(
    currency: str, decimals: int | None
) -> None:
    assert decimals_of(currency) == decimals


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (1_234, "EUR", "12.34"),
        (1_234, "JPY", "1,234"),
        (1_234, "KWD", "1.234"),
        (123_456_789, "EUR", "1,234,568"),
        (1_234, "points", "1,234"),
        (-0.4, "EUR", "0.00"),
        (None, "EUR", "—"),
    ],
)
def test_sums_are_told_in_major_units(minor: float | None, currency: str, said: str) -> None:
    assert money(minor, currency) == said


def test_limits_of_a_difference_have_signs() -> None:
    interval = Interval("cressie-read", -120.0, 2_500_000.0, 0.95, Guarantee.COVERS)
    assert money_interval(interval, "EUR") == "-1.20 to +25,000"


def test_what_is_no_currency_is_told_in_minor_units() -> None:
    assert unit_of("EUR") == "EUR"
    assert unit_of("points") == "minor units (points)"
