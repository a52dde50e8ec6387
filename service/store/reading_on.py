"""Read the tables on from where one stopped, in the order of recording, nothing left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, func, select

from service.store.settled import settled
from service.store.tables import activations, decisions, outcomes

# Databases limit the parameters of a statement.
_AT_A_TIME = 500


class Ends(NamedTuple):
    """Up to which number each table is complete, or was read."""

    decisions: int
    outcomes: int
    activations: int


def ends_from(engine: Engine, read: Ends) -> Ends:
    """How far may be read by one who has read so far."""
    return Ends(
        _end(engine, decisions, read.decisions),
        _end(engine, outcomes, read.outcomes),
        _end(engine, activations, read.activations),
    )


def _end(engine: Engine, table: Table, through: int) -> int:
    # Looking is free, but waiting for those who write disturbs them a little.
    with engine.connect() as connection:
        highest = connection.scalar(select(func.max(table.c.number))) or 0
    return through if highest <= through else settled(engine, table)


def rows_between(table: Table, tenant: str, after: int, last: int, limit: int) -> Any:
    """A statement for a merchant's next rows, at most ``limit`` of those up to ``last``."""
    return (
        select(table)
        .where(table.c.number > after, table.c.number <= last, table.c.tenant == tenant)
        .order_by(table.c.number)
        .limit(limit)
    )


def named_between(
    connection: Connection, table: Table, tenant: str, after: int, last: int, limit: int
) -> Sequence[Any]:
    """``number`` and ``decision_id`` of a merchant's next rows."""
    wanted = rows_between(table, tenant, after, last, limit)
    return connection.execute(wanted.with_only_columns(table.c.number, table.c.decision_id)).all()


def read_through(rows: Sequence[Any], end: int, limit: int) -> int:
    """The number up to which all was read, where at most ``limit`` rows were asked for."""
    return int(rows[-1].number) if len(rows) == limit else end


def in_parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The values, as many at a time as a statement may hold."""
    for start in range(0, len(values), _AT_A_TIME):
        yield values[start : start + _AT_A_TIME]
