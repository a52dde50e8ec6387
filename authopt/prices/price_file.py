"""A price list in a TOML file; data/rewards/README.md explains every key."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import msgspec

from authopt.errors import UserError
from authopt.prices.conditions import Condition
from authopt.prices.currencies import known_currency
from authopt.prices.prices import Charge, Prices, Row
from authopt.prices.rates import RateRow, rates_of
from authopt.toml_file import read_toml

T = TypeVar("T")

SEE = "See data/rewards/README.md for every key"
BPS = Fraction(1, 10_000)


class ChargeKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Minor units of the row's currency, and basis points of the payment's amount."""

    fixed: Decimal = Decimal(0)
    bps: Decimal = Decimal(0)

    def charge(self) -> Charge:
        """As exact fractions."""
        return Charge(Fraction(self.fixed), Fraction(self.bps) * BPS)


class FeeRow(Condition, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When it holds, and what is charged: on each attempt, and besides if approved or declined."""

    each: ChargeKeys = ChargeKeys()
    approved: ChargeKeys = ChargeKeys()
    declined: ChargeKeys = ChargeKeys()
    currency: str | None = None


class SurchargeRow(FeeRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of the surcharge of this name."""

    name: str


class RouteKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be known of a route."""

    country: str


class PriceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    currency: str
    fees: tuple[FeeRow, ...]
    surcharges: tuple[SurchargeRow, ...] = ()
    rates: tuple[RateRow, ...] = ()
    routes: dict[str, RouteKeys] = {}


def load_prices(path: Path) -> Prices:
    """Read and check a price list.

    Raises
    ------
    UserError
        Naming the file, the key, the value and what was expected.
    """
    content = read_toml(path, PriceFile, SEE, exact=True)
    currency = known_currency(content.currency, f"{path}: key currency")
    if not content.fees:
        raise UserError(f"{path}: key fees: is empty; an attempt without a fee has no price. {SEE}")
    surcharges: dict[str, list[Row]] = {}
    for number, row in enumerate(content.surcharges):
        where = f"{path}: key surcharges[{number}]"
        surcharges.setdefault(row.name, []).append(_row(row, currency, where))
    return Prices(
        currency=currency,
        rates=rates_of(currency, content.rates, str(path)),
        fees=tuple(
            _row(row, currency, f"{path}: key fees[{number}]")
            for number, row in enumerate(content.fees)
        ),
        surcharges={name: tuple(rows) for name, rows in surcharges.items()},
        countries={name: keys.country for name, keys in content.routes.items()},
    )


def _row(row: FeeRow, currency: str, where: str) -> Row:
    row.check(where)
    for name in ("each", "approved", "declined"):
        keys: ChargeKeys = getattr(row, name)
        if not (keys.fixed.is_finite() and keys.bps.is_finite()):
            raise UserError(f"{where}.{name}: expected finite numbers")
    each = row.each.charge()
    return Row(
        condition=Condition(**{name: getattr(row, name) for name in Condition.__struct_fields__}),
        currency=known_currency(row.currency or currency, f"{where}.currency"),
        approved=each + row.approved.charge(),
        declined=each + row.declined.charge(),
    )
