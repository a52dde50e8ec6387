"""What was found when it was last looked for: one per kind and subject, the newer in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from service.store.tables import findings


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the table ``findings``.

    Attributes
    ----------
    kind, subject
        what was looked at, such as ``experiment`` and its name.
    found_at_us
        microseconds since 1970, UTC.
    content
        a JSON object.
    """

    kind: str
    subject: str
    found_at_us: int
    content: dict[str, Any]


def keep_finding(
    connection: Connection,
    tenant: str,
    kind: str,
    subject: str,
    content: Mapping[str, Any],
    now_us: int,
) -> None:
    """Keep a finding in the place of the one before.

    Parameters
    ----------
    connection
        with a transaction that writes (``service.store.changes.writing``).
    tenant
        whose.
    kind, subject, content
        as in :class:`Finding`.
    now_us
        microseconds since 1970, UTC.
    """
    # Both dialects have the same upsert, each in a class of its own.
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    news = {
        "found_at_us": now_us,
        "content": msgspec.json.encode(content, order="sorted").decode(),
    }
    wanted = insert(findings).values(tenant=tenant, kind=kind, subject=subject, **news)
    connection.execute(wanted.on_conflict_do_update(index_elements=findings.primary_key, set_=news))


def drop_finding(connection: Connection, tenant: str, kind: str, subject: str) -> None:
    """Keep a finding no longer, in a transaction that writes; nothing happens where there is none.

    The parameters are those of :func:`keep_finding`.
    """
    connection.execute(
        delete(findings).where(
            findings.c.tenant == tenant, findings.c.kind == kind, findings.c.subject == subject
        )
    )


def finding(connection: Connection, tenant: str, kind: str, subject: str) -> Finding | None:
    """What was found of a subject; None where it was never looked at."""
    row = connection.execute(
        select(findings.c.found_at_us, findings.c.content).where(
            findings.c.tenant == tenant, findings.c.kind == kind, findings.c.subject == subject
        )
    ).one_or_none()
    return None if row is None else _finding(kind, subject, row.found_at_us, row.content)


def findings_of(connection: Connection, tenant: str, kind: str) -> list[Finding]:
    """All findings of a kind, in the order of their subjects."""
    rows = connection.execute(
        select(findings.c.subject, findings.c.found_at_us, findings.c.content)
        .where(findings.c.tenant == tenant, findings.c.kind == kind)
        .order_by(findings.c.subject)
    )
    return [_finding(kind, *row) for row in rows]


def _finding(kind: str, subject: str, found_at_us: int, content: str) -> Finding:
    return Finding(kind, subject, found_at_us, msgspec.json.decode(content))
