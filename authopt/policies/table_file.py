"""The file of a table of probabilities, read and checked.

It is a CSV with the columns ``route`` and ``probability``, with ``delay_s`` if routes are
used after different delays, and with any columns of the context as keys::

    x_position,route,probability
    1,adyen,0.7
    1,braintree,0.3
    2,adyen,0.5
    2,braintree,0.5

Whatever can be tabulated (rules, another system's scores, shares of an experiment) can be judged
in this form.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.actions import MAX_DELAY_S, STOP_ROUTE
from authopt.batch import Categorical, CodeArray, FloatArray, IntArray
from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX

ROUTE, DELAY, PROBABILITY = "route", "delay_s", "probability"
ATTEMPT = "attempt"
"""The number of the attempt can be a key although it is no column of the context."""

SUM_TOLERANCE = 0.01
"""How far from 1 the probabilities of one context may sum: enough for rounded ones, too little for
percentages, or for a route that was left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Probabilities by context and action, with the contexts and actions as codes.

    Attributes
    ----------
    keys
        names of the context columns.
    values
        by key, the distinct cells; "" stands for a missing value.
    combinations
        int64[c], sorted: the contexts that the table has, each a number in the mixed radix of
        ``values``.
    routes, delays
        the vocabularies of the actions; no delays where the table has no such column.
    cells
        float64[c, len(routes) * max(1, len(delays))]; NaN where the table has no row.
    """

    keys: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    combinations: IntArray
    routes: tuple[str, ...]
    delays: tuple[int, ...]
    cells: FloatArray


def read_table(path: Path) -> Table:
    """Read a table.

    Raises
    ------
    UserError
        If the file is missing, or holds something else; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            keys = _keys(path, header)
            rows = _Rows(path, header, keys)
            for cells in reader:
                if cells:
                    rows.add(reader.line_num, [cell.strip() for cell in cells])
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file. Expected a CSV with columns {ROUTE}, {PROBABILITY} and keys"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8 ({error})") from None
    return rows.table()


def _keys(path: Path, header: list[str]) -> tuple[str, ...]:
    for needed in (ROUTE, PROBABILITY):
        if needed not in header:
            raise UserError(
                f"{path}: column {needed!r} is missing. Expected a CSV with columns {ROUTE}, "
                f"{PROBABILITY}, perhaps {DELAY}, and columns of the context"
            )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UserError(f"{path}: column {twice[0]!r} stands in the header more than once")
    keys = tuple(name for name in header if name not in (ROUTE, DELAY, PROBABILITY))
    for name in keys:
        if name != ATTEMPT and name not in CONTEXT_BY_NAME and not name.startswith(CUSTOM_PREFIX):
            raise UserError(
                f"{path}: column {name!r} is no column of the context. Expected {ATTEMPT}, "
                f"{', '.join(CONTEXT_BY_NAME)}, or one of your own ({CUSTOM_PREFIX}...)"
            )
    return keys


class _Rows:
    """The rows of the file, as they are read and checked."""

    def __init__(self, path: Path, header: list[str], keys: tuple[str, ...]) -> None:
        self.path = path
        self.keys = keys
        self.width = len(header)
        self.key_places = [header.index(name) for name in keys]
        self.route_place = header.index(ROUTE)
        self.probability_place = header.index(PROBABILITY)
        self.delay_place = header.index(DELAY) if DELAY in header else None
        self.line_of: dict[tuple[tuple[str, ...], str, int], int] = {}
        self.probabilities: list[float] = []

    def add(self, line: int, cells: list[str]) -> None:
        if len(cells) != self.width:
            raise UserError(
                f"{self.path}, line {line}: {len(cells)} cells; the header has {self.width}"
            )
        route = cells[self.route_place]
        if not route:
            raise UserError(f"{self.path}, line {line}: {ROUTE} is empty")
        delay = 0 if self.delay_place is None else self._delay(line, cells[self.delay_place])
        if route == STOP_ROUTE and delay:
            raise UserError(f"{self.path}, line {line}: {STOP_ROUTE!r} has the delay 0")
        cell = (tuple(cells[place] for place in self.key_places), route, delay)
        before = self.line_of.setdefault(cell, line)
        if before != line:
            raise UserError(f"{self.path}, line {line}: says again what line {before} says")
        self.probabilities.append(self._probability(line, cells[self.probability_place]))

    def _delay(self, line: int, text: str) -> int:
        if not text.isdecimal() or int(text) > MAX_DELAY_S:
            raise UserError(
                f"{self.path}, line {line}: {DELAY} is {text!r}; expected 0 to {MAX_DELAY_S}"
            )
        return int(text)

    def _probability(self, line: int, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not 0.0 <= value <= 1.0:
            raise UserError(f"{self.path}, line {line}: {PROBABILITY} is {text!r}; expected 0 to 1")
        return value

    def table(self) -> Table:
        """What was read.

        Raises
        ------
        UserError
            If there was nothing, or the probabilities of a context do not sum to 1.
        """
        if not self.line_of:
            raise UserError(f"{self.path}: the table has no rows")
        contexts = [cell[0] for cell in self.line_of]
        columns = [Categorical.from_values(values) for values in zip(*contexts, strict=True)]
        values = tuple(column.categories for column in columns)
        if math.prod(len(cells) for cells in values) > np.iinfo(np.int64).max:
            raise UserError(f"{self.path}: {len(self.keys)} keys of so many values are too many")
        number = number_of([column.codes for column in columns], values, len(contexts))
        combinations, row = np.unique(number, return_inverse=True)
        route = Categorical.from_values(cell[1] for cell in self.line_of)
        width, column = len(route.categories), route.codes.astype(np.int64)
        delays: tuple[int, ...] = ()
        if self.delay_place is not None:
            known, delay = np.unique([cell[2] for cell in self.line_of], return_inverse=True)
            delays = tuple(known.tolist())
            width, column = width * len(delays), column * len(delays) + delay
        cells = np.full((len(combinations), width), np.nan)
        cells[row, column] = self.probabilities
        self._check_sums(np.nansum(cells, axis=1), contexts, row)
        return Table(self.keys, values, combinations, route.categories, delays, cells)

    def _check_sums(self, sums: FloatArray, contexts: list[tuple[str, ...]], row: IntArray) -> None:
        wrong = np.flatnonzero(np.abs(sums - 1.0) > SUM_TOLERANCE)
        if len(wrong):
            context = contexts[int(np.flatnonzero(row == wrong[0])[0])]
            pairs = zip(self.keys, context, strict=True)
            shown = ", ".join(f"{name} {cell or 'missing'}" for name, cell in pairs)
            raise UserError(
                f"{self.path}: the probabilities for {shown or 'every context'} sum to "
                f"{sums[wrong[0]]:.6g}; expected 1"
            )


def number_of(codes: list[CodeArray], values: tuple[tuple[str, ...], ...], n: int) -> IntArray:
    """int64[n], codes of several keys as one number; -1 where one of them is."""
    number, absent = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    for code, cells in zip(codes, values, strict=True):
        number = number * len(cells) + code
        absent |= code < 0
    return np.where(absent, -1, number)
