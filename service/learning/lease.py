"""One learner at a time: a lease in the learner's row, in which only its holder can save.

Even where two processes believe that they hold it, nothing is ever learned twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Engine

from service.learning.cursor import Cursor
from service.store.lease import RowLease
from service.store.tables import learners


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
        row = self._of_row().take(engine, now_us)
        if row is None:
            return None
        return Saved(
            msgspec.json.decode(row.cursor, type=Cursor) if row.cursor else None,
            None if row.state is None else bytes(row.state),
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
        }
        if state is not None:
            values["state"] = state
        self._of_row().write(connection, values, now_us)

    def release(self, engine: Engine) -> None:
        """Let another process learn at once."""
        self._of_row().release(engine)

    def _of_row(self) -> RowLease:
        key = {"tenant": self.tenant, "name": self.name}
        return RowLease(learners, key, self.holder, self.length_us)
