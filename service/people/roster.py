"""The people of a merchant as an admin looks them over: who added them, when they were there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from service.people.users import KIND, User, list_users
from service.store.changes import changes_of_kind
from service.store.records import microseconds, moment
from service.store.tables import sessions, users


@dataclass(frozen=True, slots=True)
class Member:
    """A person, and what is on record of them.

    Attributes
    ----------
    user
        as the store has them.
    added_by
        a person or a command.
    password_by
        who set the password that holds: the person, or whoever gave it to them.
    visited_at
        when the newest visit on record began, UTC; None where there is none: visits are forgotten
        once they have ended.
    """

    user: User
    added_by: str | None
    password_by: str | None
    visited_at: datetime | None

    @property
    def chose_password(self) -> bool:
        """Whether nobody else knows it."""
        return self.password_by == self.user.username


def roster(connection: Connection, tenant: str, now: datetime) -> list[Member]:
    """The people of a merchant, by name."""
    added_by, password_by = {}, {}
    for change in changes_of_kind(connection, tenant, KIND, microseconds(now)):
        is_new = change.value.get("state") == "created"
        if is_new:
            added_by[change.subject] = change.actor
        if is_new or "password" in change.value:
            password_by[change.subject] = change.actor
    visits = _visits(connection, tenant)
    return [
        Member(
            user,
            added_by.get(user.username),
            password_by.get(user.username),
            visits.get(user.username),
        )
        for user in list_users(connection, tenant)
    ]


def _visits(connection: Connection, tenant: str) -> dict[str, datetime]:
    query = (
        select(sessions.c.username, func.max(sessions.c.created_at_us))
        .join(users, users.c.username == sessions.c.username)
        .where(users.c.tenant == tenant)
        .group_by(sessions.c.username)
    )
    return {name: moment(begun_us) for name, begun_us in connection.execute(query)}
