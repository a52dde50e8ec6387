"""Open a database so that what is committed is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from authopt.card_numbers import redact
from authopt.errors import MissingExtra, UserError

WRITE = "authopt_write"
"""Execution option of a connection that will write: SQLite then takes its lock at the beginning."""

# Only the writer and what reads beside it need a connection; a request itself needs none.
_POOL = 4
CONNECTIONS = 2 * _POOL
"""Most that an engine opens to a server."""

_CONNECT_WITHIN_S = 2

_FORMS = "sqlite:///authopt.db or postgresql+psycopg://user@host/name"


def open_engine(url: str, busy_timeout_s: float = 2.0) -> Engine:
    """An engine for a database URL; nothing is connected yet.

    SQLite is put into WAL mode with ``synchronous=FULL``, so that a commit is on disk when it
    returns.

    Parameters
    ----------
    url
        SQLAlchemy URL.
    busy_timeout_s
        how long SQLite waits for a lock.

    Raises
    ------
    UserError
        If the URL is none, or its driver is not installed, or it names no lasting database.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise UserError(
                    f"database {_shown(url)!r} is gone when the process ends. Expected {_FORMS}"
                )
            engine = create_engine(
                parsed, connect_args={"timeout": busy_timeout_s, "cached_statements": 256}
            )
            _prepare_sqlite(engine)
            return engine
        return create_engine(
            parsed,
            pool_pre_ping=True,
            pool_size=_POOL,
            max_overflow=_POOL,
            pool_timeout=_CONNECT_WITHIN_S,
            connect_args=_patience(parsed) if parsed.get_driver_name() == "psycopg" else {},
        )
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise UserError(f"database {_shown(url)!r} is no database URL. Expected {_FORMS}") from None
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "postgres", "the database") from None


def _patience(url: URL) -> dict[str, Any]:
    """Limits for a PostgreSQL server that does not answer; what the URL says goes before them."""
    limits = {
        "connect_timeout": _CONNECT_WITHIN_S,
        "tcp_user_timeout": _CONNECT_WITHIN_S * 1000,
        "application_name": "authopt",
    }
    return {name: value for name, value in limits.items() if name not in url.query}


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def check_there(url: str) -> None:
    """Refuse a SQLite database that no service has made.

    Raises
    ------
    UserError
        If its file does not exist.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise UserError(f"{file}: there is no such database. Make one with: authopt serve")


def cause_of(error: Exception) -> str:
    """What the driver said, in a line."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _shown(url: str) -> str:
    """The URL without its password."""
    try:
        return redact(make_url(url).render_as_string(hide_password=True))
    except ArgumentError:
        return redact(url[:80])


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # The driver would begin transactions by itself, and too late; see _begun.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
