"""The networks' fees for attempts that break their rules, as lines of a table (CSV)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

import numpy as np

from authopt.batch import BoolArray
from authopt.rules.table_rows import ANY_NETWORK, NETWORKS, Row, in_effect, read_rows
from authopt.rules.tables import COMMON, TableFile, canonical

FEES = Path(__file__).with_name("fees.csv")

_CURRENCY = re.compile(r"[A-Z]{3}")


class Event(StrEnum):
    """What a fee is charged for.

    ``after_never``: an attempt after a response code of the category ``never``; ``after_advice``:
    an attempt after one of the advice codes named; ``above_limit``: an attempt beyond a limit;
    ``with_advice``: one of the advice codes named comes with the answer, whatever is made of it.
    """

    AFTER_NEVER = "after_never"
    AFTER_ADVICE = "after_advice"
    ABOVE_LIMIT = "above_limit"
    WITH_ADVICE = "with_advice"


class Scope(StrEnum):
    """Where the card is from, seen from the merchant; each is told apart more finely than before.

    ``any``; ``domestic``: the merchant's country; ``cross_border``: another; ``interregional``:
    another, in another region.
    """

    ANY = "any"
    DOMESTIC = "domestic"
    CROSS_BORDER = "cross_border"
    INTERREGIONAL = "interregional"


@dataclass(frozen=True, slots=True, eq=False)
class FeeRule:
    """One line of the table.

    Attributes
    ----------
    number
        its place in the table.
    networks
        bool[networks + 1], by ``table_rows.NETWORKS``.
    events
        what it is charged for.
    advice_codes
        those that ``after_advice`` and ``with_advice`` are about.
    countries
        of merchants; empty for all.
    """

    number: int
    networks: BoolArray
    events: tuple[Event, ...]
    advice_codes: tuple[str, ...]
    countries: tuple[str, ...]
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class FeeTable:
    """The fees of one period.

    Attributes
    ----------
    rules
        the lines in effect, the more special after the more general.
    region_of
        the region that a country belongs to; a country without one is a region of its own.
    minor, currency, text
        fee in minor units (not rounded), its currency, and a sentence for people, of every line of
        the table, those of other periods too.
    """

    rules: tuple[FeeRule, ...]
    region_of: Mapping[str, str]
    minor: tuple[float, ...]
    currency: tuple[str, ...]
    text: tuple[str, ...]


def read_fees(path: Path) -> TableFile:
    """The lines of a table of fees."""

    def key(row: Row) -> tuple[object, ...]:
        return tuple(row.value(name) for name in ("event", "advice_codes", "merchant_in", "scope"))

    columns = ("event", "advice_codes", "merchant_in", "scope", "fee_minor", "currency")
    return TableFile(read_rows(path, (*COMMON, *columns), key), key)


def fee_table(file: TableFile, regions: dict[str, tuple[str, ...]], on: date) -> FeeTable:
    """The fees of a day."""
    all_rules = [_rule(number, row, regions) for number, row in enumerate(file.rows)]
    numbers = {
        number
        for of_network in in_effect(file.rows, file.key, on).values()
        for number, _ in of_network
    }
    region_of: dict[str, str] = {}
    for region, countries in regions.items():
        for country in countries:
            region_of.setdefault(country, region)
    return FeeTable(
        rules=tuple(sorted((all_rules[number] for number in sorted(numbers)), key=_speciality)),
        region_of=region_of,
        minor=tuple(row.number("fee_minor") for row in file.rows),
        currency=tuple(_currency(row) for row in file.rows),
        text=tuple(f"{row.networks()[0]} {row.value('meaning')}" for row in file.rows),
    )


def _rule(number: int, row: Row, regions: dict[str, tuple[str, ...]]) -> FeeRule:
    names = row.networks()
    if names == (ANY_NETWORK,):
        raise row.wrong("network", f"some of: {' '.join(NETWORKS)}; a fee is one network's")
    events = tuple(_event(row, name) for name in row.filled("event").split())
    codes = tuple(canonical(code) for code in row.value("advice_codes").split())
    if bool(codes) != bool({Event.AFTER_ADVICE, Event.WITH_ADVICE} & set(events)):
        raise row.wrong("advice_codes", "codes with after_advice or with_advice, else nothing")
    return FeeRule(
        number,
        np.array([name in names for name in (*NETWORKS, None)]),
        events,
        codes,
        row.countries("merchant_in", regions),
        row.one_of("scope", Scope),
    )


def _event(row: Row, name: str) -> Event:
    try:
        return Event(name)
    except ValueError:
        raise row.wrong("event", f"some of: {' '.join(Event)}") from None


def _currency(row: Row) -> str:
    if not _CURRENCY.fullmatch(row.value("currency")):
        raise row.wrong("currency", "an ISO 4217 code such as USD")
    return row.value("currency")


def _speciality(rule: FeeRule) -> tuple[bool, int, int]:
    return bool(rule.countries), -len(rule.countries), list(Scope).index(rule.scope)
