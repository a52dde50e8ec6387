"""``authopt watch`` beside a service."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from authopt.errors import UserError
from service.store.engine import open_engine
from service.store.store import Store
from service.store.tables import watchers
from service.summaries.reading import totals
from service.watch.commands import watch
from tests.service.summaries.recorded import NOW_US, START_US, decision, outcome

WATCH = "from service.watch.commands import watch; watch()"


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> str:
    path = tmp_path / "authopt.db"
    shutil.copy(migrated_file, path)
    return f"sqlite:///{path}"


def test_once_it_adds_up_what_is_there(database: str) -> None:
    store = Store(open_engine(database))
    store.keep([decision(), outcome(approved=True)])
    words = ["--once", "--json", "--database", database]
    done = CliRunner().invoke(watch, words, catch_exceptions=False)
    assert json.loads(done.stdout) == {"held": True, "rounds": 1, "failed": {}}
    with store.engine.connect() as connection:
        assert totals(connection, "default", START_US, NOW_US).approved == 1
    store.close()


def test_it_ends_by_itself_when_it_is_told_to_and_gives_the_lease_back(database: str) -> None:
    words = [sys.executable, "-c", WATCH, "--database", database, "--every", "1s", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    engine = open_engine(database)
    end = time.monotonic() + 60
    holder = None
    while holder is None and time.monotonic() < end:
        time.sleep(0.05)
        with engine.connect() as connection:
            holder = connection.scalar(select(watchers.c.holder))
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert holder is not None
    assert process.returncode == 0
    assert json.loads(told)["held"] is True
    with engine.connect() as connection:
        assert connection.scalar(select(watchers.c.holder)) is None
    engine.dispose()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--every", "soon"], "--every: 'soon' is no length of time"),
        (["--tenant", "No One"], "tenant 'No One'"),
        (["--lease", "0s"], "--lease: expected 1s or more"),
        (["--database", "sqlite:///none.db"], "there is no such database"),
    ],
)
def test_a_mistake_is_named(
    words: list[str], expected: str, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=expected):
        CliRunner().invoke(watch, ["--database", database, *words], catch_exceptions=False)
