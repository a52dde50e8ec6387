"""The keys as a worker knows them: in memory, and never older than the store by a second."""

from __future__ import annotations

import hmac
import logging
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from authopt.whole_file import write_whole
from service.security.caller import Scope
from service.security.key_text import KeyText
from service.store.changes import last_change
from service.store.records import microseconds
from service.store.tables import api_keys

_log = logging.getLogger(__name__)

EVERY_S = 0.4
"""Seconds between two looks into the store."""


class KnownKey(msgspec.Struct, frozen=True):
    """A key that was not revoked."""

    key_id: str
    tenant: str
    name: str
    sha256: str
    scopes: frozenset[Scope]
    per_second: float | None
    expires_at_us: int | None


class _Known(msgspec.Struct, frozen=True):
    ever_made: bool
    keys: list[KnownKey]


class Keyring:
    """Looks keys up, and follows what becomes of them.

    What is known is also written to a file (hashes, no secrets), so that a worker that starts while
    the store is away still knows whom to answer.

    Parameters
    ----------
    engine
        of the store.
    copy
        the file.
    required
        whether keys are asked for although none was ever made, or while that is not known.
    """

    def __init__(self, engine: Engine, copy: Path, *, required: bool) -> None:
        self._engine = engine
        self._copy = copy
        self._required = required
        self._known: _Known | None = None
        self._change: int | None = None
        self._by_id: dict[str, KnownKey] = {}
        self._failing = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if not self.refresh():
            self._recall()

    @property
    def open(self) -> bool:
        """Whether anybody may ask."""
        if self._required:
            return False
        return self._known is None or not self._known.ever_made

    def find(self, key: KeyText) -> KnownKey | None:
        """The key, if its secret is right and it has not ended."""
        known = self._by_id.get(key.key_id)
        # Compared also where there is none, so that time does not tell which ids exist.
        right = hmac.compare_digest(key.sha256, _NONE if known is None else known.sha256)
        if known is None or not right:
            return None
        if known.expires_at_us is not None and known.expires_at_us <= microseconds(
            datetime.now(UTC)
        ):
            return None
        return known

    def refresh(self) -> bool:
        """Look into the store; False where it does not answer, and all stays as it was."""
        query = select(
            api_keys.c.key_id,
            api_keys.c.tenant,
            api_keys.c.name,
            api_keys.c.sha256,
            api_keys.c.scopes,
            api_keys.c.per_second,
            api_keys.c.expires_at_us,
            api_keys.c.revoked_at_us,
        ).order_by(api_keys.c.key_id)
        try:
            with self._engine.connect() as connection:
                change = last_change(connection)
                rows = [] if change == self._change else connection.execute(query).all()
        except SQLAlchemyError as error:
            if not self._failing:
                _log.error("keys cannot be read; those known stay: %s", type(error).__name__)
            self._failing = True
            return False
        self._failing = False
        if change == self._change:
            return True
        keys = [
            KnownKey(
                row.key_id,
                row.tenant,
                row.name,
                row.sha256,
                frozenset(Scope(name) for name in row.scopes.split()),
                row.per_second,
                row.expires_at_us,
            )
            for row in rows
            if row.revoked_at_us is None
        ]
        known = _Known(bool(rows), keys)
        if known != self._known:
            self._take(known)
            if known.ever_made:
                self._write(known)
        self._change = change
        return True

    def follow(self, every_s: float = EVERY_S) -> None:
        """Refresh in a thread, until it is closed."""

        def run() -> None:
            while not self._stop.wait(every_s):
                self.refresh()

        self._thread = threading.Thread(target=run, name="keyring", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _take(self, known: _Known) -> None:
        self._by_id = {key.key_id: key for key in known.keys}
        self._known = known

    def _write(self, known: _Known) -> None:
        try:
            write_whole(self._copy, msgspec.json.encode(known))
            self._copy.chmod(0o600)
        except OSError as error:
            _log.warning("%s: cannot be written (%s)", self._copy, error.strerror)

    def _recall(self) -> None:
        try:
            self._take(msgspec.json.decode(self._copy.read_bytes(), type=_Known))
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            _log.error("%s: cannot be read; keys are asked for, and none is known", self._copy)
            self._take(_Known(True, []))


_NONE = "0" * 64
