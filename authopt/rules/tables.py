"""The code tables (CSV) as arrays that a whole batch is looked up in at once.

Each table is an array over (network, code) with one more row for a network that is not known and
one more column for every code that the table does not know, so that the code -1 of a missing or
unknown value lands there by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, Categorical, CodeArray, IntArray
from authopt.rules.table_rows import ANY_NETWORK, NETWORKS, Key, Row, in_effect, read_rows

NO_REASON = -1

RESPONSE_CODES = Path(__file__).with_name("response_codes.csv")
ADVICE_CODES = Path(__file__).with_name("advice_codes.csv")
ATTEMPT_LIMITS = Path(__file__).with_name("attempt_limits.csv")
REGIONS = Path(__file__).with_name("regions.csv")

COMMON = ("network", "meaning", "source", "effective_from")
"""Columns that every table of rules has."""


class Category(StrEnum):
    """What a response code says about another attempt with the same card."""

    NEVER = "never"
    NOT_NOW = "not_now"
    DATA_QUALITY = "data_quality"
    GENERIC = "generic"


class Permission(StrEnum):
    """What a code says about another attempt with the same card."""

    NEVER = "never"
    LATER = "later"
    WITH_NEW_DATA = "with_new_data"
    WITHOUT_TOKEN = "without_token"
    NOT_RECURRING = "not_recurring"


CATEGORIES = tuple(Category)
PERMISSIONS = tuple(Permission)


@dataclass(frozen=True, slots=True, eq=False)
class CodeTable:
    """What the codes of one kind mean on each network, in one period.

    Attributes
    ----------
    networks
        those with codes of their own.
    codes
        vocabulary of the second axis, without the extra last entry.
    own
        bool[networks + 1], by ``table_rows.NETWORKS``: the network has codes of its own.
    meaning
        int8[networks + 1, codes + 1], index into ``CATEGORIES`` or ``PERMISSIONS``; -1 unknown.
    wait_s
        int64[networks + 1, codes + 1], least wait from the last attempt, seconds.
    row
        int16[networks + 1, codes + 1], index into ``rows`` and ``text``; -1 unknown.
    rows, text
        the lines of the table, those of other periods too, and one sentence for people of each.
    """

    networks: tuple[str, ...]
    codes: tuple[str, ...]
    own: BoolArray
    meaning: npt.NDArray[np.int8]
    wait_s: IntArray
    row: npt.NDArray[np.int16]
    rows: tuple[Row, ...]
    text: tuple[str, ...]

    def code_of(self, column: Categorical) -> CodeArray:
        """int32[n], positions in ``codes``; -1 where missing or unknown."""
        return code_positions(self.codes, column.categories)[column.codes]


@dataclass(frozen=True, slots=True, eq=False)
class LimitTable:
    """How many attempts a network takes within a window, in one period.

    Attributes
    ----------
    countries
        vocabulary of the first axis (the merchant's country), without the extra last entry for all
        others.
    attempts
        int64[countries + 1, networks + 1, limits], largest number of an attempt within the window
        (padded with a number no attempt reaches).
    window_s
        int64, the same shape, seconds.
    least
        the smallest of all ``attempts``.
    row
        int16, the same shape, index into ``rows`` and ``text``; -1 where padded.
    rows, text
        the lines of the table, those of other periods too, and one sentence for people of each.
    """

    countries: tuple[str, ...]
    attempts: IntArray
    window_s: IntArray
    least: int
    row: npt.NDArray[np.int16]
    rows: tuple[Row, ...]
    text: tuple[str, ...]


def canonical(code: str) -> str:
    """A code as the tables write it: without blanks, upper case, a lone digit with its zero."""
    code = code.strip().upper()
    return f"0{code}" if len(code) == 1 else code


@lru_cache(maxsize=1024)
def code_positions(codes: tuple[str, ...], values: tuple[str, ...]) -> CodeArray:
    """int32[values + 1], the place of each value among the codes; -1 at the end, for missing."""
    return positions(codes, tuple(canonical(value) for value in values))


@lru_cache(maxsize=1024)
def positions(vocabulary: tuple[str, ...], values: tuple[str, ...]) -> CodeArray:
    """int32[values + 1], the place of each value in a vocabulary; -1 at the end, for missing."""
    index = {name: place for place, name in enumerate(vocabulary)}
    found = np.array([*(index.get(value, -1) for value in values), -1], np.int32)
    found.flags.writeable = False
    return found


@dataclass(frozen=True, slots=True)
class TableFile:
    """The lines of one table of rules, and how one of them replaces an earlier one."""

    rows: list[Row]
    key: Key

    @property
    def days(self) -> list[date]:
        """The days on which a line comes into effect."""
        return [row.day() for row in self.rows]


def read_response_codes(path: Path) -> TableFile:
    """The lines of a table of response codes."""
    return _code_file(path, "response_code", "category")


def read_advice_codes(path: Path) -> TableFile:
    """The lines of a table of merchant advice codes."""
    return _code_file(path, "advice_code", "permission", "wait_s")


def read_attempt_limits(path: Path) -> TableFile:
    """The lines of a table of attempt limits."""

    def key(row: Row) -> tuple[object, ...]:
        return row.whole("window_s", least=1), row.value("merchant_in")

    return TableFile(read_rows(path, (*COMMON, "attempts", "window_s"), key), key)


def read_regions(path: Path = REGIONS) -> dict[str, tuple[str, ...]]:
    """The countries of each region that a table may name."""
    return {
        row.filled("region"): row.countries("countries", {})
        for row in read_rows(path, ("region", "countries", "source"))
    }


def response_table(file: TableFile, on: date) -> CodeTable:
    """What the response codes mean on a day."""
    return _code_table(file, on, "response_code", "category", Category)


def advice_table(file: TableFile, on: date) -> CodeTable:
    """What the merchant advice codes mean on a day."""
    return _code_table(file, on, "advice_code", "permission", Permission)


def limit_table(file: TableFile, regions: dict[str, tuple[str, ...]], on: date) -> LimitTable:
    """The attempt limits of a day.

    A limit for some countries takes the place of the network's limit with the same window there;
    what is said for ``*`` holds where a network has no limit of its own at all.
    """
    by_network = in_effect(file.rows, file.key, on)
    limits = [(row.whole("attempts", least=1), row.whole("window_s", least=1)) for row in file.rows]
    where = [row.countries("merchant_in", regions) for row in file.rows]
    countries = tuple(dict.fromkeys(name for names in where for name in names))

    def holding(country: str | None, network: str) -> list[int]:
        by_window: dict[int, int] = {}
        found = [number for number, _ in by_network.get(network, ())]
        for number in sorted(found, key=lambda number: bool(where[number])):
            if not where[number] or country in where[number]:
                by_window[limits[number][1]] = number
        if not by_window and network != ANY_NETWORK:
            return holding(country, ANY_NETWORK)
        return sorted(by_window.values())

    held = [
        [holding(country, network) for network in (*NETWORKS, ANY_NETWORK)]
        for country in (*countries, None)
    ]
    width = max(1, *(len(numbers) for row in held for numbers in row))
    shape = (len(countries) + 1, len(NETWORKS) + 1, width)
    attempts = np.full(shape, np.iinfo(np.int64).max)
    window_s = np.zeros(shape, np.int64)
    row_of = np.full(shape, NO_REASON, np.int16)
    for country, of_networks in enumerate(held):
        for network, numbers in enumerate(of_networks):
            for place, number in enumerate(numbers):
                at = country, network, place
                attempts[at], window_s[at] = limits[number]
                row_of[at] = number
    text = tuple(f"{_name(row)}{row.value('meaning')}" for row in file.rows)
    least = int(attempts.min())
    return LimitTable(countries, attempts, window_s, least, row_of, tuple(file.rows), text)


def _code_file(path: Path, code_column: str, *columns: str) -> TableFile:
    def key(row: Row) -> tuple[object, ...]:
        return (canonical(row.filled(code_column)),)

    return TableFile(read_rows(path, (*COMMON, code_column, *columns), key), key)


def _code_table(
    file: TableFile, on: date, code_column: str, meaning: str, values: type[StrEnum]
) -> CodeTable:
    by_network = in_effect(file.rows, file.key, on)
    code_of_row = [canonical(row.value(code_column)) for row in file.rows]
    codes = tuple(dict.fromkeys(code_of_row))
    order: Sequence[StrEnum] = list(values)
    meaning_of_row = [order.index(row.one_of(meaning, values)) for row in file.rows]
    has_waits = values is Permission
    wait_of_row = [row.whole("wait_s") if has_waits else 0 for row in file.rows]
    shape = (len(NETWORKS) + 1, len(codes) + 1)
    table = np.full(shape, -1, np.int8)
    wait_s = np.zeros(shape, np.int64)
    row_of = np.full(shape, NO_REASON, np.int16)
    own = np.zeros(len(NETWORKS) + 1, np.bool_)
    # What holds for any network comes first; a network's own rows then take its place.
    for network in sorted(by_network, key=lambda name: name != ANY_NETWORK):
        where: slice | int = slice(None)
        if network != ANY_NETWORK:
            where = NETWORKS.index(network)
        own[where] = True
        for number, _ in by_network[network]:
            code = codes.index(code_of_row[number])
            table[where, code] = meaning_of_row[number]
            wait_s[where, code] = wait_of_row[number]
            row_of[where, code] = number
    kind = code_column.replace("_", " ")
    text = tuple(
        f"{_name(row)}{kind} {code} ({row.value('meaning')})"
        for row, code in zip(file.rows, code_of_row, strict=True)
    )
    networks = tuple(name for place, name in enumerate(NETWORKS) if own[place])
    return CodeTable(networks, codes, own, table, wait_s, row_of, tuple(file.rows), text)


def _name(row: Row) -> str:
    network = row.networks()[0]
    return "" if network == ANY_NETWORK else f"{network} "
