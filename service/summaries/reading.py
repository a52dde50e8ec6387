"""Ask the summaries: sums over a time, by a cut, by route, and over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Select, func, select, union_all

from service.store.tables import summaries
from service.summaries.cursor import Cursor, read_cursor
from service.summaries.cuts import Cut, Span, floor_to
from service.summaries.sums import NAMES, Sums


@dataclass(frozen=True, slots=True)
class Row:
    """Sums of one value of a cut, of one route or, where ``route`` is empty, of all together."""

    value: str
    route: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Point:
    """Sums of one span of time, and when it starts, microseconds since 1970, UTC."""

    start_us: int
    sums: Sums


class Part(NamedTuple):
    """Spans of one length, from the first one's start to the last one's end."""

    span: Span
    since_us: int
    until_us: int


_EMPTY = Sums()
_SUMS = [summaries.c[name] for name in NAMES]
_LONGER = {Span.MINUTE: Span.HOUR, Span.HOUR: Span.DAY}


def caught_up_us(connection: Connection, tenant: str) -> int | None:
    """Until when all that was recorded has been added, microseconds since 1970, UTC.

    None while older decisions are still being added for the first time: sums mean nothing then.
    """
    return _cursor(connection, tenant).caught_up_us


def window(
    connection: Connection,
    tenant: str,
    since_us: int,
    until_us: int,
    finest: Span = Span.HOUR,
) -> tuple[int, int]:
    """The time that is really summed for a time that is asked for.

    It is widened to whole spans of the length ``finest``, and to longer ones where those are not
    kept any more.
    """
    parts = _parts(connection, tenant, since_us, until_us, finest)
    return (parts[0].since_us, parts[-1].until_us) if parts else (since_us, since_us)


def totals(
    connection: Connection,
    tenant: str,
    since_us: int,
    until_us: int,
    cut: Cut = Cut.ALL,
    value: str | None = None,
    route: str | None = None,
    finest: Span = Span.HOUR,
) -> Sums:
    """Sums of all decisions of a time, or of one value of a cut, or of one route.

    Parameters
    ----------
    connection
        to the store.
    tenant
        whose.
    since_us, until_us
        microseconds since 1970, UTC; what is really summed: see :func:`window`.
    cut, value
        of one value only; None: of all.
    route
        of one route only; None: of all.
    finest
        span to which the time is widened; the minute only for the cuts ``BY_THE_MINUTE``.
    """
    parts = _parts(connection, tenant, since_us, until_us, finest)
    for row in _grouped(connection, tenant, parts, cut, value, route, []):
        return _sums(row)
    return _EMPTY


def by(
    connection: Connection,
    tenant: str,
    cut: Cut,
    since_us: int,
    until_us: int,
    route: str | None = None,
    finest: Span = Span.HOUR,
) -> list[Row]:
    """Sums by the values of a cut, those with most decisions first.

    ``Cut.ROUTE`` gives a row per route. The parameters are those of :func:`totals`.
    """
    column = summaries.c.route if cut is Cut.ROUTE else summaries.c.value
    parts = _parts(connection, tenant, since_us, until_us, finest)
    found = _grouped(connection, tenant, parts, cut, None, route, [column])
    rows = [
        Row(row[0], row[0] if cut is Cut.ROUTE else route or "", _sums(row[1:])) for row in found
    ]
    return sorted(rows, key=_most_first)


def route_by(
    connection: Connection,
    tenant: str,
    cut: Cut,
    since_us: int,
    until_us: int,
    value: str | None = None,
    finest: Span = Span.HOUR,
) -> list[Row]:
    """Sums by the values of a cut and by route, those with most decisions first.

    The parameters are those of :func:`totals`.
    """
    parts = _parts(connection, tenant, since_us, until_us, finest)
    columns = [summaries.c.value, summaries.c.route]
    found = _grouped(connection, tenant, parts, cut, value, None, columns)
    rows = [Row(row[1] if cut is Cut.ROUTE else row[0], row[1], _sums(row[2:])) for row in found]
    return sorted(rows, key=_most_first)


def over_time(
    connection: Connection,
    tenant: str,
    span: Span,
    since_us: int,
    until_us: int,
    cut: Cut = Cut.ALL,
    value: str | None = None,
    route: str | None = None,
) -> list[Point]:
    """Sums of every span of time, those without a decision too.

    Parameters
    ----------
    connection, tenant, cut, value, route
        as for :func:`totals`.
    span
        how long each is. Minutes and hours are kept for some time only (``KEPT_US``), and minutes
        only for the cuts ``BY_THE_MINUTE``.
    since_us, until_us
        microseconds since 1970, UTC; the first span is the one that begins at or before the first,
        and the last one begins before the second.
    """
    part = Part(span, floor_to(since_us, span), until_us)
    found = _grouped(connection, tenant, [part], cut, value, route, [summaries.c.start_us])
    return _points({row[0]: _sums(row[1:]) for row in found}, part)


def over_time_by(
    connection: Connection,
    tenant: str,
    span: Span,
    since_us: int,
    until_us: int,
    cut: Cut,
    route: str | None = None,
) -> dict[str, list[Point]]:
    """By the values of a cut: sums of every span of time, those without a decision too.

    ``Cut.ROUTE`` tells routes apart. The parameters are those of :func:`over_time`.
    """
    part = Part(span, floor_to(since_us, span), until_us)
    column = summaries.c.route if cut is Cut.ROUTE else summaries.c.value
    found: dict[str, dict[int, Sums]] = {}
    for row in _grouped(
        connection, tenant, [part], cut, None, route, [column, summaries.c.start_us]
    ):
        found.setdefault(row[0], {})[row[1]] = _sums(row[2:])
    return {value: _points(sums, part) for value, sums in sorted(found.items())}


def _points(sums: dict[int, Sums], part: Part) -> list[Point]:
    starts = range(part.since_us, part.until_us, part.span.us)
    return [Point(start, sums.get(start, _EMPTY)) for start in starts]


def _most_first(row: Row) -> tuple[int, str, str]:
    return -row.sums.decisions, row.value, row.route


def _sums(row: Iterable[Any]) -> Sums:
    # PostgreSQL adds up whole numbers to decimals.
    return Sums(*map(int, row))


def _cursor(connection: Connection, tenant: str) -> Cursor:
    found = read_cursor(connection, tenant)
    return Cursor() if found is None else found[0]


def _parts(
    connection: Connection, tenant: str, since_us: int, until_us: int, finest: Span
) -> list[Part]:
    cursor = _cursor(connection, tenant)
    for span, kept_from_us in (
        (Span.MINUTE, cursor.minutes_from_us),
        (Span.HOUR, cursor.hours_from_us),
    ):
        if span >= finest:
            longer = _LONGER[span]
            since_us = floor_to(since_us, longer if since_us < kept_from_us else span)
            until_us = _ceil_to(until_us, longer if until_us < kept_from_us else span)
    if finest is Span.DAY:
        since_us, until_us = floor_to(since_us, finest), _ceil_to(until_us, finest)
    return list(_tiled(since_us, until_us, finest))


def _tiled(since_us: int, until_us: int, span: Span) -> Iterator[Part]:
    """A time in spans that are as long as they can be."""
    if since_us >= until_us:
        return
    longer = _LONGER.get(span)
    if longer is None:
        yield Part(span, since_us, until_us)
        return
    first, last = _ceil_to(since_us, longer), floor_to(until_us, longer)
    if first >= last:
        yield Part(span, since_us, until_us)
        return
    if since_us < first:
        yield Part(span, since_us, first)
    yield from _tiled(first, last, longer)
    if last < until_us:
        yield Part(span, last, until_us)


def _ceil_to(us: int, span: Span) -> int:
    return -floor_to(-us, span)


def _grouped(
    connection: Connection,
    tenant: str,
    parts: list[Part],
    cut: Cut,
    value: str | None,
    route: str | None,
    columns: Sequence[Column[Any]],
) -> Iterator[Any]:
    """The columns and the sums, over all rows that are alike in the columns."""
    if not parts:
        return
    if cut is Cut.ROUTE:
        cut, value, route = Cut.ALL, None, route or value
    if any(cut not in part.span.cuts for part in parts):
        raise ValueError(f"cut {cut} is not kept by the minute")
    rows = union_all(*(_rows(tenant, part, cut, value, route, columns) for part in parts))
    there = rows.subquery()
    names = [there.c[column.name] for column in columns]
    sums = [func.coalesce(func.sum(there.c[name]), 0) for name in NAMES]
    wanted = select(*names, *sums).group_by(*names).having(func.sum(there.c.decisions) > 0)
    yield from connection.execute(wanted)


def _rows(
    tenant: str,
    part: Part,
    cut: Cut,
    value: str | None,
    route: str | None,
    columns: Sequence[Column[Any]],
) -> Select[Any]:
    wanted = select(*columns, *_SUMS).where(
        summaries.c.tenant == tenant,
        summaries.c.span_s == int(part.span),
        summaries.c.cut == cut.value,
        summaries.c.start_us >= part.since_us,
        summaries.c.start_us < part.until_us,
    )
    if value is not None:
        wanted = wanted.where(summaries.c.value == value)
    return wanted if route is None else wanted.where(summaries.c.route == route)
