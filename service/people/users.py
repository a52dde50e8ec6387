"""The people who may sign in: added, given a role, let in and kept out, each change on record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from authopt.card_numbers import contains_card_number, redact
from authopt.errors import UserError
from service.models.refusals import Conflict, NotThere
from service.people.passwords import check_password, hashed
from service.people.roles import Role
from service.people.sessions import end_all
from service.store.changes import record_change
from service.store.records import microseconds, moment
from service.store.tables import users
from service.tenants import check_tenant

KIND = "user"
"""Of the changes that are recorded here."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """A person as the store knows one; the password is not in it.

    Attributes
    ----------
    username
        unique over all merchants.
    tenant
        the merchant whose console is seen.
    role
        what may be done there.
    created_at, disabled_at, locked_until
        UTC; None: not disabled, not locked.
    failures
        wrong passwords in a row.
    """

    username: str
    tenant: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    failures: int
    locked_until: datetime | None

    def state(self, now: datetime) -> str:
        """``good``, ``disabled``, or ``locked`` after too many wrong passwords."""
        if self.disabled_at is not None:
            return "disabled"
        is_locked = self.locked_until is not None and self.locked_until > now
        return "locked" if is_locked else "good"


def check_username(name: str) -> None:
    """Refuse what is no name of a user.

    Raises
    ------
    UserError
        If it is none, or looks like a card number.
    """
    if not _NAME.fullmatch(name) or contains_card_number(name):
        raise UserError(
            f"user {redact(name)[:32]!r}: expected up to 64 small letters, digits and . _ @ + -, "
            "a letter or a digit first"
        )


def add_user(
    connection: Connection,
    username: str,
    tenant: str,
    role: Role,
    password: str,
    *,
    actor: str,
    reason: str = "",
) -> None:
    """Add a person.

    Parameters
    ----------
    connection
        with a transaction that writes changes (``service.store.changes.changing``).

    Raises
    ------
    UserError
        If the name, the merchant or the password is unsound.
    Conflict
        If there is one of this name.
    """
    check_username(username)
    check_tenant(tenant)
    check_password(password, username)
    row = {
        "username": username,
        "tenant": tenant,
        "role": role.value,
        "password_hash": hashed(password),
        "created_at_us": microseconds(datetime.now(UTC)),
        "failures": 0,
    }
    try:
        connection.execute(insert(users), row)
    except IntegrityError:
        raise Conflict(f"user {username!r}: there is one of this name already") from None
    value = {"state": "created", "role": role.value}
    record_change(connection, tenant, actor, KIND, username, value, reason)


def set_role(
    connection: Connection, username: str, role: Role, *, actor: str, reason: str = ""
) -> User:
    """Give a person another role; it counts from the next page on.

    Raises
    ------
    NotThere, Conflict
        If there is nobody of this name, or the last admin of a merchant would be none any more.
    """
    if role is not Role.ADMIN:
        _keep_an_admin(connection, find_user(connection, username))
    return _change(connection, username, {"role": role.value}, {"role": role.value}, actor, reason)


def set_password(
    connection: Connection, username: str, password: str, *, actor: str, reason: str = ""
) -> User:
    """Set a person's password, and end whatever visits there are.

    Raises
    ------
    NotThere
        If there is nobody of this name.
    UserError
        If the password is unsound.
    """
    check_password(password, username)
    end_all(connection, username)
    row = {"password_hash": hashed(password), "failures": 0, "locked_until_us": None}
    return _change(connection, username, row, {"password": "changed"}, actor, reason)


def disable(connection: Connection, username: str, *, actor: str, reason: str = "") -> User:
    """Keep a person out, from the next page on.

    Raises
    ------
    NotThere, Conflict
        If there is nobody of this name, or the person is kept out already or the last admin of a
        merchant.
    """
    user = find_user(connection, username)
    if user.disabled_at is not None:
        raise Conflict(f"user {username!r}: is disabled already")
    _keep_an_admin(connection, user)
    end_all(connection, username)
    row = {"disabled_at_us": microseconds(datetime.now(UTC))}
    return _change(connection, username, row, {"state": "disabled"}, actor, reason)


def enable(connection: Connection, username: str, *, actor: str, reason: str = "") -> User:
    """Let a person in again, who was disabled or is locked out.

    Raises
    ------
    NotThere
        If there is nobody of this name.
    """
    row = {"disabled_at_us": None, "failures": 0, "locked_until_us": None}
    return _change(connection, username, row, {"state": "enabled"}, actor, reason)


def is_last_admin(connection: Connection, user: User) -> bool:
    """Whether nobody else is an admin of the merchant, and let in."""
    if user.role is not Role.ADMIN or user.disabled_at is not None:
        return False
    admins = select(func.count()).where(
        users.c.tenant == user.tenant,
        users.c.role == Role.ADMIN.value,
        users.c.disabled_at_us.is_(None),
    )
    return connection.scalar(admins) == 1


def find_user(connection: Connection, username: str, tenant: str | None = None) -> User:
    """The person of this name, of a merchant or of any.

    Raises
    ------
    NotThere
        If there is none.
    """
    query = select(users).where(users.c.username == username)
    if tenant is not None:
        query = query.where(users.c.tenant == tenant)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotThere(
            f"user {redact(username)[:32]!r}: there is nobody of this name. "
            "See them with: authopt users list"
        )
    return _user(row)


def list_users(connection: Connection, tenant: str | None = None) -> list[User]:
    """The people of a merchant, or of all, by name."""
    query = select(users).order_by(users.c.tenant, users.c.username)
    if tenant is not None:
        query = query.where(users.c.tenant == tenant)
    return [_user(row) for row in connection.execute(query)]


def _keep_an_admin(connection: Connection, user: User) -> None:
    if is_last_admin(connection, user):
        raise Conflict(
            f"user {user.username!r}: is the last admin of {user.tenant}; make somebody else an "
            "admin first"
        )


def _change(
    connection: Connection,
    username: str,
    row: Mapping[str, Any],
    value: Mapping[str, Any],
    actor: str,
    reason: str,
) -> User:
    user = find_user(connection, username)
    connection.execute(update(users).where(users.c.username == username).values(**row))
    record_change(connection, user.tenant, actor, KIND, username, value, reason)
    return find_user(connection, username)


def _user(row: Row[Any]) -> User:
    return User(
        row.username,
        row.tenant,
        Role(row.role),
        moment(row.created_at_us),
        None if row.disabled_at_us is None else moment(row.disabled_at_us),
        row.failures,
        None if row.locked_until_us is None else moment(row.locked_until_us),
    )
