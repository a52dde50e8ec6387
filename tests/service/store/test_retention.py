"""What is older than it has to be kept is deleted with all that belongs to it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select

from service.store.engine import open_engine
from service.store.retention import Forgotten, forget
from service.store.store import Store
from service.store.tables import outcomes, sessions, shadowed, users
from tests.service.store.records import activation, counts, decision, ids, outcome

OLD, NEW = 1_000, 2_000
LIMIT = 1_500
DONE = {"route": "adyen", "delay_s": 0}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(open_engine(database_url))
    yield store
    store.close()


def test_old_decisions_go_with_their_outcomes_and_activations(
    store: Store, database_url: str
) -> None:
    for at in range(7):
        name = f"d{at}"
        store.keep([decision(name, decided_at_us=OLD if at % 2 else NEW), activation(name)])
        store.keep([outcome(name), outcome(name, "b" * 64)])
    assert forget(store.engine, LIMIT, rows_at_a_time=2, pause_s=0.0) == Forgotten(3, 6, 3)
    assert ids(database_url) == ["d0", "d2", "d4", "d6"]
    assert counts(database_url) == (4, 8, 4)
    assert forget(store.engine, LIMIT, pause_s=0.0) == Forgotten()


def test_of_one_merchant_only_its_own_are_forgotten(store: Store) -> None:
    store.keep([decision("d1", decided_at_us=OLD), outcome("d1")])
    store.keep([decision("d1", decided_at_us=OLD, tenant="other"), outcome("d1", tenant="other")])
    assert forget(store.engine, LIMIT, "other", pause_s=0.0) == Forgotten(1, 1, 0)
    assert store.decision("d1") is not None
    assert store.decision("d1", "other") is None


def test_outcomes_that_no_decision_ever_had_go_by_when_they_came(store: Store) -> None:
    store.keep([decision("d1", decided_at_us=NEW), outcome("d1")])
    store.keep([outcome("never"), outcome("soon", "b" * 64)])
    with store.engine.connect() as connection, connection.begin():
        connection.execute(outcomes.update().values(received_at_us=OLD))
        connection.execute(
            outcomes.update().where(outcomes.c.decision_id == "soon").values(received_at_us=NEW)
        )
    assert forget(store.engine, LIMIT, pause_s=0.0) == Forgotten(0, 1, 0)
    with store.engine.connect() as connection:
        assert sorted(connection.scalars(select(outcomes.c.decision_id))) == ["d1", "soon"]


def test_what_shadow_policies_said_goes_with_the_decision_it_was_said_of(store: Store) -> None:
    store.keep([decision("old", decided_at_us=OLD)])
    store.keep([decision("new", decided_at_us=NEW)])
    with store.engine.begin() as connection:
        for number in (1, 2):
            said = {"tenant": "default", "decision": number, "shadow": "mirror"}
            connection.execute(insert(shadowed), {**said, "probability": 0.5, **DONE})
    assert forget(store.engine, LIMIT, pause_s=0.0) == Forgotten(1, shadowed=1)
    with store.engine.connect() as connection:
        assert connection.scalars(select(shadowed.c.decision)).all() == [2]


def test_sessions_that_ended_before_go_too_of_the_merchant_s_own_people(store: Store) -> None:
    with store.engine.begin() as connection:
        for name, tenant, end_us in (("a", "default", OLD), ("b", "default", NEW), ("c", "x", OLD)):
            account = {"username": name, "tenant": tenant, "role": "viewer", "password_hash": "-"}
            connection.execute(insert(users), {**account, "created_at_us": 0, "failures": 0})
            session = {"sha256": name, "username": name, "created_at_us": 0, "seen_at_us": 0}
            connection.execute(insert(sessions), {**session, "ends_at_us": end_us})
    assert forget(store.engine, LIMIT, "default", pause_s=0.0) == Forgotten(sessions=1)
    with store.engine.connect() as connection:
        assert connection.scalars(select(sessions.c.sha256).order_by("sha256")).all() == ["b", "c"]
