"""Decimals of currencies are those of ISO 4217, for every currency."""

from __future__ import annotations

import pytest
from babel.numbers import get_currency_precision, list_currencies

from authopt.errors import UserError
from authopt.prices.currencies import DECIMALS, decimals_of, known_currency

FEWER_IN_CLDR = set(
    """AFN ALL AMD COP HUF IDR IQD IRR KPW KZT LAK LBP MGA MMK MNT MRO RSD SLL SOS STD
SYP TZS UZS YER ZMK MUR GYD CRC PKR TWD CZK DKK NOK SEK JOD LYD OMR TND CHF""".split()  # noqa: SIM905
)
"""Where small coins are out of use, or were in some edition, CLDR shows fewer decimals than ISO."""


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        ("EUR", 2), ("JPY", 0), ("KRW", 0), ("ISK", 0), ("HUF", 2), ("IDR", 2), ("KWD", 3),
        ("BHD", 3), ("IQD", 3), ("CLF", 4), ("eur", None), ("euro", None), ("", None),
    ],
)  # fmt: skip
def test_the_decimals_of_a_currency_are_those_of_iso_4217(
    currency: str, decimals: int | None
) -> None:
    assert decimals_of(currency) == decimals


def test_every_code_is_a_currency() -> None:
    assert set(DECIMALS) <= {*list_currencies(), "CHW", "CHE", "UYW"}


def test_every_currency_that_is_somewhere_legal_tender_is_known() -> None:
    from babel.core import get_global

    now = {
        code
        for entries in get_global("territory_currencies").values()
        for code, _, end, tender in entries
        if tender and end is None
    }
    assert now <= set(DECIMALS) | {"XSU"}


def test_decimals_differ_from_those_of_readers_only_where_small_coins_are_out_of_use() -> None:
    differing = {code for code in DECIMALS if get_currency_precision(code) != DECIMALS[code]}
    assert differing <= FEWER_IN_CLDR
    assert all(get_currency_precision(code) < DECIMALS[code] for code in differing)


def test_an_unknown_currency_is_an_error_that_proposes_one() -> None:
    with pytest.raises(UserError, match=r"prices.toml: key currency: 'eur' .* did you mean 'EUR'"):
        known_currency("eur", "prices.toml: key currency")
