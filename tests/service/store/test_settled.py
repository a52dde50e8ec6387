"""Readers that go on from where they stopped miss nothing."""

from __future__ import annotations

import threading

from service.store.engine import open_engine
from service.store.settled import _LOCK, hold_back_readers, settled
from service.store.store import Store
from service.store.tables import decisions
from tests.service.databases import Postgres
from tests.service.store.records import decision, ids


def test_the_highest_number_of_an_empty_table_is_0(database_url: str) -> None:
    engine = open_engine(database_url)
    assert settled(engine, decisions) == 0
    engine.dispose()


def test_the_highest_number_is_told(database_url: str) -> None:
    store = Store(open_engine(database_url))
    store.keep([decision(f"d{number}") for number in range(3)])
    assert settled(store.engine, decisions) == 3
    store.close()


def test_a_number_is_told_only_when_all_lower_ones_are_committed(postgres: Postgres) -> None:
    url = postgres.migrated()
    store = Store(open_engine(url))
    told: list[int] = []
    with store.engine.connect() as slow, slow.begin():
        hold_back_readers(slow)
        # It takes number 1, and is overtaken before it commits.
        slow.exec_driver_sql("SELECT nextval('decisions_number_seq')")
        store.keep([decision("d2")])
        reader = threading.Thread(target=lambda: told.append(settled(store.engine, decisions)))
        reader.start()
        reader.join(0.2)
        assert told == []
    reader.join(10)
    store.close()
    assert told == [2]
    assert ids(url) == ["d2"]


def test_a_group_takes_its_numbers_under_the_lock(postgres: Postgres) -> None:
    store = Store(open_engine(postgres.migrated()))
    # The statement is prepared from the fifth time on, and may be planned anew then.
    for number in range(8):
        store.keep([decision(f"d{number}")])
    writer = threading.Thread(target=store.keep, args=([decision("late")],))
    with store.engine.connect() as reader, reader.begin():
        reader.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        assert reader.exec_driver_sql("SELECT last_value FROM decisions_number_seq").scalar() == 8
    writer.join(10)
    assert settled(store.engine, decisions) == 9
    store.close()
