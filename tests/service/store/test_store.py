"""Groups of records are written once, in SQLite as in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.store.engine import open_engine
from service.store.records import Kept, Record
from service.store.store import Store
from service.store.tables import decisions
from tests.service.databases import Postgres
from tests.service.store.records import activation, counts, decision, ids, outcome, rows


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(open_engine(database_url))
    yield store
    store.close()


def test_what_is_written_is_read_back_bit_for_bit(store: Store, database_url: str) -> None:
    record = decision(
        "d1", attempt=7, delay_s=86_400 * 365, fallback="why", model_sha256="f" * 64, deferred=True
    )
    assert store.keep([record]) == [Kept(True, record)]
    assert store.decision("d1") == record
    (row,) = rows(database_url, decisions)
    assert row.propensity.hex() == record.propensity.hex()
    assert row.deferred is True


def test_every_record_of_a_group_is_answered_in_its_place(store: Store, database_url: str) -> None:
    group: list[Record] = [outcome("d2"), decision("d1"), activation("d1"), decision("d2")]
    assert [each.decision for each in store.keep(group)] == [None, group[1], None, group[3]]
    assert counts(database_url) == (2, 1, 1)


def test_the_first_decision_under_an_id_stays(store: Store, database_url: str) -> None:
    first, second, third = decision("d1"), decision("d1", route="checkout"), decision("d2")
    assert [each.decision for each in store.keep([first, second])] == [first, first]
    assert [each.decision for each in store.keep([third, second])] == [third, first]
    assert sorted(ids(database_url)) == ["d1", "d2"]


def test_merchants_have_ids_of_their_own(store: Store) -> None:
    ours, theirs = decision("d1"), decision("d1", tenant="other", route="checkout")
    store.keep([ours])
    assert store.keep([theirs]) == [Kept(True, theirs)]
    assert store.decision("d1") == ours
    assert store.decision("d1", "other") == theirs
    assert store.decision("d1", "third") is None


def test_outcomes_and_activations_are_kept_once(store: Store, database_url: str) -> None:
    group = [outcome("d1"), outcome("d1", "b" * 64), activation("d1", "adyen")]
    store.keep([*group, *group])
    store.keep([*group, activation("d1", "checkout")])
    assert counts(database_url) == (0, 2, 1)


def test_a_large_group_is_one_transaction(store: Store, database_url: str) -> None:
    group = [decision(f"d{number}") for number in range(700)]
    store.keep(group[:350])
    assert all(each.durable for each in store.keep(group))
    assert store.transactions == 2
    assert len(ids(database_url)) == 700


def test_nothing_to_write_says_whether_it_could_be(store: Store) -> None:
    assert store.keep([]) == []
    store.check()


def test_writers_that_meet_write_each_decision_once(database_url: str) -> None:
    def write(number: int) -> list[str]:
        store = Store(open_engine(database_url, 20.0))
        order = [f"d{at}" for at in range(20)]
        if number % 2:
            order.reverse()
        group = [decision(each, route=f"r{number}") for each in order]
        kept = [each.decision for each in store.keep(group)]
        store.close()
        return sorted(f"{each.decision_id} {each.route}" for each in kept if each is not None)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(write, range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert len(ids(database_url)) == 20


def test_a_connection_that_was_cut_is_opened_again(postgres: Postgres) -> None:
    url = postgres.migrated()
    store = Store(open_engine(url))
    store.keep([decision("d1")])
    postgres.cut_connections(url)
    assert store.keep([decision("d2")]) == [Kept(True, decision("d2"))]
    store.close()
    assert ids(url) == ["d1", "d2"]


def test_a_commit_is_on_disk_whatever_the_servers_default(postgres: Postgres) -> None:
    url = postgres.migrated()
    engine = open_engine(url)
    name = engine.url.database
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit TO off")
        connection.commit()
    engine.dispose()
    store = Store(open_engine(url))
    with store._writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    store.close()


def test_a_statement_that_waits_for_a_lock_gives_up(postgres: Postgres) -> None:
    url = postgres.migrated()
    store = Store(open_engine(url), statement_within_s=0.1)
    other = open_engine(url)
    with other.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE decisions IN EXCLUSIVE MODE")
        with pytest.raises(Exception, match="timeout"):
            store.keep([decision("d1")])
    other.dispose()
    assert store.keep([decision("d1")]) == [Kept(True, decision("d1"))]
    store.close()


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(
    groups=st.lists(
        st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["r1", "r2"])), max_size=5),
        max_size=4,
    )
)
def test_however_often_ids_come_each_has_one_answer(
    store: Store, groups: list[list[tuple[str, str]]]
) -> None:
    answers: dict[str, str] = {}
    tenant = f"t{store.transactions}"
    for group in groups:
        records = [decision(each, route=route, tenant=tenant) for each, route in group]
        for record, kept in zip(records, store.keep(records), strict=True):
            assert kept.decision is not None
            assert answers.setdefault(record.decision_id, kept.decision.route) == (
                kept.decision.route
            )
