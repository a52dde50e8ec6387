"""What the tests of alarms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from service.store.engine import open_engine
from service.store.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(open_engine(database_url))
    yield store
    store.close()


@pytest.fixture
def quick_store(migrated_file: object, tmp_path: object) -> Iterator[Store]:
    """A store in SQLite, for what does not depend on the database."""
    import shutil
    from pathlib import Path

    path = Path(str(tmp_path)) / "quick.db"
    shutil.copy(str(migrated_file), path)
    store = Store(open_engine(f"sqlite:///{path}"))
    yield store
    store.close()
