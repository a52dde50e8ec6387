"""Up to which row a table is complete, for those that read on from where they stopped.

PostgreSQL numbers a row when it is inserted, and shows it when its transaction is committed: of two
transactions, the one with the lower numbers may come last, and a reader that went on after the
highest number it saw would miss them for ever. So every writer of numbered rows holds a lock in
common with the others until it has committed, and a reader takes it alone for as long as it looks
for the highest number. SQLite has one writer at a time, and needs nothing of this.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, Table, func, select

# Any number will do, as long as all agree on it.
_LOCK = 7_236_012

HOLD_BACK_READERS = f"SELECT pg_advisory_xact_lock_shared({_LOCK})"
"""What a transaction on PostgreSQL begins with that writes numbered rows."""


def hold_back_readers(connection: Connection) -> None:
    """Until the end of this transaction, which is about to write numbered rows."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(HOLD_BACK_READERS)


def settled(engine: Engine, table: Table) -> int:
    """The highest number of a table's rows; no row with a lower one will appear later.

    Parameters
    ----------
    engine
        of the store.
    table
        with a column ``number``.

    Returns
    -------
    int
        0 if the table is empty.
    """
    highest = select(func.coalesce(func.max(table.c.number), 0))
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        return int(connection.execute(highest).scalar_one())
