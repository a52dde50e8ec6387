"""Who is signed in: tokens in cookies, of which the store holds hashes alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from service.people.cookies import new_token
from service.people.roles import Role
from service.store.records import microseconds
from service.store.tables import sessions, users

IDLE = timedelta(minutes=30)
"""Who asks for no page for so long is signed out."""

LONGEST = timedelta(hours=12)
"""After so long everybody signs in anew."""

_SEEN_EVERY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person at the console.

    Attributes
    ----------
    username, tenant, role
        as the store has them now.
    token
        of the cookie.
    stale
        whether it should be noted that the person is still there.
    """

    username: str
    tenant: str
    role: Role
    token: str
    stale: bool


def start(connection: Connection, username: str, now: datetime) -> str:
    """Begin a visit.

    Returns
    -------
    str
        the token for the cookie; it is kept nowhere.
    """
    token = new_token()
    ended = (sessions.c.ends_at_us <= microseconds(now)) | (
        sessions.c.seen_at_us <= microseconds(now - IDLE)
    )
    connection.execute(delete(sessions).where(ended))
    connection.execute(
        insert(sessions),
        {
            "sha256": _sha256(token),
            "username": username,
            "created_at_us": microseconds(now),
            "seen_at_us": microseconds(now),
            "ends_at_us": microseconds(now + LONGEST),
        },
    )
    return token


def find(connection: Connection, token: str, now: datetime) -> SignedIn | None:
    """Whose visit it is; None where it has ended, or the person is kept out."""
    row = connection.execute(
        select(users.c.username, users.c.tenant, users.c.role, sessions.c.seen_at_us)
        .join(users, users.c.username == sessions.c.username)
        .where(
            sessions.c.sha256 == _sha256(token),
            sessions.c.ends_at_us > microseconds(now),
            sessions.c.seen_at_us > microseconds(now - IDLE),
            users.c.disabled_at_us.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    stale = row.seen_at_us <= microseconds(now - _SEEN_EVERY)
    return SignedIn(row.username, row.tenant, Role(row.role), token, stale)


def see(connection: Connection, token: str, now: datetime) -> None:
    """Note that the person is still there."""
    connection.execute(
        update(sessions)
        .where(sessions.c.sha256 == _sha256(token))
        .values(seen_at_us=microseconds(now))
    )


def end(connection: Connection, token: str) -> None:
    """End a visit."""
    connection.execute(delete(sessions).where(sessions.c.sha256 == _sha256(token)))


def end_all(connection: Connection, username: str) -> None:
    """End every visit of a person."""
    connection.execute(delete(sessions).where(sessions.c.username == username))


def _sha256(token: str) -> str:
    """No salt and no slow hash: 256 bits cannot be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()
