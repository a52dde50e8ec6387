"""From what decisions add to the rows of the table, and their writing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from service.store.tables import summaries
from service.summaries.counted import Counted
from service.summaries.cuts import VALUED, Cut, Span
from service.summaries.sums import MONEY, NAMES

_KEYS = ("tenant", "span_s", "cut", "start_us", "value", "route")
_JSON = msgspec.json.Encoder()


def cells(
    tenant: str, entries: Sequence[tuple[int, Counted]], kept_from_us: dict[Span, int]
) -> list[tuple[Any, ...]]:
    """The rows that change, as column values in the order of the table, each by how much.

    Parameters
    ----------
    tenant
        whose.
    entries
        what is added (1) and taken away (-1).
    kept_from_us
        start of the oldest span of each length that is kept.
    """
    if not entries:
        return []
    sign = np.array([each for each, _ in entries], np.int64)
    minute = np.array([each.minute_us for _, each in entries], np.int64)
    route, routes = _coded([each.route for _, each in entries])
    sums = np.array([each.sums for _, each in entries], np.int64) * sign[:, None]
    unpriced = sums.copy()
    unpriced[:, MONEY] = 0
    columns: dict[Cut, tuple[NDArray[np.int64], list[str]]] = {
        Cut.ALL: (np.zeros(len(entries), np.int64), [""])
    }
    for at, cut in enumerate(VALUED):
        columns[cut] = _coded([each.values[at] for _, each in entries])
    rows: list[tuple[Any, ...]] = []
    for span in Span:
        length, start = int(span), minute - minute % span.us
        kept = np.flatnonzero(start >= kept_from_us.get(span, 0))
        if not kept.size:
            continue
        starts, time = np.unique(start[kept], return_inverse=True)
        for cut in span.cuts:
            value, values = columns[cut]
            key = (time * len(values) + value[kept]) * len(routes) + route[kept]
            added = sums if cut is Cut.CURRENCY else unpriced
            name = cut.value
            for code, total in _grouped(key, added[kept]):
                rest, at_route = divmod(code, len(routes))
                at_time, at_value = divmod(rest, len(values))
                where = (int(starts[at_time]), values[at_value], routes[at_route])
                rows.append((tenant, length, name, *where, *total))
    return rows


def _coded(values: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    codes: dict[str, int] = {}
    coded = [codes.setdefault(value, len(codes)) for value in values]
    return np.array(coded, np.int64), list(codes)


def _grouped(key: NDArray[np.int64], added: NDArray[np.int64]) -> Iterator[tuple[int, list[int]]]:
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    totals = np.add.reduceat(added[order], begins)
    changed = totals.any(axis=1)
    return zip(ordered[begins][changed].tolist(), totals[changed].tolist(), strict=True)


def add_cells(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add to the rows of the table, and make those that are not there."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        sent = _JSON.encode([dict(zip(_names(), row, strict=True)) for row in rows]).decode()
        connection.exec_driver_sql(_from_json(), (sent,))
    else:
        connection.exec_driver_sql(_of_row(), list(rows))


def _names() -> tuple[str, ...]:
    return (*_KEYS, *NAMES)


def _adding() -> str:
    sums = ", ".join(f"{name} = summaries.{name} + excluded.{name}" for name in NAMES)
    return f"ON CONFLICT ({', '.join(_KEYS)}) DO UPDATE SET {sums}"


@cache
def _of_row() -> str:
    marks = ", ".join("?" * len(_names()))
    return f"INSERT INTO summaries ({', '.join(_names())}) VALUES ({marks}) {_adding()}"


@cache
def _from_json() -> str:
    names = ", ".join(_names())
    typed = ", ".join(f"{name} {summaries.c[name].type.compile()}" for name in _names())
    return (
        f"INSERT INTO summaries ({names}) SELECT {names} FROM json_to_recordset(%s) AS sent "
        f"({typed}) {_adding()}"
    )
