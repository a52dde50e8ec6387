"""API keys in the store: made, listed, rotated and revoked, each change in the audit log."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Row, func, insert, select, update

from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from service.log_output import clean
from service.models.refusals import Conflict, NotThere
from service.security.caller import Scope
from service.security.key_text import KeyText, new_key
from service.store.changes import record_change
from service.store.records import microseconds, moment
from service.store.tables import api_keys
from service.tenants import check_tenant

KIND = "key"
"""Of the changes that are recorded here."""

MAX_PER_SECOND = 1e6
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,128}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the store holds it; its secret is not in it.

    Attributes
    ----------
    key_id
        the public half.
    tenant
        the merchant whose key it is.
    name
        what changes are recorded with.
    scopes
        what it may do.
    per_second
        requests allowed; None: no limit.
    created_at, expires_at, revoked_at
        UTC.
    """

    key_id: str
    tenant: str
    name: str
    scopes: frozenset[Scope]
    per_second: float | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def ended(self, now: datetime) -> bool:
        """Whether it was revoked or has expired."""
        return self.revoked_at is not None or (
            self.expires_at is not None and self.expires_at <= now
        )


def create_key(
    connection: Connection,
    tenant: str,
    name: str,
    scopes: Collection[Scope],
    *,
    actor: str,
    reason: str = "",
    per_second: float | None = None,
    expires_in: timedelta | None = None,
) -> KeyText:
    """Make a key.

    Returns
    -------
    KeyText
        with the secret, which is not kept.

    Raises
    ------
    UserError
        If the tenant, the name, the scopes, the limit or the time is unsound.
    """
    check_tenant(tenant)
    if not _NAME.fullmatch(name) or contains_card_number(name):
        raise UserError(
            "key name: expected 1 to 128 characters without control characters or a card number"
        )
    if not scopes:
        raise UserError(f"a key needs at least one scope of {', '.join(Scope)}")
    if per_second is not None and not 0 < per_second <= MAX_PER_SECOND:
        raise UserError(f"per_second {per_second}: expected above 0, at most {MAX_PER_SECOND:g}")
    if expires_in is not None and expires_in <= timedelta(0):
        raise UserError("a key cannot have expired when it is made")
    now = datetime.now(UTC)
    key = new_key()
    _insert(
        connection,
        key,
        ApiKey(
            key.key_id,
            tenant,
            name,
            frozenset(scopes),
            per_second,
            now,
            None if expires_in is None else now + expires_in,
            None,
        ),
    )
    _record(connection, tenant, actor, key.key_id, {"state": "created", "name": name}, reason)
    return key


def rotate_key(
    connection: Connection,
    key_id: str,
    overlap: timedelta,
    *,
    actor: str,
    reason: str = "",
    tenant: str | None = None,
) -> KeyText:
    """Make a key that may do the same, and let the old one expire.

    The new one has an id of its own, so that the audit log and the limits tell the two apart. It
    expires when the old one would have.

    Parameters
    ----------
    overlap
        how long the old one is still good.
    tenant
        whose key it must be; None: anybody's.

    Raises
    ------
    NotThere, Conflict
        If there is no such key, or it has ended.
    """
    old = _standing(connection, key_id, tenant)
    now = datetime.now(UTC)
    key = new_key()
    _insert(
        connection,
        key,
        ApiKey(
            key.key_id,
            old.tenant,
            old.name,
            old.scopes,
            old.per_second,
            now,
            old.expires_at,
            None,
        ),
    )
    until = now + overlap if old.expires_at is None else min(now + overlap, old.expires_at)
    connection.execute(
        update(api_keys)
        .where(api_keys.c.key_id == key_id)
        .values(expires_at_us=microseconds(until))
    )
    value = {"state": "rotated", "into": key.key_id, "good_until": until.isoformat()}
    _record(connection, old.tenant, actor, key_id, value, reason)
    made = {"state": "created", "name": old.name, "from": key_id}
    _record(connection, old.tenant, actor, key.key_id, made, reason)
    return key


def revoke_key(
    connection: Connection,
    key_id: str,
    *,
    actor: str,
    reason: str = "",
    tenant: str | None = None,
) -> ApiKey:
    """End a key; all workers know within a second.

    Parameters
    ----------
    tenant
        whose key it must be; None: anybody's.

    Returns
    -------
    ApiKey
        as it is now.

    Raises
    ------
    NotThere, Conflict
        If there is no such key, or it has ended.
    """
    old = _standing(connection, key_id, tenant)
    now = datetime.now(UTC)
    connection.execute(
        update(api_keys).where(api_keys.c.key_id == key_id).values(revoked_at_us=microseconds(now))
    )
    _record(connection, old.tenant, actor, key_id, {"state": "revoked"}, reason)
    return replace(old, revoked_at=now)


def list_keys(connection: Connection, tenant: str | None = None) -> list[ApiKey]:
    """The keys of a merchant, or of all, oldest first; those that have ended too."""
    query = select(api_keys).order_by(api_keys.c.created_at_us, api_keys.c.key_id)
    if tenant is not None:
        query = query.where(api_keys.c.tenant == tenant)
    return [_key(row) for row in connection.execute(query)]


def any_keys(connection: Connection) -> bool:
    """Whether a key was ever made. Where all have ended, nobody may ask: that is not open."""
    return bool(connection.scalar(select(func.count()).select_from(api_keys)))


def _standing(connection: Connection, key_id: str, tenant: str | None) -> ApiKey:
    row = connection.execute(select(api_keys).where(api_keys.c.key_id == key_id)).one_or_none()
    if row is None or tenant not in (None, row.tenant):
        # What was given may be a whole key, and its secret has no business at the terminal.
        raise NotThere(
            f"key {clean(key_id)[:32]!r}: there is none of this id. "
            "See them with: authopt keys list"
        )
    key = _key(row)
    if key.ended(datetime.now(UTC)):
        raise Conflict(f"key {key_id}: was revoked or has expired; make a new one instead")
    return key


def _insert(connection: Connection, text: KeyText, key: ApiKey) -> None:
    connection.execute(
        insert(api_keys).values(
            key_id=key.key_id,
            tenant=key.tenant,
            name=key.name,
            sha256=text.sha256,
            scopes=" ".join(sorted(key.scopes)),
            per_second=key.per_second,
            created_at_us=microseconds(key.created_at),
            expires_at_us=None if key.expires_at is None else microseconds(key.expires_at),
        )
    )


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    found = row._mapping
    return ApiKey(
        found["key_id"],
        found["tenant"],
        found["name"],
        frozenset(Scope(name) for name in found["scopes"].split()),
        found["per_second"],
        moment(found["created_at_us"]),
        None if found["expires_at_us"] is None else moment(found["expires_at_us"]),
        None if found["revoked_at_us"] is None else moment(found["revoked_at_us"]),
    )


def _record(
    connection: Connection,
    tenant: str,
    actor: str,
    key_id: str,
    value: dict[str, str],
    reason: str,
) -> None:
    record_change(connection, tenant, actor, KIND, key_id, value, reason)
