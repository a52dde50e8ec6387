"""The store: group commit, the spool, migrations, and databases that cannot be used."""

from __future__ import annotations

import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, inspect, select

from authopt.errors import UserError
from service.active_policy import check_spec
from service.api.deadline import HEADER
from service.deciding.timely import NOT_RECORDED
from service.settings import Settings
from service.store.engine import open_engine
from service.store.migrate import migrate
from service.store.records import OutcomeRecord
from service.store.spool import Spool
from service.store.store import Store
from service.store.tables import decisions, metadata, outcomes
from tests.service.in_process import (
    ROUTES,
    ask,
    problem,
    recorder_of,
    request_body,
    running,
    settings_in,
    tell,
)


def counted(settings: Settings) -> tuple[int, int]:
    """Decisions and outcomes in the database of a service that has ended."""
    engine = open_engine(settings.database)
    with engine.connect() as connection:
        found = [
            connection.scalar(select(func.count()).select_from(table))
            for table in (decisions, outcomes)
        ]
    engine.dispose()
    return found[0] or 0, found[1] or 0


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """The database is being written by somebody who does not end."""
    path = settings.database.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_requests_that_wait_together_share_a_transaction(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, busy_timeout_s=20.0)
    with running(settings) as app, ThreadPoolExecutor(24) as pool:
        store = recorder_of(app).store
        with locked(settings):
            first = pool.submit(ask, app.test_client(), request_body("first"))
            waiting = [
                pool.submit(ask, app.test_client(), request_body(f"d{i}")) for i in range(20)
            ]
            assert not any(future.done() for future in [first, *waiting])
            threading.Event().wait(0.5)
        assert {future.result().status_code for future in [first, *waiting]} == {200}
        assert store.transactions <= 4
    assert counted(settings) == (21, 0)


def test_one_id_asked_by_many_at_once_is_decided_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: ask(app.test_client(), request_body()).get_data(), range(40))
        assert len(set(answers)) == 1
    assert counted(settings) == (1, 0)


