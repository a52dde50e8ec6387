"""Keys in the store, on every database that the service runs on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from authopt.errors import UserError
from service.api.changes import read_changes
from service.security.api_keys import any_keys, create_key, list_keys, revoke_key, rotate_key
from service.security.caller import Scope
from service.security.keyring import Keyring
from service.store.changes import changing
from service.store.engine import open_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def test_a_key_lives_from_its_making_to_its_end(engine: Engine, tmp_path: Path) -> None:
    keyring = Keyring(engine, tmp_path / "keys", required=False)
    assert keyring.open
    with changing(engine) as connection:
        first = create_key(
            connection,
            "acme",
            "shop",
            [Scope.DECIDE, Scope.OUTCOME],
            actor="me",
            per_second=2.5,
            expires_in=timedelta(days=1),
        )
    assert keyring.refresh()
    assert not keyring.open
    known = keyring.find(first)
    assert known is not None
    assert (known.tenant, known.per_second) == ("acme", 2.5)
    assert known.scopes == {Scope.DECIDE, Scope.OUTCOME}
    with changing(engine) as connection:
        second = rotate_key(connection, first.key_id, timedelta(0), actor="me", reason="yearly")
    keyring.refresh()
    assert keyring.find(first) is None
    assert keyring.find(second) is not None
    with changing(engine) as connection:
        revoke_key(connection, second.key_id, actor="me", reason="lost")
    keyring.refresh()
    assert keyring.find(second) is None
    assert not keyring.open
    with engine.connect() as connection:
        assert any_keys(connection)
        listed = list_keys(connection, "acme")
        states = [each.value["state"] for each in read_changes(connection, "acme", 0, 9).changes]
    # The new key ends when the old one would have.
    assert listed[1].expires_at is not None
    assert abs(listed[1].expires_at - listed[0].created_at - timedelta(days=1)) < timedelta(
        seconds=1
    )
    assert states == ["created", "rotated", "created", "revoked"]


def test_a_change_that_fails_leaves_no_key(engine: Engine) -> None:
    with pytest.raises(UserError, match="reason"), changing(engine) as connection:
        create_key(connection, "acme", "shop", [Scope.READ], actor="me", reason="x" * 1000)
    with engine.connect() as connection:
        assert not any_keys(connection)
