"""Rates of exchange, each from a day on; between minor units, as exact fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np

from authopt.batch import Categorical, IntArray, TimeArray
from authopt.errors import UserError
from authopt.prices.currencies import DECIMALS, known_currency
from authopt.prices.rounding import Factors


class RateRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"day": "from"}):
    """Major units of the base that one major unit of a currency is worth, from a day (UTC) on."""

    currency: str
    day: date
    rate: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """A table of rates against one base currency.

    A rate holds from its day on, until the currency's next one. Before its first day a currency has
    no rate: what it was worth then is not guessed. Between two other currencies the rate is the
    quotient of theirs.

    Attributes
    ----------
    base
        currency that the rates count in.
    days
        datetime64[D], the days on which some rate changes, in order.
    by_currency
        by code: the rate in each period (before the first day, from the first day on, ...); None
        where there is none.
    """

    base: str
    days: TimeArray
    by_currency: Mapping[str, tuple[Fraction | None, ...]]

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that have a rate at some time, the base first."""
        return (self.base, *(each for each in self.by_currency if each != self.base))

    def period_of(self, times: TimeArray) -> IntArray:
        """int64, the period that each time (UTC) lies in."""
        days = times.astype("datetime64[D]")
        return np.searchsorted(self.days, days, side="right").astype(np.int64)

    def factor(self, source: str, target: str, period: int) -> Fraction | None:
        """Minor units of ``target`` for one minor unit of ``source``; None where there is no rate.

        A currency is always worth itself.
        """
        if source == target:
            return Fraction(1)
        if source not in DECIMALS or target not in DECIMALS:
            return None
        worth, price = self._major(source, period), self._major(target, period)
        if worth is None or price is None:
            return None
        return worth / price * Fraction(10) ** (DECIMALS[target] - DECIMALS[source])

    def factors(self, source: Categorical, target: Categorical, times: TimeArray) -> Factors:
        """The factor of every row: from its source currency, to its target, at its time.

        A missing currency has none.
        """
        sources, targets = len(source.categories) + 1, len(target.categories) + 1
        periods = len(self.days) + 1
        place = (source.codes % sources * targets + target.codes % targets) * np.int64(periods)
        distinct, index = np.unique(place + self.period_of(times), return_inverse=True)
        exact: list[Fraction | None] = []
        for number in distinct.tolist():
            pair, period = divmod(number, periods)
            from_code, to_code = divmod(pair, targets)
            missing = from_code == sources - 1 or to_code == targets - 1
            exact.append(
                None
                if missing
                else self.factor(source.categories[from_code], target.categories[to_code], period)
            )
        return Factors(index.astype(np.int64), tuple(exact))

    def _major(self, currency: str, period: int) -> Fraction | None:
        if currency == self.base:
            return Fraction(1)
        rates = self.by_currency.get(currency)
        return None if rates is None else rates[period]


def rates_of(base: str, rows: Sequence[RateRow], where: str) -> Rates:
    """The table of some rows.

    Parameters
    ----------
    base
        currency that the rates count in.
    rows
        in any order.
    where
        the file, for errors.

    Raises
    ------
    UserError
        If a currency is not known, a rate is not positive, or two rows speak of the same day.
    """
    given: dict[str, dict[date, Fraction]] = {}
    for number, row in enumerate(rows):
        key = f"{where}: key rates[{number}]"
        known_currency(row.currency, f"{key}.currency")
        if row.currency == base:
            raise UserError(f"{key}.currency: {base} is what the rates count in; leave the row out")
        if not row.rate.is_finite() or row.rate <= 0:
            raise UserError(f"{key}.rate: is {row.rate}; expected a number above 0")
        by_day = given.setdefault(row.currency, {})
        if row.day in by_day:
            raise UserError(
                f"{key}: a second rate of {row.currency} from {row.day} on; keep one of them"
            )
        by_day[row.day] = Fraction(row.rate)
    days = sorted({day for by_day in given.values() for day in by_day})
    table = {}
    for currency, by_day in given.items():
        periods: list[Fraction | None] = [None]
        for day in days:
            periods.append(by_day.get(day, periods[-1]))
        table[currency] = tuple(periods)
    return Rates(base, np.array(days, "datetime64[D]"), table)
