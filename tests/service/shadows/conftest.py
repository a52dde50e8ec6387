"""What the tests of shadow policies share."""

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
