"""Which alarms fire, and which have."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from service.store.changes import Change
from service.store.tables import changes

KIND = "alarm"
_LONGEST = 128

_COLUMNS = (
    changes.c.number,
    changes.c.changed_at_us,
    changes.c.actor,
    changes.c.kind,
    changes.c.subject,
    changes.c.value,
    changes.c.reason,
)


def subject_of(name: str) -> str:
    """An alarm's name as the subject of a change: what is too long ends in a part of its hash."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 13]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def firing_alarms(connection: Connection, tenant: str) -> list[Change]:
    """The changes that raised what fires now, newest first."""
    last = (
        select(func.max(changes.c.number))
        .where(changes.c.tenant == tenant, changes.c.kind == KIND)
        .group_by(changes.c.subject)
    )
    wanted = select(*_COLUMNS).where(changes.c.number.in_(last)).order_by(changes.c.number.desc())
    found = [_change(row) for row in connection.execute(wanted)]
    return [each for each in found if each.value["state"] == "firing"]


def alarm_history(
    connection: Connection, tenant: str, limit: int = 100, before: int | None = None
) -> list[Change]:
    """What was raised and resolved, newest first; before a change's number, where one is given."""
    wanted = select(*_COLUMNS).where(changes.c.tenant == tenant, changes.c.kind == KIND)
    if before is not None:
        wanted = wanted.where(changes.c.number < before)
    rows = connection.execute(wanted.order_by(changes.c.number.desc()).limit(limit))
    return [_change(row) for row in rows]


def alarm_change(connection: Connection, tenant: str, number: int) -> Change | None:
    """One of them by its number; None where there is none."""
    row = connection.execute(
        select(*_COLUMNS).where(
            changes.c.tenant == tenant, changes.c.kind == KIND, changes.c.number == number
        )
    ).one_or_none()
    return None if row is None else _change(row)


def _change(row: Any) -> Change:
    number, changed_at_us, actor, kind, subject, value, reason = row
    return Change(number, changed_at_us, actor, kind, subject, msgspec.json.decode(value), reason)
