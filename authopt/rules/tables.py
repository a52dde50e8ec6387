"""The code tables (CSV) as arrays that a whole batch is looked up in at once.

Each table is an array over (network, code) with one more row for every network that the table does
not name and one more column for every code that it does not know, so that the code -1 of a missing
or unknown value lands there by itself.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from authopt.batch import Categorical, CodeArray, IntArray
from authopt.errors import UserError
from authopt.payments import Network

E = TypeVar("E", bound=StrEnum)

ANY_NETWORK = "*"
NO_REASON = -1

RESPONSE_CODES = Path(__file__).with_name("response_codes.csv")
ADVICE_CODES = Path(__file__).with_name("advice_codes.csv")
ATTEMPT_LIMITS = Path(__file__).with_name("attempt_limits.csv")


class Category(StrEnum):
    """What a response code says about another attempt with the same card."""

    NEVER = "never"
    NOT_NOW = "not_now"
    DATA_QUALITY = "data_quality"
    GENERIC = "generic"


class Permission(StrEnum):
    """What a merchant advice code says about another attempt with the same card."""

    NEVER = "never"
    LATER = "later"
    WITH_NEW_DATA = "with_new_data"
    WITHOUT_TOKEN = "without_token"
    NOT_RECURRING = "not_recurring"


CATEGORIES = tuple(Category)
PERMISSIONS = tuple(Permission)


@dataclass(frozen=True, slots=True, eq=False)
class CodeTable:
    """What the codes of one kind mean on each network.

    Attributes
    ----------
    networks, codes
        the vocabularies of the two axes, both without the extra last entry.
    meaning
        int8[networks + 1, codes + 1], index into ``CATEGORIES`` or ``PERMISSIONS``; -1 unknown.
    wait_s
        int64[networks + 1, codes + 1], least wait from the last attempt, seconds.
    text
        one line for people per row of the table.
    row
        int16[networks + 1, codes + 1], index into ``text``; -1 unknown.
    """

    networks: tuple[str, ...]
    codes: tuple[str, ...]
    meaning: npt.NDArray[np.int8]
    wait_s: IntArray
    text: tuple[str, ...]
    row: npt.NDArray[np.int16]

    def code_of(self, column: Categorical) -> CodeArray:
        """int32[n], positions in ``codes``; -1 where missing or unknown."""
        return _positions(self.codes, column.categories)[column.codes]


@dataclass(frozen=True, slots=True, eq=False)
class LimitTable:
    """How many attempts of one payment a network takes within a window.

    Attributes
    ----------
    networks
        vocabulary of the first axis, without the extra last row for all others.
    attempts
        int64[networks + 1, limits], largest attempt number within the window (padded with a
        number no attempt reaches).
    window_s
        int64[networks + 1, limits], seconds from the payment's first attempt.
    text, row
        one line for people per row of the table, and int16[networks + 1, limits] into it.
    """

    networks: tuple[str, ...]
    attempts: IntArray
    window_s: IntArray
    text: tuple[str, ...]
    row: npt.NDArray[np.int16]


@lru_cache(maxsize=1024)
def _positions(codes: tuple[str, ...], values: tuple[str, ...]) -> CodeArray:
    """int32[values + 1], the place of each value among the codes; -1 at the end, for missing."""
    index = {code: position for position, code in enumerate(codes)}
    found = np.array([*(index.get(canonical(value), -1) for value in values), -1], np.int32)
    found.flags.writeable = False
    return found


def canonical(code: str) -> str:
    """A code as the tables write it: without blanks, upper case, a lone digit with its zero."""
    code = code.strip().upper()
    return f"0{code}" if len(code) == 1 else code


def read_response_codes(path: Path, on: date | None) -> CodeTable:
    """The response codes in effect on a day (None: the newest of each)."""
    return _code_table(path, on, "response_code", "category", Category, waits=False)


def read_advice_codes(path: Path, on: date | None) -> CodeTable:
    """The merchant advice codes in effect on a day (None: the newest of each)."""
    return _code_table(path, on, "advice_code", "permission", Permission, waits=True)


def read_attempt_limits(path: Path, on: date | None) -> LimitTable:
    """The attempt limits in effect on a day (None: the newest of each)."""
    rows = _rows(path, on, ("attempts", "window_s"), key=lambda row: (row.whole("window_s"),))
    networks, by_network = _by_network(rows)
    width = max([1, *(len(limits) for limits in by_network.values())])
    attempts = np.full((len(networks) + 1, width), np.iinfo(np.int64).max)
    window_s = np.zeros((len(networks) + 1, width), np.int64)
    row_of = np.full((len(networks) + 1, width), NO_REASON, np.int16)
    for position, network in enumerate((*networks, ANY_NETWORK)):
        for place, (number, row) in enumerate(by_network.get(network, [])):
            attempts[position, place] = row.whole("attempts", least=1)
            window_s[position, place] = row.whole("window_s", least=1)
            row_of[position, place] = number
    text = tuple(f"{_name(row.value('network'))}{row.value('meaning')}" for row in rows)
    return LimitTable(networks, attempts, window_s, text, row_of)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a table, able to say where a bad value stands."""

    path: Path
    line: int
    cells: dict[str, str]

    def value(self, column: str) -> str:
        return self.cells[column].strip()

    def wrong(self, column: str, expected: str) -> UserError:
        return UserError(
            f"{self.path}, line {self.line}, column {column}: {self.cells[column]!r}; "
            f"expected {expected}"
        )

    def networks(self) -> tuple[str, ...]:
        names = tuple(self.value("network").split())
        if not names or not set(names) <= {ANY_NETWORK, *Network}:
            raise self.wrong("network", f"* or some of: {' '.join(Network)}")
        return names

    def whole(self, column: str, least: int = 0) -> int:
        text = self.value(column)
        if not text.isdecimal() or int(text) < least:
            raise self.wrong(column, f"a whole number, at least {least}")
        return int(text)

    def day(self) -> date:
        text = self.value("effective_from")
        try:
            return date.fromisoformat(text) if text else date.min
        except ValueError:
            raise self.wrong("effective_from", "a day such as 2025-05-19, or nothing") from None

    def one_of(self, column: str, values: type[E]) -> E:
        try:
            return values(self.value(column))
        except ValueError:
            raise self.wrong(column, f"one of: {', '.join(values)}") from None


