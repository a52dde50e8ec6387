"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from service.store.engine import open_engine
from tests.service.people.quick_hashes import quick_hashes

__all__ = ["quick_hashes"]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Of each kind of database in turn."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
