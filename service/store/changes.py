"""Changes that people and learners make: appended, never altered, and folded into what is true now.

The table is the audit log and the present state in one: what holds is what the last row of each
kind and subject says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, insert, select, text

from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from service.store.engine import WRITE
from service.store.records import microseconds
from service.store.tables import changes

MAX_REASON = 500

_COLUMNS = (
    changes.c.number,
    changes.c.changed_at_us,
    changes.c.actor,
    changes.c.kind,
    changes.c.subject,
    changes.c.value,
    changes.c.reason,
)


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the table ``changes``.

    Attributes
    ----------
    number
        in the order of recording, over all merchants.
    changed_at_us
        microseconds since 1970, UTC.
    actor
        name of the key or of the command.
    kind, subject
        what was changed.
    value
        what it is from then on.
    reason
        why, in the actor's words.
    """

    number: int
    changed_at_us: int
    actor: str
    kind: str
    subject: str
    value: dict[str, Any]
    reason: str


def record_change(
    connection: Connection,
    tenant: str,
    actor: str,
    kind: str,
    subject: str,
    value: Mapping[str, Any],
    reason: str,
) -> int:
    """Append a change; it counts once the caller's transaction is committed.

    Parameters
    ----------
    connection
        with a transaction that writes (``service.store.engine.WRITE``).
    tenant, actor, kind, subject, value, reason
        as in :class:`Change`.

    Returns
    -------
    int
        its number. Numbers become visible in their order.

    Raises
    ------
    UserError
        If the reason is too long or holds a card number.
    """
    check_reason(reason)
    lock_changes(connection)
    number = connection.scalar(
        insert(changes).returning(changes.c.number),
        {
            "tenant": tenant,
            "changed_at_us": microseconds(datetime.now(UTC)),
            "actor": actor,
            "kind": kind,
            "subject": subject,
            "value": msgspec.json.encode(value, order="sorted").decode(),
            "reason": reason,
        },
    )
    assert isinstance(number, int)
    return number


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes."""
    with (
        engine.connect().execution_options(**{WRITE: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes changes, alone: what it reads of them stays true until it ends."""
    with writing(engine) as connection:
        lock_changes(connection)
        yield connection


def lock_changes(connection: Connection) -> None:
    """Keep other writers of changes out until the transaction ends; readers are not disturbed.

    SQLite does so by itself at the beginning of a transaction that writes.
    """
    if connection.dialect.name == "postgresql":
        # Otherwise a smaller number could be committed after a larger one was seen, and those who
        # look for what is new by the largest number would never see it.
        connection.execute(text("LOCK TABLE changes IN SHARE ROW EXCLUSIVE MODE"))


def check_reason(reason: str) -> None:
    """Refuse a reason that may not be kept.

    Raises
    ------
    UserError
        If it is too long, or holds a card number or control characters.
    """
    if len(reason) > MAX_REASON or any(ord(letter) < 32 for letter in reason):
        raise UserError(
            f"reason: expected at most {MAX_REASON} characters without control characters"
        )
    if contains_card_number(reason):
        raise UserError("reason: looks like it holds a card number; that is never kept")


def last_change(connection: Connection) -> int:
    """The largest number of any change; 0 where there is none."""
    return connection.scalar(select(func.max(changes.c.number))) or 0


def present(connection: Connection, tenant: str) -> dict[tuple[str, str], Change]:
    """By kind and subject, the change that holds for a merchant now."""
    last = (
        select(func.max(changes.c.number))
        .where(changes.c.tenant == tenant)
        .group_by(changes.c.kind, changes.c.subject)
    )
    rows = connection.execute(select(*_COLUMNS).where(changes.c.number.in_(last)))
    found = [_change(row) for row in rows]
    return {(each.kind, each.subject): each for each in found}


def history(connection: Connection, tenant: str, kind: str, subject: str) -> list[Change]:
    """All changes of one subject, oldest first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(changes.c.tenant == tenant, changes.c.kind == kind, changes.c.subject == subject)
        .order_by(changes.c.number)
    )
    return [_change(row) for row in rows]


def changes_of_kind(connection: Connection, tenant: str, kind: str, until_us: int) -> list[Change]:
    """All changes of one kind up to a time (microseconds since 1970, UTC), oldest first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(
            changes.c.tenant == tenant,
            changes.c.kind == kind,
            changes.c.changed_at_us <= until_us,
        )
        .order_by(changes.c.number)
    )
    return [_change(row) for row in rows]


def _change(row: Any) -> Change:
    number, changed_at_us, actor, kind, subject, value, reason = row
    return Change(number, changed_at_us, actor, kind, subject, msgspec.json.decode(value), reason)
