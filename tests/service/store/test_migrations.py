"""Tables of an older version become those of this one, with what they hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

import service.store.migrate as migrating
from authopt.errors import UserError
from service.store.engine import open_engine
from service.store.migrate import migrate
from service.store.records import DecisionRecord
from service.store.retention import forget
from service.store.store import Store
from service.store.tables import decisions, metadata, outcomes
from tests.service.store.records import decision, outcome, rows

OLD_DECISIONS = (
    "INSERT INTO decisions (decision_id, payment_id, attempt, decided_at_us, route, delay_s,"
    " propensity, policy, salt, request, answer) VALUES"
    " ('d1', 'p1', 1, 1700000000123456, 'adyen', 0, 0.30000000000000004, 'uniform', 'authopt',"
    """ '{"payment_id":"p1"}', '{"decision_id":"d1"}')"""
)
OLD_OUTCOMES = (
    "INSERT INTO outcomes (decision_id, sha256, received_at_us, outcome)"
    f" VALUES ('d1', '{'a' * 64}', 1700000000500000, '{{}}')"
)


def upgrade(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrating._MIGRATIONS))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_rows_of_the_first_version_are_kept(empty_url: str) -> None:
    engine = open_engine(empty_url)
    upgrade(engine, "0001")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(OLD_DECISIONS)
        connection.exec_driver_sql(OLD_OUTCOMES)
    migrate(engine)
    store = Store(engine)
    earlier = store.decision("d1")
    assert earlier == decision("d1", answer='{"decision_id":"d1"}')
    assert isinstance(earlier, DecisionRecord)
    kept = store.keep([decision("d1", route="checkout"), outcome("d1"), outcome("d1", "b" * 64)])
    assert kept[0].decision == earlier
    store.close()
    assert [row.sha256[0] for row in rows(empty_url, outcomes)] == ["a", "b"]
    assert [row.tenant for row in rows(empty_url, outcomes)] == ["default"] * 2


def test_the_tables_are_those_that_the_service_uses(empty_url: str) -> None:
    engine = open_engine(empty_url)
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        found = inspect(connection)
        for table in metadata.sorted_tables:
            columns = found.get_columns(table.name)
            assert [each["name"] for each in columns] == [each.name for each in table.columns]
    engine.dispose()


def test_many_may_migrate_at_once(empty_url: str) -> None:
    def one(_: int) -> None:
        engine = open_engine(empty_url, 20.0)
        migrate(engine)
        engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(UserError, match="9999"):
        migrate(engine)
    engine.dispose()


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    engine = open_engine(f"postgresql+psycopg://me:secret@/db?host={tmp_path}")
    with pytest.raises(UserError, match="cannot be used") as raised:
        migrate(engine)
    assert "secret" not in str(raised.value)
    engine.dispose()


def test_the_number_of_a_row_that_is_gone_is_given_to_no_other(database_url: str) -> None:
    store = Store(open_engine(database_url))
    store.keep([decision("d1"), outcome("d1")])
    forget(store.engine, 2**62, pause_s=0.0)
    store.keep([decision("d2"), outcome("d2")])
    store.close()
    assert [row.number for table in (decisions, outcomes) for row in rows(database_url, table)] == [
        2,
        2,
    ]
