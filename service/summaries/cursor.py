"""How far the summaries have read, kept in the row of the merchant's watcher."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from service.store.changes import writing
from service.store.reading_on import Ends
from service.store.tables import watchers


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Saved in one transaction with what was added.

    Attributes
    ----------
    decisions, outcomes, activations
        numbers of the last rows that were read.
    minutes_from_us, hours_from_us
        start of the oldest span of each length that is kept; it never goes back.
    caught_up_us
        when all that was on record had been added, microseconds since 1970, UTC; None while that
        was never so.
    """

    decisions: int = 0
    outcomes: int = 0
    activations: int = 0
    minutes_from_us: int = 0
    hours_from_us: int = 0
    caught_up_us: int | None = None

    @property
    def ends(self) -> Ends:
        """The numbers of the rows."""
        return Ends(self.decisions, self.outcomes, self.activations)


class Overtaken(Exception):
    """Another process has added meanwhile; what this one would add must not be committed."""


def read_cursor(connection: Connection, tenant: str) -> tuple[Cursor, str] | None:
    """The cursor, and the text that it stands there as; None where the merchant has no row."""
    text = connection.scalar(select(watchers.c.cursor).where(watchers.c.tenant == tenant))
    if text is None:
        return None
    return (msgspec.json.decode(text, type=Cursor) if text else Cursor()), text


def first_cursor(engine: Engine, tenant: str) -> None:
    """Make the merchant's row; another process may have done so meanwhile."""
    try:
        with writing(engine) as connection:
            connection.execute(insert(watchers), {"tenant": tenant, "cursor": ""})
    except IntegrityError:
        pass


def move_cursor(connection: Connection, tenant: str, before: str, after: Cursor) -> None:
    """Move the cursor on from where it was read; this comes first in the transaction that adds.

    Raises
    ------
    Overtaken
        If it is not there any more.
    """
    moved = connection.execute(
        update(watchers)
        .where(watchers.c.tenant == tenant, watchers.c.cursor == before)
        .values(cursor=msgspec.json.encode(after).decode())
    )
    if moved.rowcount != 1:
        raise Overtaken
