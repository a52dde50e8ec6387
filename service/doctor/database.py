"""The database: there, up to date, writable, in time, and with room for all connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, insert, text
from sqlalchemy.exc import SQLAlchemyError

from service.doctor.disk import check_folder
from service.doctor.finding import Finding, fail, ok, warn
from service.store.engine import CONNECTIONS, WRITE, cause_of, sqlite_file
from service.store.migrate import revisions
from service.store.records import microseconds
from service.store.tables import learners

WAL_WARN = 256 * 2**20
SKEW_WARN_S, SKEW_FAIL_S = 1.0, 30.0
COMMIT_WARN_MS = 15.0
PROBE = "authopt-doctor"
BESIDE = 8
"""Connections of learners, commands and people beside the workers'."""


def check_database(engine: Engine, url: str, workers: int) -> Iterator[Finding]:
    """All points of a database; the later ones only where the earlier ones are well.

    Parameters
    ----------
    engine
        of the database.
    url
        the same, as it was given.
    workers
        of the service, on all machines together.
    """
    shown = engine.url.render_as_string(hide_password=True)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        yield fail("database", f"{file}: there is none", "authopt serve makes it; or mend the URL")
        return
    try:
        with engine.connect() as connection:
            began = time.time()
            now_s = _clock(connection)
            ended = time.time()
            yield ok("database", f"{shown} answers")
            found, head = revisions(connection)
    except SQLAlchemyError as error:
        yield fail("database", f"{shown}: {cause_of(error)}", "Start it, or mend its URL")
        return
    if found != head:
        yield fail(
            "database: tables",
            f"of version {found or 'none'}; this version of authopt has {head}",
            "Start the service or a command of this version, which brings them up to date; if they "
            "are newer, install the newer authopt",
        )
        return
    yield ok("database: tables", f"up to date ({head})")
    yield from _written(engine)
    if file is not None:
        yield from check_folder("database", file.parent)
        yield from _log_ahead(file.with_name(file.name + "-wal").stat().st_size
                              if file.with_name(file.name + "-wal").exists() else 0)  # fmt: skip
    if now_s is not None:
        yield from _skew(max(began - now_s, now_s - ended, 0.0))
    if engine.dialect.name == "postgresql":
        yield from _room(engine, workers)


def _clock(connection: Connection) -> float | None:
    """The database's clock, seconds since 1970, UTC; None where it is this machine's."""
    if connection.dialect.name != "postgresql":
        connection.execute(text("SELECT 1"))
        return None
    found = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
    assert found is not None
    return float(found)


def _written(engine: Engine) -> Iterator[Finding]:
    """Write a row, commit and take it away again, so that the disk of the database is timed too."""
    row = {
        "tenant": PROBE,
        "name": PROBE,
        "cursor": "",
        "saved_at_us": microseconds(datetime.now(UTC)),
    }
    where = learners.c.tenant == PROBE
    try:
        with engine.connect().execution_options(**{WRITE: True}) as connection:
            with connection.begin():
                connection.execute(delete(learners).where(where))
                connection.execute(insert(learners), row)
                began = time.perf_counter()
            took = 1e3 * (time.perf_counter() - began)
            with connection.begin():
                connection.execute(delete(learners).where(where))
    except SQLAlchemyError as error:
        yield fail(
            "database: writing",
            cause_of(error),
            "Let its user write, free disk space, or end what holds its lock",
        )
        return
    found = f"works; a commit takes {took:.1f} ms"
    if took > COMMIT_WARN_MS:
        yield warn(
            "database: writing", found, "Every decision waits for one: a faster disk, or less load"
        )
    else:
        yield ok("database: writing", found)


def _log_ahead(size: int) -> Iterator[Finding]:
    found = f"{size / 2**20:.0f} MiB"
    if size > WAL_WARN:
        yield warn(
            "database: write-ahead log",
            found,
            "A reader that never ends keeps it from shrinking: end it, such as an open sqlite3",
        )
    else:
        yield ok("database: write-ahead log", found)


def _skew(skew_s: float) -> Iterator[Finding]:
    point, found = "database: clock", f"{skew_s:.1f} s off this machine's"
    mend = "Let both keep time by NTP: leases of learners and the ends of keys are told by it"
    if skew_s >= SKEW_WARN_S:
        yield (fail if skew_s >= SKEW_FAIL_S else warn)(point, found, mend)
    else:
        yield ok(point, found)


def _room(engine: Engine, workers: int) -> Iterator[Finding]:
    with engine.connect() as connection:
        most = int(connection.scalar(text("SHOW max_connections")) or 0)
        kept = int(connection.scalar(text("SHOW superuser_reserved_connections")) or 0)
    needed = workers * CONNECTIONS + BESIDE
    point = "database: connections"
    found = f"{most - kept} may be open; {workers} workers need up to {needed}"
    if needed > most - kept:
        yield fail(point, found, f"Set max_connections of PostgreSQL to {needed + kept} or more")
    else:
        yield ok(point, found)