def test_while_the_store_fails_the_spool_records_and_repeats(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app:
        client = app.test_client()
        with locked(settings):
            first = ask(client, request_body())
            assert first.get_json()["recorded"] is True
            assert tell(client, {"decision_id": "d1", "approved": True}).status_code == 200
            assert ask(client, request_body()).get_data() == first.get_data()
            problem(ask(client, request_body(attempt=2)), 422)
        assert ask(client, request_body()).get_data() == first.get_data()
        assert client.get("/readyz").get_json() == {"status": "ready", "spooled": True}
    assert counted(settings) == (0, 0)
    with running(settings) as app:
        assert ask(app.test_client(), request_body()).get_data() == first.get_data()
        assert app.test_client().get("/readyz").get_json() == {"status": "ready", "spooled": False}
    assert not settings.spool.exists()
    assert counted(settings) == (1, 1)


def test_a_store_that_works_again_gets_what_is_in_the_spool(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, retry_store_s=0.05)
    with running(settings) as app:
        with locked(settings):
            ask(app.test_client(), request_body())
        assert settings.spool.exists()
        until = time.monotonic() + 10
        while recorder_of(app).spool.holds_any and time.monotonic() < until:
            time.sleep(0.02)
        assert counted(settings) == (1, 0)


def test_a_store_that_was_away_at_the_start_gets_its_tables_and_what_is_in_the_spool(
    tmp_path: Path,
) -> None:
    mounted = tmp_path / "mounted"
    database = f"sqlite:///{mounted / 'authopt.db'}"
    settings = settings_in(tmp_path, retry_store_s=0.05, database=database)
    with running(settings) as app:
        assert ask(app.test_client(), request_body()).get_json()["recorded"] is True
        assert settings.spool.exists()
        mounted.mkdir()
        until = time.monotonic() + 10
        while recorder_of(app).spool.holds_any and time.monotonic() < until:
            time.sleep(0.02)
        assert recorder_of(app).store.decision("d1") is not None


def test_what_is_in_the_spool_is_answered_again_by_a_process_whose_store_fails(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path, policy="priority:routes=braintree")
    with running(settings) as app, locked(settings):
        first = ask(app.test_client(), request_body()).get_data()
    with locked(settings), running(settings_in(tmp_path, policy="priority:routes=adyen")) as app:
        assert ask(app.test_client(), request_body()).get_data() == first


def test_an_answer_that_waits_too_long_is_not_recorded_later(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, busy_timeout_s=20.0, store_within_s=30.0)
    with running(settings) as app:
        client = app.test_client()
        # The first decision of a process takes longer than any later one.
        ask(client, request_body("warm"))
        with locked(settings):
            # Its write has begun and hangs, so the answer is the drawn action, as in the row.
            first, second = (
                client.post("/v1/decisions", json=request_body(name), headers={HEADER: "1000"})
                for name in ("first", "second")
            )
        assert [each.get_json()["recorded"] for each in (first, second)] == [False, False]
        assert [each.get_json()["fallback"] for each in (first, second)] == [None, NOT_RECORDED]
        repeated = ask(client, request_body("first")).get_json()
    assert repeated["action"] == first.get_json()["action"]
    assert counted(settings) == (2, 0)


def test_a_line_that_the_spool_could_not_finish_is_taken_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    record = OutcomeRecord("d1", "0" * 64, 1, "x" * 5000)
    spool.keep([record])
    size = spool.path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        with pytest.raises(OSError, match="spool"):
            spool.keep([record])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert spool.path.stat().st_size == size


def test_a_spool_that_was_loaded_but_not_removed_is_loaded_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app, locked(settings):
        ask(app.test_client(), request_body())
        tell(app.test_client(), {"decision_id": "d1", "approved": True})
    copy = settings.spool.read_bytes()
    for _ in range(2):
        settings.spool.write_bytes(copy)
        with running(settings):
            pass
    assert counted(settings) == (1, 1)


def test_a_torn_line_of_the_spool_hides_no_other(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app, locked(settings):
        ask(app.test_client(), request_body("d1"))
        with settings.spool.open("ab") as file:
            file.write(b'\n{"type":"decision","decis')
        ask(app.test_client(), request_body("d2"))
    with running(settings):
        pass
    assert counted(settings) == (2, 0)


def test_where_nothing_can_record_the_answer_says_so(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, spool=tmp_path / "no-folder" / "spool")
    with running(settings) as app, locked(settings):
        answer = ask(app.test_client(), request_body()).get_json()
        assert answer["recorded"] is False
        assert answer["action"] == {"route": ROUTES[0], "delay_s": 0}
        assert answer["propensity"] == 1.0
        assert answer["fallback"] == NOT_RECORDED
        assert [each["field"] for each in problem(app.test_client().get("/readyz"), 503)["errors"]]
        problem(tell(app.test_client(), {"decision_id": "d1", "approved": True}), 503)
    assert counted(settings) == (0, 0)


def test_a_store_that_is_no_database_does_not_keep_the_service_from_answering(
    tmp_path: Path,
) -> None:
    (tmp_path / "authopt.db").write_bytes(b"this is no database, and it is long enough" * 50)
    with running(settings_in(tmp_path)) as app:
        client = app.test_client()
        assert ask(client, request_body()).get_json()["recorded"] is True
        fields = [each["field"] for each in problem(client.get("/readyz"), 503)["errors"]]
    assert fields == ["store"]


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app, ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(ask, app.test_client(), request_body(f"d{i}")) for i in range(30)]
        answered = sum(future.result().status_code == 200 for future in futures)
    assert counted(settings) == (answered, 0) == (30, 0)


def test_migrations_make_the_tables_that_the_service_uses(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    migrate(engine)
    found = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column for column in found.get_columns(table.name)}
        assert list(columns) == [column.name for column in table.columns]
        for column in table.columns:
            assert columns[column.name]["nullable"] == column.nullable
            assert str(columns[column.name]["type"]) == str(
                column.type.compile(dialect=engine.dialect)
            )
    engine.dispose()


def test_many_may_migrate_at_once(tmp_path: Path) -> None:
    def one(_: int) -> None:
        engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}", 20.0)
        migrate(engine)
        engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))


def test_commits_are_on_disk_when_they_return(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


def test_a_database_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'a.db'}")
    with pytest.raises(UserError, match=r"a\.db cannot be used"):
        migrate(engine)
    engine.dispose()
    sqlite3.connect(tmp_path / "b.db").close()
    (tmp_path / "b.db").touch()
    engine = open_engine(f"sqlite:///file:{tmp_path / 'b.db'}?mode=ro&uri=true")
    with pytest.raises(UserError, match="readonly"):
        migrate(engine)
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(UserError, match="9999"):
        migrate(engine)
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "nonsense", "nosuch://host/db", ""]
)
def test_a_url_that_names_no_lasting_database_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="database"):
        open_engine(url)


def test_a_spool_that_cannot_be_loaded_stays(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app, locked(settings):
        ask(app.test_client(), request_body())
    with locked(settings), running(settings) as app:
        assert app.test_client().get("/readyz").status_code == 503
    store = Store(open_engine(settings.database))
    assert Spool(settings.spool).load_into(store.keep) == 1
    store.close()


@pytest.mark.parametrize(
    "spec", ["nonsense", "vw", "priority", "priority:routes=a,a", "uniform:x=1", "logged"]
)
def test_a_spec_that_no_file_would_mend_is_refused(spec: str) -> None:
    with pytest.raises(UserError, match="policy"):
        check_spec(spec)


def test_a_model_that_is_not_there_yet_is_no_unsound_spec(tmp_path: Path) -> None:
    check_spec(f"vw:{tmp_path / 'model.vw'}")
