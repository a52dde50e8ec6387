"""``authopt doctor``: each point of a real deployment, well and not well."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, update
from werkzeug.serving import make_server

from authopt.errors import CheckFailed
from service.doctor.command import doctor
from service.doctor.database import check_database
from service.doctor.examination import Deployment, examine
from service.doctor.finding import Finding, State
from service.doctor.running import check_service
from service.learning.cursor import Cursor, Task
from service.learning.lease import Lease
from service.models.kill_switch import set_killed
from service.models.live_policy import promote_model
from service.security.api_keys import create_key, revoke_key
from service.security.caller import Scope
from service.store.changes import changing, writing
from service.store.engine import open_engine
from service.store.spool import Spool
from service.store.tables import models
from tests.service.in_process import ask, request_body, running, settings_in
from tests.service.models.models_to_add import added
from tests.service.security.keys import key
from tests.service.store.records import decision

HOUR_US = 3_600_000_000


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, 0.2)
    yield engine
    engine.dispose()


@pytest.fixture
def backend() -> str:
    """SQLite, but for the tests that say otherwise."""
    return "sqlite"


def configured(folder: Path, **more: object) -> Path:
    path = folder / "service.toml"
    values = {
        "policy": "uniform",
        "routes": ["adyen", "checkout"],
        "database": f"sqlite:///{folder / 'authopt.db'}",
        **more,
    }
    tables = [name for name, value in values.items() if isinstance(value, dict)]
    lines = [f"{name} = {json.dumps(values[name])}" for name in values if name not in tables]
    lines += [f"[{name}.one]\n{_lines(values[name]['one'])}" for name in tables]  # type: ignore[index]
    path.write_text("\n".join(lines))
    return path


def _lines(values: dict[str, object]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def found(folder: Path, **more: object) -> dict[str, Finding]:
    """What is said of each point of a deployment in a folder."""
    return {each.point: each for each in examine(Deployment(configured(folder, **more)))}


def state(finding: Finding, *words: str) -> State:
    for word in words:
        assert word in finding.found + finding.mend, finding
    return finding.state


def test_a_sound_deployment_passes(engine: Engine, tmp_path: Path) -> None:
    ended = CliRunner().invoke(doctor, ["--config", str(configured(tmp_path)), "--json"])
    assert ended.exception is None, ended.output
    told = json.loads(ended.stdout)
    assert told["failed"] == 0
    assert {each["state"] for each in told["findings"]} <= {"ok", "warn"}
    points = {each["point"] for each in told["findings"]}
    assert {
        "configuration",
        "database: writing",
        "spool",
        "keys",
        "learner",
        "watch of default",
    } <= points


def test_a_point_that_fails_is_told_with_what_to_do_and_ends_with_1(tmp_path: Path) -> None:
    ended = CliRunner().invoke(doctor, ["--config", str(configured(tmp_path))])
    assert isinstance(ended.exception, CheckFailed)
    assert "FAIL  database" in ended.stdout
    assert "authopt serve makes it" in ended.stdout


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_database_without_tables_is_told(empty_url: str) -> None:
    engine = open_engine(empty_url)
    engine.connect().close()
    points = {each.point: each for each in check_database(engine, empty_url, 1)}
    engine.dispose()
    assert state(points["database: tables"], "version none") is State.FAIL


def test_a_database_that_nobody_answers_for_is_told() -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:9/none"
    engine = open_engine(url)
    (only,) = check_database(engine, url, 1)
    engine.dispose()
    assert state(only, "refused", "mend its URL") is State.FAIL


def test_a_database_that_another_holds_is_not_written(engine: Engine, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'authopt.db'}"
    with writing(engine) as connection:
        connection.exec_driver_sql("SELECT 1")
        impatient = open_engine(url, 0.05)
        points = {each.point: each for each in check_database(impatient, url, 1)}
        impatient.dispose()
    assert state(points["database: writing"], "locked") is State.FAIL


@pytest.mark.parametrize("backend", ["postgresql"])
@pytest.mark.parametrize(("workers", "expected"), [(1, State.OK), (1_000, State.FAIL)])
def test_postgresql_is_in_time_and_must_have_room_for_all_workers(
    engine: Engine, database_url: str, workers: int, expected: State
) -> None:
    points = {each.point: each for each in check_database(engine, database_url, workers)}
    assert points["database: connections"].state is expected
    assert points["database: clock"].state is State.OK
    assert points["database: writing"].state is not State.FAIL


def test_a_spool_that_holds_records_is_told(engine: Engine, tmp_path: Path) -> None:
    Spool(tmp_path / "authopt.db.spool").keep([decision("d1")])
    assert state(found(tmp_path)["spool"], "bytes wait") is State.WARN


def test_a_spool_without_its_folder_fails(engine: Engine, tmp_path: Path) -> None:
    points = found(tmp_path, spool="nowhere/spool")
    assert state(points["spool: folder"], "No such file") is State.FAIL


def test_a_model_that_is_missing_fails(engine: Engine, tmp_path: Path) -> None:
    points = found(tmp_path, policy="vw:gone.vw")
    assert state(points["policy of default"], "gone.vw") is State.FAIL


def test_a_live_model_whose_bytes_are_damaged_fails(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path / "models")
    promote_model(engine, "default", "test", model.sha256, "")
    assert state(found(tmp_path)["policy of default"], "online") is State.OK
    with writing(engine) as connection:
        connection.execute(update(models).values(files=b"no archive"))
    points = found(tmp_path)
    assert state(points["policy of default"], "damaged", "uniform decides") is State.FAIL


def test_a_kill_switch_that_is_on_is_told(engine: Engine, tmp_path: Path) -> None:
    with changing(engine) as connection:
        set_killed(connection, "default", "test", True, "drill")
    assert found(tmp_path)["policy of default: kill switch"].state is State.WARN


def test_rules_that_are_unsound_and_a_secret_that_is_missing_fail(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "rules.toml").write_text("max_attempts = 0")
    points = found(tmp_path, rules="rules.toml")
    assert state(points["configuration"], "max_attempts") is State.FAIL
    hooks = {"one": {"shape": "stripe", "secret_env": "AUTHOPT_TEST_SECRET"}}
    with patch.dict(os.environ, clear=False):
        os.environ.pop("AUTHOPT_TEST_SECRET", None)
        points = found(tmp_path, webhooks=hooks)
        assert state(points["configuration"], "AUTHOPT_TEST_SECRET") is State.FAIL
        os.environ["AUTHOPT_TEST_SECRET"] = "x" * 32
        assert state(found(tmp_path, webhooks=hooks)["webhooks"], "one") is State.OK


def test_keys_are_missed_where_other_machines_can_ask(engine: Engine, tmp_path: Path) -> None:
    assert found(tmp_path)["keys"].state is State.OK
    assert state(found(tmp_path, host="0.0.0.0")["keys"], "keys create") is State.FAIL
    assert found(tmp_path, host="0.0.0.0", open=True)["keys"].state is State.WARN


def test_keys_that_end_are_told_before_and_after(engine: Engine, tmp_path: Path) -> None:
    with changing(engine) as connection:
        scopes, days = [Scope.READ], timedelta(days=3)
        made = create_key(connection, "default", "x", scopes, actor="test", expires_in=days)
    points = found(tmp_path)
    assert state(points[f"key {made.key_id}"], "keys rotate") is State.WARN
    with changing(engine) as connection:
        revoke_key(connection, made.key_id, actor="test")
    assert state(found(tmp_path)["keys"], "nobody may ask") is State.FAIL


def test_a_learner_that_is_gone_is_told_and_one_that_learns_is_well(
    engine: Engine, tmp_path: Path
) -> None:
    lease = Lease("default", "nightly", "somebody", HOUR_US)
    lease.take(engine, 0)
    point = "learner nightly of default"
    assert state(found(tmp_path)[point], "does not run") is State.WARN
    lease.take(engine, 10 * 365 * 24 * HOUR_US * 20)
    assert state(found(tmp_path)[point], "0 decisions behind") is State.OK
    cursor = Cursor(Task("online", "approved", 0, "declined"), "online:{}/x.json", decisions=0)
    with writing(engine) as connection:
        lease.save(connection, cursor, None, 10 * 365 * 24 * HOUR_US * 20)
    assert found(tmp_path)[point].state is State.OK


@contextmanager
def listening(folder: Path, **changes: object) -> Iterator[tuple[str, str]]:
    """A service on a port of its own, and a key with the scope read."""
    with running(settings_in(folder, **changes)) as app:
        assert ask(app.test_client(), request_body()).status_code == 200
        made = key(app, Scope.READ)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", made
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def test_a_running_service_is_asked_what_it_can_do(tmp_path: Path) -> None:
    with listening(tmp_path) as (url, made):
        told = {each.point: each for each in check_service(url, made)}
        without = {each.point: each for each in check_service(url, None)}
    assert {each.state for each in told.values()} == {State.OK}
    assert state(without["service: metrics"], "AUTHOPT_KEY") is State.WARN
    (gone,) = check_service(url, made)
    assert state(gone, "authopt serve") is State.FAIL


def test_a_running_service_without_a_policy_says_why(tmp_path: Path) -> None:
    with listening(tmp_path, policy="vw:gone.vw") as (url, made):
        told = {each.point: each for each in check_service(url, made)}
    assert state(told["service: ready"], "gone.vw") is State.FAIL
