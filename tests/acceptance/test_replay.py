"""``authopt replay`` against the real service: the whole way of a decision, as fast as it goes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from authopt.batch import LoggedBatch
from authopt.logs.files import read_log
from service.security.api_keys import create_key
from service.security.caller import Scope
from service.store.changes import changing
from service.store.engine import open_engine
from service.store.migrate import migrate
from tests.acceptance.in_process import authopt

pytestmark = pytest.mark.acceptance

ROUTES = "everywhere,atlas,borealis,delta,cordillera"
POLICY = f"priority:routes={ROUTES},epsilon=0.4"
START_LIMIT_S = 60.0


@dataclass
class Server:
    """A service in a process group of its own."""

    url: str
    database: Path
    process: subprocess.Popen[bytes]

    def rows(self, table: str) -> int:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            return int(connection.execute(f"select count(*) from {table}").fetchone()[0])

    def counts(self) -> tuple[int, int]:
        """Decisions and outcomes, once none of them waits in the spool any more."""
        until = time.monotonic() + START_LIMIT_S
        while list(self.database.parent.glob("*.spool*.loading")) or self.spool.exists():
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)
        return self.rows("decisions"), self.rows("outcomes")

    @property
    def spool(self) -> Path:
        return self.database.with_name(f"{self.database.name}.spool")

    def log(self) -> str:
        return (self.database.parent / "server.log").read_text()


@contextmanager
def served(folder: Path, routes: str = ROUTES, policy: str = POLICY) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = folder / "authopt.db"
    arguments = ["serve", "--policy", policy, "--routes", routes, "--port", str(port)]
    # A loaded machine: what is measured here is not how soon the answers come.
    arguments += ["--database", f"sqlite:///{database}", "--deadline-ms", "30000"]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "authopt", *arguments],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", database, process)
    try:
        until = time.monotonic() + START_LIMIT_S
        while not ready(server.url):
            assert process.poll() is None, server.log()
            assert time.monotonic() < until, server.log()
            time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def replay(log: Path, *words: object) -> dict[str, Any]:
    done = authopt("replay", log, *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    done = authopt("simulate", "--world", "small", "--payments", 2_000, "--seed", 3, "--out", path)
    assert done.returncode == 0, done.stderr
    return path


def made_key(database: Path) -> str:
    """A key that a service on a new database will ask for."""
    with opened_anew(database) as engine, changing(engine) as connection:
        scopes = (Scope.DECIDE, Scope.OUTCOME)
        return str(create_key(connection, "default", "replay", scopes, actor="test"))


@contextmanager
def opened_anew(database: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{database}")
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


def decisions(path: Path) -> dict[str, tuple[Any, ...]]:
    """All that a log says of each decision's choice and outcome, by its id."""
    batch = read_log(path)
    return {
        str(batch.decision_id[row].as_py()): (
            str(batch.payment_id[row].as_py()),
            int(batch.attempt[row]),
            batch.decided_at[row],
            [str(action) for action in batch.actions(row)],
            probabilities(batch, row),
            int(batch.chosen[row]),
            float(batch.propensity[row]),
            float(np.asarray(batch.outcome["approved"])[row]),
            np.asarray(batch.outcome["outcome_at"]).astype("M8[us]")[row],
        )
        for row in range(batch.n)
    }


def probabilities(batch: LoggedBatch, row: int) -> list[float]:
    assert batch.probability is not None
    return batch.probability[batch.offsets[row] : batch.offsets[row + 1]].tolist()


def test_the_service_records_the_replay_and_decides_as_the_policy_does_in_process(
    tmp_path: Path, log: Path
) -> None:
    world = ("--world", "small", "--seed", 3, "--payments", 300)
    asked, here, exported = (tmp_path / f"{name}.parquet" for name in ("http", "here", "export"))
    with served(tmp_path) as server:
        page = tmp_path / "replay.html"
        said = replay(log, "--url", server.url, *world, "--out", asked, "--plot", page)
        recorded = server.counts()
        again = replay(log, "--url", server.url, *world)
        assert server.counts() == recorded
        database = f"sqlite:///{server.database}"
        assert authopt("log", "export", "--database", database, "--out", exported).returncode == 0
    told = said["replay"]["decisions"]
    assert recorded == (told, told)
    assert said["traffic"]["requests"] == 2 * told
    assert said["traffic"]["outcomes_told"] == told
    assert said["traffic"]["errors"] == {}
    assert said["fallbacks"] == {}
    assert 0 < said["sources"]["log"] < told
    assert again["replay"] == said["replay"]
    assert decisions(exported) == decisions(asked)
    in_process = replay(log, "--policy", POLICY, *world, "--out", here)
    assert in_process["replay"] == said["replay"]
    assert decisions(here) == decisions(asked)
    assert "<title>Replay of" in page.read_text(encoding="utf-8")


def test_a_model_of_the_log_answers_for_what_the_log_did_not_do(tmp_path: Path, log: Path) -> None:
    key = made_key(tmp_path / "authopt.db")
    with served(tmp_path, policy="uniform") as server:
        words = ("replay", log, "--url", server.url, "--payments", 200)
        without, done = authopt(*words), authopt(*words, "--key", key)
        assert server.process.poll() is None, server.log()
    assert without.returncode == 2
    assert "AUTHOPT_KEY" in without.stderr
    assert done.returncode == 0, done.stderr + (tmp_path / "server.log").read_text()
    for words in ("the model", "latency of a decision", "requests per second", "A what-if"):
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_service_that_is_killed_in_the_midst_is_told_of_and_the_rest_is_kept(
    tmp_path: Path, log: Path
) -> None:
    out = tmp_path / "replay.parquet"
    words = ["replay", log, "--world", "small", "--concurrency", "4", "--out", out]
    with served(tmp_path) as server:
        going = subprocess.Popen(
            [sys.executable, "-m", "authopt", *map(str, words), "--url", server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + START_LIMIT_S
        while server.rows("decisions") < 50:
            assert going.poll() is None, (going.communicate(), server.log())
            assert server.process.poll() is None, server.log()
            assert time.monotonic() < until
            time.sleep(0.01)
        os.killpg(server.process.pid, signal.SIGKILL)
        said, complained = going.communicate(timeout=120)
        recorded = server.rows("decisions")
    assert going.returncode == 1, complained
    assert "Traceback" not in complained
    assert "the service stopped answering" in complained
    assert "Ended before its time" in said
    # Of those that were under way, the answer is lost.
    assert 50 - 4 <= read_log(out).n <= recorded


def test_a_mistake_is_told_without_a_traceback(tmp_path: Path, log: Path) -> None:
    with served(tmp_path, routes="adyen,checkout", policy="uniform") as server:
        refused = authopt("replay", log, "--world", "small", "--url", server.url)
    gone = authopt("replay", log, "--world", "small", "--url", server.url)
    assert "refuses every decision of the log" in refused.stderr
    assert "--routes atlas,borealis" in refused.stderr
    assert "Start the service with authopt serve" in gone.stderr
    for done in (refused, gone):
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
