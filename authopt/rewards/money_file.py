"""A reward in money from its TOML file; data/rewards/README.md explains every key."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from authopt.errors import UserError
from authopt.prices import load_prices
from authopt.prices.conditions import Condition, Texts
from authopt.prices.currencies import known_currency
from authopt.prices.price_file import SEE
from authopt.prices.rates import RateRow, rates_of
from authopt.rewards.chargebacks import WINDOW_DAYS, Chargebacks
from authopt.rewards.money import Largest, Margin, MoneyReward
from authopt.toml_file import read_toml


class MarginRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another margin for some merchants or merchant category codes."""

    share: Decimal
    merchant_id: Texts | None = None
    mcc: Texts | None = None


class MarginKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the approved amount."""

    share: Decimal
    by: tuple[MarginRow, ...] = ()


class FeesKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """Where an attempt's fees are taken from."""

    source: Literal["prices", "log", "log or prices"] = "prices"
    excess_retries: bool = True


class ChargebackKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How losses by chargeback are counted."""

    fee_minor: int
    window_days: int = WINDOW_DAYS
    as_of: Any = None
    fraud_score: float | None = None


class LargestKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What nothing exceeds."""

    amount_minor: int
    fees_minor: int
    churn_minor: int | None = None


class RewardFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    currency: str
    margin: MarginKeys
    largest: LargestKeys
    prices: str | None = None
    fees: FeesKeys = FeesKeys()
    chargebacks: ChargebackKeys | None = None
    churn: bool = False
    rates: tuple[RateRow, ...] | None = None


def load_money_reward(path: Path) -> MoneyReward:
    """Read and check a reward in money, and the price list that it names.

    Raises
    ------
    UserError
        Naming the file, the key, the value and what was expected.
    """
    content = read_toml(path, RewardFile, SEE, exact=True)

    def wrong(key: str, what: str) -> UserError:
        return UserError(f"{path}: key {key}: {what}. {SEE}")

    currency = known_currency(content.currency, f"{path}: key currency")
    needs_prices = content.fees.source != "log"
    if needs_prices and content.prices is None:
        raise wrong("prices", f"is missing, and fees.from is {content.fees.source!r}")
    if not needs_prices and content.prices is not None:
        raise wrong("prices", "is not used where fees.from is 'log'; say 'log or prices'")
    listed = None if content.prices is None else path.parent / content.prices
    prices = None if listed is None else load_prices(listed)
    if content.rates is None and prices is not None:
        rates = prices.rates
    else:
        rates = rates_of(currency, content.rates or (), str(path))
    largest = content.largest
    for key in ("amount_minor", "fees_minor", "churn_minor"):
        value = getattr(largest, key)
        if value is not None and value < (1 if key == "amount_minor" else 0):
            raise wrong(f"largest.{key}", f"is {value}; expected a number of minor units")
    if content.churn == (largest.churn_minor is None):
        raise wrong("largest.churn_minor", "belongs to churn = true: give both or neither")
    margins = tuple(
        Margin(
            Condition(merchant_id=row.merchant_id, mcc=row.mcc),
            _share(row.share, f"margin.by[{number}].share", path),
        )
        for number, row in enumerate(content.margin.by)
    )
    everywhere = Margin(Condition(), _share(content.margin.share, "margin.share", path))
    return MoneyReward(
        files=(path,) if listed is None else (path, listed),
        currency=currency,
        margins=(*margins, everywhere),
        logged_fees=content.fees.source != "prices",
        prices=prices,
        rates=rates,
        excess_retries=content.fees.excess_retries,
        chargebacks=_chargebacks(content.chargebacks, path),
        churn=content.churn,
        largest=Largest(largest.amount_minor, largest.fees_minor, largest.churn_minor or 0),
    )


def _share(share: Decimal, key: str, path: Path) -> Fraction:
    if not share.is_finite() or not 0 <= share <= 1:
        raise UserError(f"{path}: key {key}: is {share}; expected 0 to 1. {SEE}")
    return Fraction(share)


def _chargebacks(keys: ChargebackKeys | None, path: Path) -> Chargebacks | None:
    if keys is None:
        return None

    def wrong(key: str, what: str) -> UserError:
        return UserError(f"{path}: key chargebacks.{key}: {what}. {SEE}")

    if keys.fee_minor < 0:
        raise wrong("fee_minor", f"is {keys.fee_minor}; expected 0 or more minor units")
    if keys.window_days < 0:
        raise wrong("window_days", f"is {keys.window_days}; expected 0 or more days")
    if keys.fraud_score is not None and not 0.0 <= keys.fraud_score <= 1.0:
        raise wrong("fraud_score", f"is {keys.fraud_score:g}; expected 0 to 1")
    if keys.as_of is not None and not isinstance(keys.as_of, date):
        raise wrong("as_of", f"is {keys.as_of!r}; expected a day or a time without quotes")
    as_of = None if keys.as_of is None else _moment(keys.as_of)
    return Chargebacks(keys.fee_minor, keys.window_days, as_of, keys.fraud_score)


def _moment(given: date) -> np.datetime64:
    """A day, or a time (UTC unless it names its offset), as the log counts it."""
    if isinstance(given, datetime) and given.tzinfo is not None:
        given = given.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(given, "us")
