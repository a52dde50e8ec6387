"""What the tests of the service share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.store.engine import open_engine
from service.store.migrate import migrate
from tests.service.databases import Postgres, running_postgres
from tests.service.in_process import running, settings_in


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    with running(settings_in(tmp_path)) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started once."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "authopt.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of its own, without tables."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'authopt.db'}"
    return str(request.getfixturevalue("postgres").empty())


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of its own, with the tables."""
    if backend == "sqlite":
        path = tmp_path / "authopt.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        return f"sqlite:///{path}"
    return str(request.getfixturevalue("postgres").migrated())
