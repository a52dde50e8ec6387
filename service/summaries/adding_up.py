"""Keep the table ``summaries`` true: read on, and add what changed, each row exactly once.

What a decision adds is a function of the rows of the base tables up to given numbers, and those
rows never change. So a step reads the next rows, and for every decision that they touch it takes
away what the decision added by the rows before and adds what it adds by the rows now. The cursor
moves in the same transaction, and only if it still stands where the step read it: a step that was
killed left nothing, and of two processes that take the same step one is turned away. Corrections,
late outcomes and outcomes before their decision need no case of their own. Adding up again whole
spans of time instead would read an hour of decisions after each late outcome, and could not be done
once decisions of that span were forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import msgspec
from sqlalchemy import Connection, Engine, delete, func, select

from service.store.changes import writing
from service.store.reading_on import Ends, ends_from
from service.store.tables import decisions, summaries
from service.summaries.cells import add_cells, cells
from service.summaries.counted import Counted, counted_by
from service.summaries.cursor import Cursor, first_cursor, move_cursor, read_cursor
from service.summaries.cuts import KEPT_US, Span, floor_to
from service.summaries.histories import read_touched
from service.summaries.values import read_values

ROWS_AT_ONCE = 200
"""Rows of each table in a step: SQLite keeps decisions waiting while one is written."""

ROWS_AT_FIRST = 1_000
"""The same, while what was recorded before is added for the first time."""

_TELL_EVERY_US = 15_000_000
"""How old the note may be that nothing is left to add, where nothing is new."""


class Step(Enum):
    """What came of a step."""

    CAUGHT_UP = "all that is there was added"
    BEHIND = "there is more to read"


def add_step(engine: Engine, tenant: str, now_us: int, rows_at_once: int | None = None) -> Step:
    """Add what the next rows change.

    Parameters
    ----------
    engine
        of the store.
    tenant
        whose.
    now_us
        microseconds since 1970, UTC.
    rows_at_once
        of each table; by default ``ROWS_AT_ONCE`` or ``ROWS_AT_FIRST``.

    Raises
    ------
    Overtaken
        If another process adds for this merchant at the same time; nothing was added.
    """
    with engine.connect() as connection:
        found = read_cursor(connection, tenant)
    if found is None:
        first_cursor(engine, tenant)
        found = Cursor(), ""
    before, text = found
    if rows_at_once is None:
        rows_at_once = ROWS_AT_FIRST if before.caught_up_us is None else ROWS_AT_ONCE
    last = ends_from(engine, before.ends)
    with _one_state(engine) as connection:
        touched = read_touched(connection, tenant, before.ends, last, rows_at_once)
        newest_us = _newest_us(connection, tenant, now_us)
        values = read_values(connection, tenant)
    is_through = touched.ends == last
    after = _moved(before, touched.ends, newest_us, now_us if is_through else None)
    if after == before:
        return Step.CAUGHT_UP
    earlier, later = counted_by(touched, before.ends), counted_by(touched, touched.ends)
    entries: list[tuple[int, Counted]] = []
    for number in touched.histories:
        was, is_now = earlier.get(number), later.get(number)
        if was != is_now:
            entries += [(-1, values.named(was))] if was is not None else []
            entries += [(1, values.named(is_now))] if is_now is not None else []
    kept_from_us = {Span.MINUTE: after.minutes_from_us, Span.HOUR: after.hours_from_us}
    changed = cells(tenant, entries, kept_from_us)
    with writing(engine) as connection:
        move_cursor(connection, tenant, text, after)
        values.keep(connection, tenant)
        add_cells(connection, changed)
        if before.minutes_from_us != after.minutes_from_us:
            _drop(connection, tenant, Span.MINUTE, before.minutes_from_us, after.minutes_from_us)
        if before.hours_from_us != after.hours_from_us:
            _drop(connection, tenant, Span.HOUR, before.hours_from_us, after.hours_from_us)
    return Step.CAUGHT_UP if is_through else Step.BEHIND


@contextmanager
def _one_state(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads, and sees nothing that is committed meanwhile."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def _newest_us(connection: Connection, tenant: str, now_us: int) -> int:
    """When the newest decision was made; clocks that go before this one do not count."""
    newest = select(func.max(decisions.c.decided_at_us)).where(
        decisions.c.tenant == tenant, decisions.c.decided_at_us <= now_us
    )
    return connection.scalar(newest) or 0


def _moved(before: Cursor, ends: Ends, newest_us: int, caught_up_us: int | None) -> Cursor:
    last_us = before.caught_up_us
    if caught_up_us is not None and (
        last_us is None or before.ends != ends or caught_up_us - last_us >= _TELL_EVERY_US
    ):
        last_us = caught_up_us
    return msgspec.structs.replace(
        before,
        decisions=ends.decisions,
        outcomes=ends.outcomes,
        activations=ends.activations,
        minutes_from_us=_kept_from_us(before.minutes_from_us, newest_us, Span.MINUTE, Span.HOUR),
        hours_from_us=_kept_from_us(before.hours_from_us, newest_us, Span.HOUR, Span.DAY),
        caught_up_us=last_us,
    )


def _kept_from_us(before_us: int, newest_us: int, span: Span, whole: Span) -> int:
    """Start of the oldest span that is kept, so that longer spans of time are kept whole."""
    return max(before_us, floor_to(newest_us - KEPT_US[span], whole), 0)


def _drop(connection: Connection, tenant: str, span: Span, since_us: int, until_us: int) -> None:
    for cut in span.cuts:
        connection.execute(
            delete(summaries).where(
                summaries.c.tenant == tenant,
                summaries.c.span_s == int(span),
                summaries.c.cut == cut.value,
                summaries.c.start_us >= since_us,
                summaries.c.start_us < until_us,
            )
        )
