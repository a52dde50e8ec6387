"""Sums of money in words."""

from __future__ import annotations

import pytest

from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.report.money import money, money_interval, unit_of
from authopt.evaluation.report.wording import Scale


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


@pytest.mark.parametrize(
    ("currency", "value", "gain"),
    [("EUR", "EUR 1.23", "+1.23"), ("JPY", "JPY 123.40", "+123.40"), ("KWD", "KWD 0.12", "+0.12")],
)
def test_mean_rewards_in_money_are_told_in_the_major_unit(
    currency: str, value: str, gain: str
) -> None:
    scale = Scale(percent=False, currency=currency)
    assert (scale.value(123.4), scale.gain(123.4)) == (value, gain)
    assert scale.gain_with_unit(123.4) == f"{gain} {currency}"
    assert scale.gain_unit == currency


def test_a_narrow_interval_of_money_gets_the_decimals_that_it_needs() -> None:
    narrow = Interval("normal", 120.0, 120.4, 0.95, Guarantee.COVERS)
    scale = Scale.fitting(False, [narrow], currency="EUR")
    assert scale.interval(narrow) == "1.2000 to 1.2040"
