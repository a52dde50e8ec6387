"""Amounts are converted exactly, rounded once, by the rate of the day."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.prices.rates import RateRow, Rates, rates_of
from authopt.prices.rounding import Factors, whole_sum

CURRENCIES = ("EUR", "USD", "JPY", "KWD")
amounts = st.integers(0, 10**9)
positive = st.decimals("0.0001", "9999", places=4, allow_nan=False)


def table(*rows: tuple[str, str, str]) -> Rates:
    given = [RateRow(code, date.fromisoformat(day), Decimal(rate)) for code, day, rate in rows]
    return rates_of("EUR", given, "prices.toml")


def converted(rates: Rates, amount: float, source: str, target: str, day: str) -> float:
    one = np.zeros(1, np.int32)
    factors = rates.factors(
        Categorical(one, (source,)), Categorical(one, (target,)), np.array([day], "M8[us]")
    )
    return float(whole_sum([(np.array([float(amount)]), factors)])[0])


def test_a_rate_holds_from_its_day_on() -> None:
    rates = table(("USD", "2026-02-01", "0.8"), ("USD", "2026-03-01", "0.9"))
    days = ("2026-02-01T00:00:00", "2026-02-28T23:59:59", "2026-03-01T00:00:00", "2027-01-01")
    assert [converted(rates, 100, "USD", "EUR", day) for day in days] == [80, 80, 90, 90]


def test_before_its_first_day_a_currency_has_no_rate() -> None:
    rates = table(("USD", "2026-02-01", "0.8"))
    assert np.isnan(converted(rates, 100, "USD", "EUR", "2026-01-31T23:59:59"))


@pytest.mark.parametrize(
    ("amount", "source", "target", "minor"),
    [
        (1000, "JPY", "EUR", 600),  # 1,000 yen are 6 euros
        (600, "EUR", "JPY", 1000),
        (1000, "KWD", "EUR", 300),  # 1 dinar
        (100, "USD", "JPY", 133),  # 0.8 / 0.006, by way of the base
        (123, "GBP", "GBP", 123),  # needs no rate
    ],
)
def test_decimals_of_both_currencies_count(
    amount: int, source: str, target: str, minor: int
) -> None:
    rates = table(
        ("JPY", "2026-01-01", "0.006"), ("KWD", "2026-01-01", "3"), ("USD", "2026-01-01", "0.8")
    )
    assert converted(rates, amount, source, target, "2026-01-02") == minor


@given(amount=amounts, rate=positive, source=st.sampled_from(CURRENCIES))
def test_conversion_is_that_of_exact_decimals_rounded_half_to_even(
    amount: int, rate: Decimal, source: str
) -> None:
    rates = table((source, "2026-01-01", str(rate))) if source != "EUR" else table()
    exact = Fraction(amount) * (rates.factor(source, "EUR", 1 if source != "EUR" else 0) or 0)
    assert converted(rates, amount, source, "EUR", "2026-01-02") == round(exact)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_ties_go_to_the_even_number_whatever_the_size(halves: list[int]) -> None:
    quantity = np.array([2.0 * half + 1.0 for half in halves])
    factors = Factors(np.zeros(len(halves), np.int64), (Fraction(1, 2),))
    expected = [
        float((Decimal(2 * half + 1) / 2).quantize(Decimal(1), ROUND_HALF_EVEN)) for half in halves
    ]
    assert whole_sum([(quantity, factors)]).tolist() == expected


@given(amount=amounts, share=st.decimals("0", "1", places=3), rate=positive)
def test_a_share_and_the_rest_of_an_amount_add_up_to_the_whole_within_one_unit(
    amount: int, share: Decimal, rate: Decimal
) -> None:
    one = np.zeros(1, np.int64)
    quantity = np.array([float(amount)])

    def part(share: Fraction) -> float:
        return float(whole_sum([(quantity, Factors(one, (share * Fraction(rate),)))])[0])

    of_both = part(Fraction(share)) + part(1 - Fraction(share))
    assert abs(of_both - part(Fraction(1))) <= 1


@given(st.lists(amounts, min_size=1, max_size=50), positive)
def test_many_small_amounts_do_not_drift(some: list[int], rate: Decimal) -> None:
    index = np.zeros(len(some), np.int64)
    found = whole_sum([(np.array(some, np.float64), Factors(index, (Fraction(rate),)))])
    exact = sum(Fraction(each) * Fraction(rate) for each in some)
    assert abs(Fraction(found.sum()) - exact) <= Fraction(len(some), 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("EUR", "2026-01-01", "1"), "what the rates count in"),
        (("USD", "2026-01-01", "0"), "expected a number above 0"),
        (("USD", "2026-01-01", "-1"), "expected a number above 0"),
        (("USX", "2026-01-01", "1"), "no ISO 4217 currency"),
    ],
)
def test_an_unsound_rate_is_an_error_that_names_its_key(
    row: tuple[str, str, str], message: str
) -> None:
    with pytest.raises(UserError, match=rf"prices.toml: key rates\[0\].*{message}"):
        table(row)


def test_two_rates_of_a_day_are_an_error() -> None:
    with pytest.raises(UserError, match=r"rates\[1\]: a second rate of USD from 2026-01-01 on"):
        table(("USD", "2026-01-01", "0.8"), ("USD", "2026-01-01", "0.9"))
