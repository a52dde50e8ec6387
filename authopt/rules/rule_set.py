"""The rules as a whole: the networks' tables by the day, their fees, and the merchant's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from authopt.rules.dated import Dated, dated
from authopt.rules.durations import duration
from authopt.rules.fee_table import FEES, FeeTable, fee_table, read_fees
from authopt.rules.merchant import MerchantRules
from authopt.rules.table_rows import Row
from authopt.rules.tables import (
    ADVICE_CODES,
    ATTEMPT_LIMITS,
    RESPONSE_CODES,
    Category,
    CodeTable,
    LimitTable,
    Permission,
    advice_table,
    limit_table,
    read_advice_codes,
    read_attempt_limits,
    read_regions,
    read_response_codes,
    response_table,
)

UNKNOWN_ADVICE = (
    "advice code that the tables do not know; no attempt until the table of advice codes has a row "
    "for it"
)

_WITH_OTHER_DATA = "; only with corrected data"
_AFTER_ADVICE = {
    Permission.NEVER: "; never again",
    Permission.WITH_NEW_DATA: _WITH_OTHER_DATA,
    Permission.WITHOUT_TOKEN: "; not with a network token",
    Permission.NOT_RECURRING: "; not for a payment that the merchant starts",
}
_AFTER_RESPONSE = {
    Category.NEVER: "; never again",
    Category.DATA_QUALITY: _WITH_OTHER_DATA,
}


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRules:
    """The networks' tables in one period; a code or a limit has the same place in all periods."""

    response: CodeTable
    advice: CodeTable
    limits: LimitTable


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What is allowed, and what a breach costs; made by :func:`load_rules`.

    Attributes
    ----------
    networks
        the networks' tables, by the day of the attempt.
    fees
        what the networks charge, by the day of the attempt.
    merchant
        the merchant's own rules.
    reasons
        the text of every reason, by reason code: the networks' first, then the merchant's.
    """

    networks: Dated[NetworkRules]
    fees: Dated[FeeTable]
    merchant: MerchantRules
    reasons: tuple[str, ...]

    @property
    def response(self) -> CodeTable:
        """The newest table of response codes."""
        return self.networks.newest.response

    @property
    def advice(self) -> CodeTable:
        """The newest table of merchant advice codes."""
        return self.networks.newest.advice

    @property
    def limits(self) -> LimitTable:
        """The newest table of attempt limits."""
        return self.networks.newest.limits


def load_rules(
    *,
    response_codes: Path = RESPONSE_CODES,
    advice_codes: Path = ADVICE_CODES,
    attempt_limits: Path = ATTEMPT_LIMITS,
    fees: Path = FEES,
    merchant: MerchantRules | None = None,
    on: date | None = None,
) -> Rules:
    """Read the tables of rules.

    Parameters
    ----------
    response_codes, advice_codes, attempt_limits, fees
        CSV tables in the form of those that authopt ships.
    merchant
        the merchant's own rules; by default only a limit of attempts per payment.
    on
        the day whose rules hold for every attempt, whenever it is; by default each attempt is
        judged by the rules of its own day (UTC).

    Raises
    ------
    UserError
        If a table cannot be read or holds a value that it may not, naming file, line and column.
    """
    merchant = MerchantRules() if merchant is None else merchant
    regions = read_regions()
    response_file, advice_file = (
        read_response_codes(response_codes),
        read_advice_codes(advice_codes),
    )
    limits_file = read_attempt_limits(attempt_limits)
    response = dated(response_file.days, partial(response_table, response_file))
    advice = dated(advice_file.days, partial(advice_table, advice_file))
    limits = dated(limits_file.days, partial(limit_table, limits_file, regions))
    networks = dated(
        [*response.days, *advice.days, *limits.days],
        lambda day: NetworkRules(response.on(day), advice.on(day), limits.on(day)),
    )
    fee_file = read_fees(fees)
    of_day = dated(fee_file.days, partial(fee_table, fee_file, regions))
    if on is not None:
        networks, of_day = networks.pinned(on), of_day.pinned(on)
    newest = networks.newest
    reasons = (
        *(f"{text}; no further attempt" for text in newest.limits.text),
        *_with_endings(newest.response, _after_response),
        *_with_endings(newest.advice, _after_advice),
        UNKNOWN_ADVICE,
        *merchant.texts,
    )
    return Rules(networks, of_day, merchant, reasons)


def _with_endings(table: CodeTable, ending: Callable[[Row], str]) -> Iterable[str]:
    return (f"{text}{ending(row)}" for row, text in zip(table.rows, table.text, strict=True))


def _after_response(row: Row) -> str:
    return _AFTER_RESPONSE.get(row.one_of("category", Category), "")


def _after_advice(row: Row) -> str:
    wait_s = row.whole("wait_s")
    wait = f"; not before {duration(wait_s)} after the last attempt" if wait_s else ""
    return _AFTER_ADVICE.get(row.one_of("permission", Permission), wait)


DEFAULT_RULES = load_rules()
