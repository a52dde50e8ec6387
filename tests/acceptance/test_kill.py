"""A service that is killed loses nothing that it has answered."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from service.store.engine import open_engine
from service.store.tables import decisions, outcomes

pytestmark = pytest.mark.acceptance

ROUTES = "adyen,braintree,checkout"
THREADS = 8
START_LIMIT_S = 30.0


@dataclass
class Server:
    """A service in a process group of its own."""

    port: int
    process: subprocess.Popen[bytes]

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=10)

    def kill(self) -> None:
        """As the machine would when it loses power, but for the disk."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def served(folder: Path, *further: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve", "--policy", "priority:routes=adyen,epsilon=0.4", "--routes", ROUTES]
    arguments += ["--delays", "0,3600", "--port", str(port)]
    # A loaded machine: what is measured here is not how soon the answers come.
    arguments += ["--database", f"sqlite:///{folder / 'authopt.db'}", "--deadline-ms", "30000"]
    arguments += further
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "authopt", *arguments],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(port, process)
    try:
        until = time.monotonic() + START_LIMIT_S
        while not _ready(server):
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < until, (folder / "server.log").read_text()
            time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            server.kill()


def _ready(server: Server) -> bool:
    connection = server.connect()
    try:
        return post(connection, "/readyz", None)[0] == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def post(connection: HTTPConnection, path: str, body: Any) -> tuple[int, bytes]:
    method = "GET" if body is None else "POST"
    text = None if body is None else json.dumps(body).encode()
    connection.request(method, path, text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


@dataclass
class Load:
    """Threads that ask and tell until they are stopped or the server is gone."""

    server: Server
    answered: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, bool] = field(default_factory=dict)
    failed: list[tuple[int, bytes]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.threads = [threading.Thread(target=self._run, args=(at,)) for at in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        until = time.monotonic() + START_LIMIT_S
        while len(self.answered) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.answered) >= count

    def join(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(15)

    def _run(self, at: int) -> None:
        connection = self.server.connect()
        number = 0
        try:
            while not self.stop.is_set():
                body = request(f"t{at}-{number}")
                status, text = post(connection, "/v1/decisions", body)
                if status != 200:
                    self.failed.append((status, text))
                    return
                self.answered[body["decision_id"]] = text
                if number % 2:
                    approved = number % 3 == 0
                    outcome = {"decision_id": body["decision_id"], "approved": approved}
                    if post(connection, "/v1/outcomes", outcome)[0] == 200:
                        self.told[body["decision_id"]] = approved
                number += 1
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()


def request(decision_id: str) -> dict[str, Any]:
    context = {"network": "visa", "currency": "EUR", "amount_minor": 1999}
    return {
        "decision_id": decision_id,
        "payment_id": f"p-{decision_id}",
        "attempt": 1,
        "context": context,
    }


def check_kept(folder: Path, load: Load) -> None:
    """Everything that was answered is in the store, and nothing in it twice."""
    engine = open_engine(f"sqlite:///{folder / 'authopt.db'}")
    with engine.connect() as connection:
        rows = {row.decision_id: row for row in connection.execute(select(decisions))}
        kept = [(row.decision_id, row.outcome) for row in connection.execute(select(outcomes))]
    engine.dispose()
    assert not load.failed
    assert load.answered.keys() <= rows.keys()
    for decision_id, text in load.answered.items():
        answer, row = json.loads(text), rows[decision_id]
        assert answer["recorded"] is True
        assert {"route": row.route, "delay_s": row.delay_s} == answer["action"]
        assert row.propensity == answer["propensity"]
        assert row.answer.encode() == text
    found = {decision_id: json.loads(outcome)["approved"] for decision_id, outcome in kept}
    assert len(found) == len(kept)
    assert load.told.items() <= found.items()


def check_repeats(server: Server, load: Load) -> None:
    """The same request gets the same bytes from a server that has started since."""
    connection = server.connect()
    for decision_id in list(load.answered)[-200:]:
        status, text = post(connection, "/v1/decisions", request(decision_id))
        assert (status, text) == (200, load.answered[decision_id])
    connection.close()


def test_kill_9_under_load_loses_no_answer(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        load = Load(server)
        load.start()
        load.wait_for(400)
        server.kill()
        load.join()
    check_kept(tmp_path, load)
    with served(tmp_path) as server:
        check_repeats(server, load)


def test_sigterm_under_load_loses_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        load = Load(server)
        load.start()
        load.wait_for(200)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
        load.join()
    check_kept(tmp_path, load)
    assert not (tmp_path / "authopt.db-wal").exists()


def test_killed_workers_are_replaced_and_lose_no_answer(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as server:
        load = Load(server)
        load.start()
        load.wait_for(200)
        killed = _children(server)
        for process in killed:
            os.kill(process, signal.SIGKILL)
        load.join()
        until = time.monotonic() + START_LIMIT_S
        while not (_children(server) - killed and _ready(server)):
            assert server.process.poll() is None, (tmp_path / "server.log").read_text()
            assert time.monotonic() < until, (tmp_path / "server.log").read_text()
            time.sleep(0.05)
        check_repeats(server, load)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
    check_kept(tmp_path, load)


def _children(server: Server) -> set[int]:
    """The processes that the main process has started: workers, and the recorder."""
    pid = server.process.pid
    return {
        int(each)
        for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if b"resource_tracker" not in Path(f"/proc/{each}/cmdline").read_bytes()
    }


def test_a_worker_whose_main_process_is_killed_frees_the_port(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", server.port))
                    return
            except OSError:
                time.sleep(0.05)
    pytest.fail("the port is still taken")
