"""Lines of a rule table (CSV): read with care, able to say where a bad value stands.

Every table of rules has the columns ``network``, ``meaning``, ``source`` and ``effective_from``; a
line holds from that day (UTC) on, until a later line says the same thing anew.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from authopt.errors import UserError
from authopt.payments import Network

E = TypeVar("E", bound=StrEnum)

ANY_NETWORK = "*"
NETWORKS = tuple(Network)

_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    path, line
        where it stands.
    cells
        text by column.
    """

    path: Path
    line: int
    cells: dict[str, str]

    def value(self, column: str) -> str:
        """The text of a cell without blanks around it; empty where the table lacks the column."""
        return self.cells.get(column, "").strip()

    def wrong(self, column: str, expected: str) -> UserError:
        """The error that a cell is not as expected."""
        return UserError(
            f"{self.path}, line {self.line}, column {column}: {self.cells.get(column, '')!r}; "
            f"expected {expected}"
        )

    def filled(self, column: str) -> str:
        """The text of a cell that may not be empty."""
        if not self.value(column):
            raise self.wrong(column, "a value")
        return self.value(column)

    def networks(self) -> tuple[str, ...]:
        """The networks that the line is for; ``*`` alone for all that have no line of their own."""
        names = tuple(self.value("network").split())
        if names != (ANY_NETWORK,) and (not names or not set(names) <= set(NETWORKS)):
            raise self.wrong("network", f"* or some of: {' '.join(NETWORKS)}")
        return names

    def whole(self, column: str, least: int = 0) -> int:
        """A whole number."""
        text = self.value(column)
        if not (text.isascii() and text.isdigit()) or not least <= int(text) < 2**63:
            raise self.wrong(column, f"a whole number, at least {least}")
        return int(text)

    def number(self, column: str) -> float:
        """A number of 0 or more."""
        try:
            number = float(self.value(column))
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise self.wrong(column, "a number, at least 0")
        return number

    def day(self) -> date:
        """The first day on which the line holds; the first of all days where it says none."""
        text = self.value("effective_from")
        try:
            return date.fromisoformat(text) if text else date.min
        except ValueError:
            raise self.wrong("effective_from", "a day such as 2025-05-19, or nothing") from None

    def one_of(self, column: str, values: type[E]) -> E:
        """A word out of a fixed list."""
        try:
            return values(self.value(column))
        except ValueError:
            raise self.wrong(column, f"one of: {', '.join(values)}") from None

    def countries(self, column: str, regions: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Countries (ISO 3166, two letters), those of the regions named among them included."""
        found: list[str] = []
        for name in self.value(column).split():
            if name not in regions and not _COUNTRY.fullmatch(name):
                expected = f"countries such as BR, or some of: {' '.join(regions)}; or nothing"
                raise self.wrong(column, expected)
            found.extend(regions.get(name, (name,)))
        return tuple(dict.fromkeys(found))


Key = Callable[[Row], tuple[object, ...]]
"""What, beside the network, two lines have in common where the later replaces the earlier."""


def read_rows(path: Path, columns: Sequence[str], key: Key | None = None) -> list[Row]:
    """All lines of a table, in their order.

    Parameters
    ----------
    path
        a CSV file, UTF-8, with a header.
    columns
        that it must have; it may have more.
    key
        finds lines that say the same again for the same day; not looked for where None.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a column, or has a line of another width than the header
        or one that says the same as another.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval=None)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: column(s) {', '.join(missing)} missing")
            lines = [(reader.line_num, cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV table ({error})") from error
    rows = []
    for line, cells in lines:
        if None in cells:
            raise UserError(
                f"{path}, line {line}: more cells than the header has; quote a cell that holds a "
                "comma"
            )
        # The last columns may be left out: they are empty then.
        rows.append(Row(path, line, {name: text or "" for name, text in cells.items()}))
    if key is not None:
        _check_different(rows, key)
    return rows


def _check_different(rows: Iterable[Row], key: Key) -> None:
    first: dict[tuple[object, ...], Row] = {}
    for row in rows:
        for network in row.networks():
            before = first.setdefault((network, *key(row), row.day()), row)
            if before is not row:
                raise UserError(
                    f"{row.path}, line {row.line}: says the same as line {before.line} again; "
                    "keep one of them"
                )


def in_effect(rows: Sequence[Row], key: Key, on: date) -> dict[str, list[tuple[int, Row]]]:
    """The lines in effect on a day, each with its place among ``rows``, by network (or ``*``)."""
    newest: dict[str, dict[tuple[object, ...], tuple[int, Row]]] = {}
    for number, row in sorted(enumerate(rows), key=lambda each: each[1].day()):
        if row.day() <= on:
            for network in row.networks():
                newest.setdefault(network, {})[key(row)] = (number, row)
    return {
        name: sorted(found.values(), key=lambda each: each[0]) for name, found in newest.items()
    }
