"""One learner at a time: a lease in the learner's row, and saves that only its holder can make.

A lease is kept by renewing it, and taken over once it has run out; clocks of machines should agree
to within a fraction of its length. Where they do not, or a process sleeps past the end of its
lease, two may believe that they hold it: still only the one whose name stands in the row can save,
so nothing is ever learned twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from service.learning.cursor import Cursor
from service.store.changes import writing
from service.store.tables import learners


class LeaseLost(Exception):
    """Another process has taken over; what was not saved is its to learn."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a learner's row holds; ``cursor`` is None where nothing was saved yet."""

    cursor: Cursor | None
    state: bytes | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to learn.

    Attributes
    ----------
    tenant, name
        of the learner.
    holder
        this process, unlike all others.
    length_us
        for how long it is taken, and renewed.
    """

    tenant: str
    name: str
    holder: str
    length_us: int

    def take(self, engine: Engine, now_us: int) -> Saved | None:
        """Take the lease, or keep it.

        Returns
        -------
        Saved or None
            what was saved; None where another process holds the lease.
        """
        try:
            with writing(engine) as connection:
                return self._take(connection, now_us)
        except IntegrityError:
            # Another process made the row between our look and our insert.
            return None

    def _take(self, connection: Connection, now_us: int) -> Saved | None:
        row = connection.execute(
            select(learners).where(learners.c.tenant == self.tenant, learners.c.name == self.name)
        ).one_or_none()
        mine = {"holder": self.holder, "held_until_us": now_us + self.length_us}
        if row is None:
            connection.execute(
                insert(learners), {"tenant": self.tenant, "name": self.name, "cursor": "", **mine}
            )
            return Saved(None, None)
        is_free = row.holder in (None, self.holder) or row.held_until_us < now_us
        if not is_free:
            return None
        same = (
            learners.c.holder.is_(None) if row.holder is None else learners.c.holder == row.holder
        )
        taken = connection.execute(
            update(learners)
            .where(
                learners.c.tenant == self.tenant,
                learners.c.name == self.name,
                same,
                learners.c.held_until_us == row.held_until_us,
            )
            .values(**mine)
        )
        if taken.rowcount != 1:
            return None
        # Read again: between our look and our turn the last holder may have saved.
        cursor, state = connection.execute(
            select(learners.c.cursor, learners.c.state).where(
                learners.c.tenant == self.tenant, learners.c.name == self.name
            )
        ).one()
        return Saved(
            msgspec.json.decode(cursor, type=Cursor) if cursor else None,
            None if state is None else bytes(state),
        )

    def save(
        self, connection: Connection, cursor: Cursor, state: bytes | None, now_us: int
    ) -> None:
        """Save the cursor, and the policy where it has learned, and renew the lease.

        Parameters
        ----------
        connection
            with a transaction that writes.
        cursor
            how far was read.
        state
            the archive of the policy; None where it is as it was.
        now_us
            microseconds since 1970, UTC.

        Raises
        ------
        LeaseLost
            If another process holds the lease; then the transaction must not be committed.
        """
        values: dict[str, object] = {
            "cursor": msgspec.json.encode(cursor).decode(),
            "saved_at_us": now_us,
            "held_until_us": now_us + self.length_us,
        }
        if state is not None:
            values["state"] = state
        done = connection.execute(
            update(learners)
            .where(
                learners.c.tenant == self.tenant,
                learners.c.name == self.name,
                learners.c.holder == self.holder,
            )
            .values(**values)
        )
        if done.rowcount != 1:
            raise LeaseLost(f"learner {self.name}: another process has taken over")

    def release(self, engine: Engine) -> None:
        """Let another process learn at once."""
        with writing(engine) as connection:
            connection.execute(
                update(learners)
                .where(
                    learners.c.tenant == self.tenant,
                    learners.c.name == self.name,
                    learners.c.holder == self.holder,
                )
                .values(holder=None)
            )
