"""One process at a time: a lease in a row of a table, and writes that only its holder can make.

A lease is kept by renewing it, and taken over once it has run out; clocks of machines should agree
to within a fraction of its length. Where they do not, or a process sleeps past the end of its
lease, two may believe that they hold it: still only the one whose name stands in the row can write
to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from service.store.changes import writing


class LeaseLost(Exception):
    """Another process has taken over."""


@dataclass(frozen=True, slots=True)
class RowLease:
    """The right to write to a row.

    Attributes
    ----------
    table
        with the columns ``holder``, ``held_until_us`` and ``cursor``, which may be empty.
    key
        values of the primary key by column.
    holder
        this process, unlike all others.
    length_us
        for how long it is taken, and renewed.
    """

    table: Table
    key: Mapping[str, str]
    holder: str
    length_us: int

    def take(self, engine: Engine, now_us: int) -> Any:
        """Take the lease, or keep it.

        Returns
        -------
        Row or None
            of the table, as it stands; None where another process holds the lease.
        """
        try:
            with writing(engine) as connection:
                return self._take(connection, now_us)
        except IntegrityError:
            # Another process made the row between our look and our insert.
            return None

    def _take(self, connection: Connection, now_us: int) -> Any:
        wanted = select(self.table).where(*self._row())
        row = connection.execute(wanted).one_or_none()
        mine = {"holder": self.holder, "held_until_us": now_us + self.length_us}
        if row is None:
            connection.execute(insert(self.table), {**self.key, "cursor": "", **mine})
            return connection.execute(wanted).one()
        is_free = (
            row.holder in (None, self.holder)
            or row.held_until_us is None
            or row.held_until_us < now_us
        )
        if not is_free:
            return None
        taken = connection.execute(
            update(self.table)
            .where(
                *self._row(),
                self.table.c.holder.is_not_distinct_from(row.holder),
                self.table.c.held_until_us.is_not_distinct_from(row.held_until_us),
            )
            .values(**mine)
        )
        # Read again: between our look and our turn the last holder may have written.
        return connection.execute(wanted).one() if taken.rowcount == 1 else None

    def write(self, connection: Connection, values: Mapping[str, object], now_us: int) -> None:
        """Write to the row, and renew the lease.

        Parameters
        ----------
        connection
            with a transaction that writes.
        values
            by column.
        now_us
            microseconds since 1970, UTC.

        Raises
        ------
        LeaseLost
            If another process holds the lease; then the transaction must not be committed.
        """
        done = connection.execute(
            update(self.table)
            .where(*self._row(), self.table.c.holder == self.holder)
            .values(**values, held_until_us=now_us + self.length_us)
        )
        if done.rowcount != 1:
            named = " ".join(self.key.values())
            raise LeaseLost(f"{self.table.name} {named}: another process has taken over")

    def release(self, engine: Engine) -> None:
        """Let another process have it at once."""
        with writing(engine) as connection:
            connection.execute(
                update(self.table)
                .where(*self._row(), self.table.c.holder == self.holder)
                .values(holder=None)
            )

    def _row(self) -> list[ColumnElement[bool]]:
        return [self.table.c[name] == value for name, value in self.key.items()]
