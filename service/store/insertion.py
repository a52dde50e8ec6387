"""Insert many records by one statement, leaving out those that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Table

from service.store.records import ActivationRecord, DecisionRecord, OutcomeRecord, Record
from service.store.settled import HOLD_BACK_READERS
from service.store.tables import activations, decisions, outcomes

TABLES: tuple[tuple[Table, type[Record]], ...] = (
    (decisions, DecisionRecord),
    (outcomes, OutcomeRecord),
    (activations, ActivationRecord),
)

# SQLite keeps a statement prepared for each number of rows that it has met.
_ROWS_AT_A_TIME = 64

_JSON = msgspec.json.Encoder()


def insert_new(connection: Connection, table: Table, records: Sequence[Record]) -> int:
    """Insert the records of one table whose keys are not there yet.

    One statement, since the driver lets other threads run during each one: with a statement a row,
    a busy process would wait for its interpreter once a row.

    Parameters
    ----------
    connection
        in a transaction, or, of PostgreSQL, one that commits each statement.
    table, records
        what to insert, and where; of records with the same key the first one counts.

    Returns
    -------
    int
        how many were new.
    """
    if connection.dialect.name == "postgresql":
        # Two transactions that take their keys in the same order cannot wait for each other.
        ordered = sorted(records, key=lambda record: record.key)
        text = _JSON.encode(ordered).decode()
        statement = _from_json(table, connection.dialect)
        return connection.exec_driver_sql(statement, (text,)).rowcount
    new = 0
    values = _values(table)
    for start in range(0, len(records), _ROWS_AT_A_TIME):
        some = records[start : start + _ROWS_AT_A_TIME]
        flat: list[Any] = []
        for record in some:
            flat += values(record)
        new += connection.exec_driver_sql(_of_rows(table, len(some)), tuple(flat)).rowcount
    return new


@cache
def _values(table: Table) -> attrgetter[tuple[Any, ...]]:
    return attrgetter(*_names(table))


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name != "number"]


@cache
def _of_rows(table: Table, rows: int) -> str:
    names = _names(table)
    one = f"({', '.join('?' * len(names))})"
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([one] * rows)} "
        "ON CONFLICT DO NOTHING"
    )


@cache
def _from_json(table: Table, dialect: Dialect) -> str:
    names = _names(table)
    typed = ", ".join(f"{name} {table.c[name].type.compile(dialect=dialect)}" for name in names)
    # The rows are numbered as they come out of the join, and so under the lock.
    return (
        f"WITH held AS MATERIALIZED ({HOLD_BACK_READERS}) "
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(names)} "
        f"FROM held, json_to_recordset(%s) AS sent ({typed}) ON CONFLICT DO NOTHING"
    )