def _rows(
    path: Path,
    on: date | None,
    columns: Sequence[str],
    key: Callable[[_Row], tuple[object, ...]],
) -> list[_Row]:
    """Rows in effect on the day, the newest of each network and key."""
    needed = ("network", "meaning", "source", "effective_from", *columns)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: column(s) {', '.join(missing)} missing")
            rows = [_Row(path, reader.line_num, cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV table ({error})") from error
    newest: dict[tuple[object, ...], _Row] = {}
    for row in sorted(rows, key=_Row.day):
        if on is not None and row.day() > on:
            continue
        identity = (row.networks(), *key(row))
        if identity in newest and newest[identity].day() == row.day():
            raise UserError(
                f"{path}, line {row.line}: says the same as line {newest[identity].line} "
                "again; keep one of them"
            )
        newest[identity] = row
    return sorted(newest.values(), key=lambda row: row.line)


def _by_network(
    rows: Sequence[_Row],
) -> tuple[tuple[str, ...], dict[str, list[tuple[int, _Row]]]]:
    by_network: dict[str, list[tuple[int, _Row]]] = {}
    for number, row in enumerate(rows):
        for network in row.networks():
            by_network.setdefault(network, []).append((number, row))
    return tuple(name for name in by_network if name != ANY_NETWORK), by_network


def _code_table(
    path: Path, on: date | None, code_column: str, meaning: str, values: type[StrEnum], waits: bool
) -> CodeTable:
    columns = (code_column, meaning, "wait_s") if waits else (code_column, meaning)
    rows = _rows(path, on, columns, key=lambda row: (canonical(row.value(code_column)),))
    networks, by_network = _by_network(rows)
    codes = tuple(dict.fromkeys(canonical(row.value(code_column)) for row in rows))
    shape = (len(networks) + 1, len(codes) + 1)
    table = np.full(shape, -1, np.int8)
    wait_s = np.zeros(shape, np.int64)
    row_of = np.full(shape, NO_REASON, np.int16)
    order = list(values)
    position = {name: place for place, name in enumerate(networks)}
    # What holds for any network comes first; a network's own rows then take its place.
    for network in (ANY_NETWORK, *networks):
        where = slice(None) if network == ANY_NETWORK else position[network]
        for number, row in by_network.get(network, []):
            code = codes.index(canonical(row.value(code_column)))
            table[where, code] = order.index(row.one_of(meaning, values))
            wait_s[where, code] = row.whole("wait_s") if waits else 0
            row_of[where, code] = number
    kind = code_column.replace("_", " ")
    text = tuple(
        f"{_name(row.value('network'))}{kind} {canonical(row.value(code_column))} "
        f"({row.value('meaning')})"
        for row in rows
    )
    return CodeTable(networks, codes, table, wait_s, text, row_of)


def _name(network: str) -> str:
    return "" if network == ANY_NETWORK else f"{network.split()[0]} "
