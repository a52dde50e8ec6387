"""``python -m benchmarks.serve_vs_bare_flask [--quick]``: decisions per second against a JSON echo.

Both run under granian with one process and the same number of threads. The echo is a bare Flask
application that decodes a JSON body and sends it back; it decides nothing and records nothing.
authopt answers decisions over eight actions by a trained Vowpal Wabbit model, and each is on disk
(fsync) before it is answered. The same client, threads in a process of its own with connections
that stay open, asks both with the same bodies.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SHARE = 0.3
P99_MS = 20.0
AT = 0.8
ROUTES = ("adyen", "braintree", "checkout", "dlocal")
DELAYS = "0,3600"
SERVER_THREADS = 32
CLIENTS = 32
START_LIMIT_S = 60.0

ECHO = "benchmarks.serve_vs_bare_flask:echo"


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests per second, and the 99th percentile of the time to an answer."""

    per_second: float
    p99_ms: float


def echo() -> Any:
    """The reference: a bare Flask application that echoes JSON."""
    from flask import Flask, jsonify, request

    app = Flask("echo")

    @app.post("/v1/decisions")
    def back() -> Any:
        return jsonify(request.get_json())

    @app.get("/readyz")
    def ready() -> Any:
        return jsonify(status="ready")

    return app


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    options = parser.parse_args()
    return compare(seconds=2.0 if options.quick else 10.0, rounds=2 if options.quick else 3)


def compare(seconds: float, rounds: int) -> int:
    """Measure both in turn, print the table and the verdict, return the exit status."""
    console = Console(highlight=False)
    peaks: dict[str, list[Measured]] = {"Flask echo": [], "authopt, uniform": [], "authopt": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = trained(folder)
        for number in range(rounds):
            with served(echo_arguments, folder / "echo.log") as port:
                peaks["Flask echo"].append(load(port, seconds))
            uniform = partial(ours, "uniform", folder / f"uniform-{number}.db")
            with served(uniform, folder / "ours.log") as port:
                peaks["authopt, uniform"].append(load(port, seconds))
            trained_model = partial(ours, f"vw:{model}", folder / f"{number}.db")
            with served(trained_model, folder / "ours.log") as port:
                peaks["authopt"].append(load(port, seconds))
                rate = AT * peaks["authopt"][-1].per_second
                steady = load(port, seconds, rate)
    middle = {
        side: statistics.median(each.per_second for each in found) for side, found in peaks.items()
    }
    table = Table(title=f"{CLIENTS} connections, {SERVER_THREADS} threads, one process")
    for heading in ("", "requests/s", "p99, ms"):
        table.add_column(heading, justify="right" if heading else "left")
    for side, found in peaks.items():
        p99 = statistics.median(each.p99_ms for each in found)
        table.add_row(f"{side}, peak", f"{middle[side]:,.0f}", f"{p99:.1f}")
    table.add_row(f"authopt at {AT:.0%}", f"{steady.per_second:,.0f}", f"{steady.p99_ms:.1f}")
    console.print(table)
    share = middle["authopt"] / middle["Flask echo"]
    console.print(
        f"serve_vs_bare_flask: {share:.0%} of its requests/s, p99 {steady.p99_ms:.1f} ms at "
        f"{AT:.0%} of the peak (bar {SHARE:.0%}, {P99_MS:.0f} ms)",
        soft_wrap=True,
    )
    return 0 if share >= SHARE and steady.p99_ms <= P99_MS else 1


def trained(folder: Path) -> Path:
    """A Vowpal Wabbit model of the routes."""
    from authopt.logs.files import write_log
    from tests.factories import logged_batch

    log, model = folder / "log.parquet", folder / "model.vw"
    write_log(log, [logged_batch(3000, ROUTES)])
    command = [sys.executable, "-m", "authopt", "train", str(log), "--out", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"training failed:\n{done.stderr}")
    return model


def echo_arguments(port: int) -> list[str]:
    """The command that serves the reference."""
    return [
        *("granian", "--interface", "wsgi", "--http", "1", "--no-ws", "--factory"),
        *("--workers", "1", "--blocking-threads", str(SERVER_THREADS), "--log-level", "error"),
        *("--host", "127.0.0.1", "--port", str(port), ECHO),
    ]


def ours(policy: str, database: Path, port: int) -> list[str]:
    """The command that serves decisions."""
    return [
        *("authopt", "serve", "--policy", policy, "--routes", ",".join(ROUTES)),
        *("--delays", DELAYS, "--database", f"sqlite:///{database}", "--port", str(port)),
        *("--threads", str(SERVER_THREADS)),
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
        while not is_ready(port):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def is_ready(port: int) -> bool:
    """Whether the server answers that it is ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(4096)
    except OSError:
        return False


def load(port: int, seconds: float, rate: float | None = None) -> Measured:
    """Ask from many connections, as fast as answers come or at a rate, in another process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(ask_for, (port, seconds, rate))


def ask_for(port: int, seconds: float, rate: float | None) -> Measured:
    """What :func:`load` does, in this process."""
    latencies: list[float] = []
    start = time.perf_counter() + 0.2
    run = f"{port}-{time.time_ns()}"
    clients = [
        threading.Thread(target=client, args=(port, f"{run}-{at}", start, seconds, rate, latencies))
        for at in range(CLIENTS)
    ]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    if not latencies:
        raise SystemExit("the server gave no answer")
    p99 = statistics.quantiles(latencies, n=100)[98] if len(latencies) > 1 else latencies[0]
    return Measured(len(latencies) / seconds, p99 * 1000)


def client(
    port: int, name: str, start: float, seconds: float, rate: float | None, latencies: list[float]
) -> None:
    """One connection. A late answer at a rate counts from when it should have been asked."""
    own: list[float] = []
    pause = CLIENTS / rate if rate else 0.0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = 0
        # Spread over a pause, so that the connections do not all ask at the same moment.
        due = start + pause * (hash(name) % 1000) / 1000
        while (now := time.perf_counter()) < start + seconds:
            if now < due:
                time.sleep(min(due - now, 0.05))
                continue
            asked = due if rate else now
            connection.sendall(message(f"{name}-{number}"))
            receive(connection)
            own.append(time.perf_counter() - asked)
            number += 1
            due += pause
    latencies += own


def message(decision_id: str) -> bytes:
    """The bytes of one request."""
    body = json.dumps(
        {
            "decision_id": decision_id,
            "payment_id": f"p-{decision_id}",
            "attempt": 1,
            "context": {
                "merchant_id": "m1",
                "network": "visa",
                "funding": "credit",
                "issuer_country": "DE",
                "currency": "EUR",
                "amount_minor": 1999,
                "mcc": "5411",
                "initiator": "cit",
                "token": True,
                "local_hour": 14,
            },
        }
    ).encode()
    head = (
        "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def receive(connection: socket.socket) -> bytes:
    """The body of one answer."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += received(connection)
    head = data[:end].lower()
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise SystemExit(f"the server refused: {data!r}")
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    while len(data) < end + 4 + length:
        data += received(connection)
    return data[end + 4 :]


def received(connection: socket.socket) -> bytes:
    """Some bytes; an end of the connection is an error."""
    data = connection.recv(65536)
    if not data:
        raise SystemExit("the server closed the connection")
    return data


if __name__ == "__main__":
    sys.exit(main())
