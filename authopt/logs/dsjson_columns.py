"""Which columns a dsjson file has, and the values of its events as values of those columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import msgspec
import pyarrow as pa

from authopt.errors import UserError
from authopt.logs.dsjson_event import EventError, OwnHeading, decode_event, row_of
from authopt.logs.heading import parse_heading
from authopt.logs.schema import (
    PROPENSITY,
    REQUIRED,
    PropensitySource,
    check_columns,
    column_type,
    is_custom,
)
from authopt.payments import CONTEXT_BY_NAME, OUTCOME_BY_NAME, Kind

MOST_COLUMNS = 512
"""Most columns out of the features of foreign events."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a dsjson file.

    Attributes
    ----------
    names
        of the columns that are read.
    kinds
        of the custom ones.
    propensity
        where the propensities come from.
    known
        names that an event may have; those that are not in ``names`` are left out.
    remarks
        what a user should know about how the file is read.
    """

    names: tuple[str, ...]
    kinds: dict[str, Kind]
    propensity: PropensitySource
    known: frozenset[str]
    remarks: tuple[str, ...] = ()

    @classmethod
    def of_first_event(cls, line: bytes, where: str) -> Self | None:
        """As the first event says; None where authopt did not write it."""
        try:
            event = decode_event(line)
        except EventError:
            return None
        if event.own is None or event.own.file is None:
            return None
        return cls._of_heading(event.own.file, where)

    @classmethod
    def _of_heading(cls, own: OwnHeading, where: str) -> Self:
        heading = parse_heading(own.heading, where)
        if heading is None:
            raise UserError(f"{where}: the heading in the first event is not understood")
        check_columns(own.columns, where)
        has_propensity = "propensity" in own.columns
        return cls(
            tuple(own.columns),
            {name: kind for name, kind in heading.kinds.items() if is_custom(name)},
            heading.propensity if has_propensity else PropensitySource.UNKNOWN,
            frozenset(own.columns) | frozenset(PROPENSITY),
        )

    @classmethod
    def of_events(cls, lines: Iterable[tuple[int, bytes]]) -> Self | None:
        """The union over all events that are rows; None where there is none."""
        kinds: dict[str, Kind | None] = {}
        foreign = untimed = rows = 0
        for number, line in lines:
            try:
                event = decode_event(line)
                row = row_of(event, number)
            except EventError:
                continue
            rows += 1
            foreign += event.own is None
            untimed += event.timestamp is None
            for name, value in row.items():
                if is_custom(name):
                    kinds[name] = _widened(kinds.get(name), value)
                elif value is not None:
                    kinds[name] = None
        if not rows:
            return None
        custom = [name for name in kinds if is_custom(name)]
        order = (*REQUIRED, *PROPENSITY, *CONTEXT_BY_NAME, *OUTCOME_BY_NAME)
        names = [name for name in order if name in kinds] + custom[:MOST_COLUMNS]
        remarks = []
        if foreign:
            remarks.append(
                "the events were not written by authopt: minus their cost is the column 'reward' "
                "(evaluate with --reward column:reward:LOW:HIGH)"
            )
        if untimed:
            remarks.append(
                f"{untimed} event(s) have no Timestamp; they got a second of the year 2000 each, "
                "in the order of the file"
            )
        if len(custom) > MOST_COLUMNS:
            remarks.append(
                f"{len(custom) - MOST_COLUMNS} of {len(custom)} features are left out; at most "
                f"{MOST_COLUMNS} become columns"
            )
        return cls(
            tuple(names),
            {name: kinds[name] or Kind.CATEGORY for name in custom},
            PropensitySource.LOGGED if "propensity" in kinds else PropensitySource.UNKNOWN,
            frozenset(kinds) | frozenset(order),
            tuple(remarks),
        )


def _widened(kind: Kind | None, value: Any) -> Kind | None:
    """The narrowest kind that holds the value and all those before."""
    values = value if isinstance(value, list) else [value]
    for each in values:
        found = _kind(each)
        if kind is None or found is None or kind is found:
            kind = kind or found
        else:
            both = {kind, found}
            kind = Kind.NUMBER if both == {Kind.NUMBER, Kind.INTEGER} else Kind.CATEGORY
    return kind


def _kind(value: Any) -> Kind | None:
    if isinstance(value, bool):
        return Kind.FLAG
    if isinstance(value, int):
        return Kind.INTEGER if abs(value) < 2**53 else Kind.NUMBER
    if isinstance(value, float):
        return Kind.NUMBER
    return None if value is None else Kind.CATEGORY


Coerce = Callable[[Any], Any]
"""A JSON value as a value of a column's type; raises EventError where it does not fit."""


def coercion(data_type: pa.DataType, name: str) -> Coerce:
    """What brings the JSON values of one column to its type."""
    if pa.types.is_list(data_type):
        one = coercion(data_type.value_type, name)

        def to_list(value: Any) -> Any:
            if value is None:
                return None
            if not isinstance(value, list):
                raise EventError(name, value, "expected one value per action")
            return [one(each) for each in value]

        return to_list
    plain = _PLAIN.get(data_type.id, str)
    is_own = column_type(name) is None

    def to_plain(value: Any) -> Any:
        if value is None or (type(value) is plain and plain is not int and plain is not float):
            return value
        if plain is int and type(value) is int:
            limit = 1 << (data_type.bit_width - 1)
            if -limit <= value < limit:
                return value
        elif plain is float and type(value) in (int, float):
            number = _float(value)
            if math.isfinite(number):
                return number
        elif plain is str and is_own and type(value) in (bool, int, float):
            return msgspec.json.encode(value).decode()
        raise EventError(name, value, f"expected {_expected(data_type)}")

    return to_plain


_PLAIN: dict[int, type] = {
    pa.bool_().id: bool,
    pa.int32().id: int,
    pa.int64().id: int,
    pa.float64().id: float,
}


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _expected(data_type: pa.DataType) -> str:
    if pa.types.is_boolean(data_type):
        return "true or false"
    if pa.types.is_integer(data_type):
        return f"a whole number of {data_type.bit_width} bits"
    return "a finite number" if pa.types.is_floating(data_type) else "text"
