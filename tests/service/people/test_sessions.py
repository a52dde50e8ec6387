"""A visit begins with a token that the store does not hold, and ends by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from service.people.sessions import IDLE, LONGEST, end, find, see, start
from service.store.changes import writing
from service.store.tables import sessions
from tests.service.people.people import add

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def token(engine: Engine) -> str:
    add(engine)
    with writing(engine) as connection:
        return start(connection, "kim", NOW)


def found(engine: Engine, token: str, now: datetime) -> bool:
    with engine.connect() as connection:
        return find(connection, token, now) is not None


def test_the_token_names_the_person_and_another_nobody(engine: Engine, token: str) -> None:
    with engine.connect() as connection:
        there = find(connection, token, NOW)
    assert there is not None
    assert (there.username, there.tenant, there.role, there.stale) == (
        "kim",
        "default",
        "viewer",
        False,
    )
    assert not found(engine, token[::-1], NOW)


def test_the_store_holds_a_hash_alone(engine: Engine, token: str) -> None:
    with engine.connect() as connection:
        assert token not in str(connection.execute(select(sessions)).all())


def test_who_does_nothing_is_signed_out(engine: Engine, token: str) -> None:
    assert found(engine, token, NOW + IDLE - SECOND)
    assert not found(engine, token, NOW + IDLE)


def test_who_is_seen_stays_until_the_longest_visit_is_over(engine: Engine, token: str) -> None:
    at = NOW
    while at < NOW + LONGEST - IDLE:
        at += IDLE / 2
        with engine.connect() as connection:
            there = find(connection, token, at)
        assert there is not None
        assert there.stale
        with writing(engine) as connection:
            see(connection, token, at)
    assert found(engine, token, at)
    with writing(engine) as connection:
        see(connection, token, NOW + LONGEST - SECOND)
    assert found(engine, token, NOW + LONGEST - SECOND)
    assert not found(engine, token, NOW + LONGEST)


def test_a_visit_that_was_ended_is_over(engine: Engine, token: str) -> None:
    with writing(engine) as connection:
        other = start(connection, "kim", NOW)
        end(connection, token)
    assert [found(engine, each, NOW) for each in (token, other)] == [False, True]


def test_visits_that_are_over_are_forgotten_when_another_begins(engine: Engine, token: str) -> None:
    with writing(engine) as connection:
        start(connection, "kim", NOW + IDLE)
        assert len(connection.execute(select(sessions)).all()) == 1
