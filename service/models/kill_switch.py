"""The kill switch: the static priority decides, whatever policy is live."""

from __future__ import annotations

from sqlalchemy import Connection

from service.store.changes import present, record_change

KILL, DECISIONS = "kill", "decisions"
"""Kind and subject of the changes."""


def set_killed(connection: Connection, tenant: str, actor: str, killed: bool, reason: str) -> None:
    """Let the static priority decide, or the policy again; recorded only where that is new."""
    if is_killed(connection, tenant) != killed:
        record_change(connection, tenant, actor, KILL, DECISIONS, {"killed": killed}, reason)


def is_killed(connection: Connection, tenant: str) -> bool:
    """Whether the static priority decides, whatever is live."""
    change = present(connection, tenant).get((KILL, DECISIONS))
    return change is not None and bool(change.value["killed"])
