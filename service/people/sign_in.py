"""A password is tried: never faster than the lock-out allows, and as slowly where nobody is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from sqlalchemy import Connection, Engine, select, update

from service.api.problems import Problem
from service.people.passwords import hashed, is_right, is_stale
from service.people.sessions import end, start
from service.people.users import KIND, set_password
from service.store.changes import changing, record_change, writing
from service.store.records import microseconds
from service.store.tables import users

_log = logging.getLogger(__name__)

ACTOR = "sign-in"
"""Of the changes that are recorded here."""

FREE_TRIES = 5
"""Wrong passwords in a row until a name must wait."""

_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
_PATIENCE_S = 2.0
# The threads of a worker decide on payments too, and a hash takes 64 MiB and all cores for a while:
# one is made at a time, one more waits, and whoever else comes is sent away at once.
_hashing = threading.BoundedSemaphore(1)
_inside = threading.BoundedSemaphore(2)


def wait_after(failures: int) -> timedelta:
    """How long a name waits after so many wrong passwords in a row: twice as long each time."""
    if failures < FREE_TRIES:
        return timedelta(0)
    doublings = min(failures - FREE_TRIES, 20)
    return min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)


def sign_in(engine: Engine, username: str, password: str, old: str | None) -> str | None:
    """Try a password.

    Parameters
    ----------
    old
        token of the cookie that the browser has already; that visit ends.

    Returns
    -------
    str or None
        the token of a new visit; None where the name or the password is wrong, the person is kept
        out, or must wait.

    Raises
    ------
    Problem
        503, where many try at once.
    """
    if not is_password_of(engine, username, password):
        return None
    with writing(engine) as connection:
        if old is not None:
            end(connection, old)
        token = start(connection, username, datetime.now(UTC))
    _log.info("signed in: %s", username)
    return token


def change_password(engine: Engine, username: str, password: str) -> str:
    """Set somebody's own password, whose present one was right.

    Returns
    -------
    str
        the token of a new visit; all others end.

    Raises
    ------
    UserError
        If the password is unsound.
    """
    with changing(engine) as connection:
        set_password(connection, username, password, actor=username)
        return start(connection, username, datetime.now(UTC))


def is_password_of(engine: Engine, username: str, password: str) -> bool:
    """Whether it is the password of a person who is let in; a wrong one counts.

    Raises
    ------
    Problem
        503, where many try at once.
    """
    with _turn():
        # Counted before it is known to be wrong: else many could be tried at once.
        with writing(engine) as connection:
            tried = _count(connection, username, datetime.now(UTC))
        kept = None if tried is None else tried.kept
        right = is_right(kept, password)
        better = hashed(password) if right and kept is not None and is_stale(kept) else kept
    if right:
        with writing(engine) as connection:
            _forgive(connection, username, better)
    elif tried is not None and tried.locked_until is not None:
        with writing(engine) as connection:
            _record_lock(connection, username, tried)
    return right


@contextmanager
def _turn() -> Iterator[None]:
    """The one place at which passwords are hashed."""
    if not _inside.acquire(blocking=False):
        raise _crowd()
    try:
        if not _hashing.acquire(timeout=_PATIENCE_S):
            raise _crowd()
        try:
            yield
        finally:
            _hashing.release()
    finally:
        _inside.release()


def _crowd() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "many try to sign in at once; try again in a while",
        headers={"Retry-After": "2"},
    )


@dataclass(frozen=True, slots=True)
class _Try:
    """A try that was allowed: what is kept of the password, and what follows if it is wrong."""

    tenant: str
    kept: str
    failures: int
    locked_until: datetime | None


def _count(connection: Connection, username: str, now: datetime) -> _Try | None:
    """Count a try as failed; None where none is allowed."""
    row = connection.execute(
        select(users).where(users.c.username == username).with_for_update()
    ).one_or_none()
    if row is None or row.disabled_at_us is not None:
        return None
    if row.locked_until_us is not None and row.locked_until_us > microseconds(now):
        return None
    failures = row.failures + 1
    wait = wait_after(failures)
    locked_until = now + wait if wait else None
    connection.execute(
        update(users)
        .where(users.c.username == username)
        .values(
            failures=failures,
            locked_until_us=None if locked_until is None else microseconds(locked_until),
        )
    )
    return _Try(row.tenant, row.password_hash, failures, locked_until)


def _forgive(connection: Connection, username: str, kept: str | None) -> None:
    connection.execute(
        update(users)
        .where(users.c.username == username)
        .values(failures=0, locked_until_us=None, password_hash=kept)
    )


def _record_lock(connection: Connection, username: str, tried: _Try) -> None:
    assert tried.locked_until is not None
    until = tried.locked_until.isoformat(timespec="seconds")
    value = {"state": "locked", "until": until}
    reason = f"{tried.failures} wrong passwords in a row"
    record_change(connection, tried.tenant, ACTOR, KIND, username, value, reason)
