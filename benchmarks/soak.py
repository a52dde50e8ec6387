"""Mixed load at half the limit for a long while: memory and latency must stay as they are.

The limit is measured first, with the same clients and the same learner. Then decisions, repeats,
outcomes, batches, rankings and readers come at half of it. Memory is what all processes of the
service and the learner hold for themselves alone; it and the latency of the last quarter are
compared with those of the first one after a warm-up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks._service_load import Load
from benchmarks._service_stack import Stack, running_postgres

MINUTES = 30.0
QUICK_MINUTES = 0.5
WARM_UP = 0.25
"""Of the time."""
WINDOWS = 20
MEMORY_BAR = 0.05
LATENCY_BAR = 0.25
LATENCY_NOISE_MS = 2.0
"""Of a shared machine; a smaller change of the median says nothing."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the time."""

    mebibytes: float
    per_second: float
    p50_ms: float
    p99_ms: float


def main() -> int:
    """Run it; 1 if memory or latency did not stay as they were, or a request failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{60 * QUICK_MINUTES:g} seconds")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--store", choices=["SQLite", "PostgreSQL"], default="SQLite")
    given = parser.parse_args()
    seconds = 60 * (QUICK_MINUTES if given.quick else given.minutes)
    with tempfile.TemporaryDirectory(prefix="authopt-soak-") as name, ExitStack() as held:
        folder = Path(name)
        folder.chmod(0o755)
        if given.store == "PostgreSQL":
            url = held.enter_context(running_postgres(folder / "postgres")).database("soak")
        else:
            url = f"sqlite:///{folder / 'authopt.db'}"
        stack = Stack(given.store, folder, url, folder, wait="5s")
        held.callback(stack.stop)
        stack.start()
        stack.start_learner()
        windows, failed = _soak(stack, seconds)
    return _verdict(windows, failed)


def _soak(stack: Stack, seconds: float) -> tuple[list[Window], list[str]]:
    limit = Load(stack, "limit", 1, keeps=False)
    _for(limit, min(10.0, seconds / 6))
    began = time.monotonic()
    _for(limit := Load(stack, "limit2", 2, keeps=False), min(10.0, seconds / 6))
    payments_per_s = limit.payments / (time.monotonic() - began)
    load = Load(stack, "soak", 3, keeps=False)
    load.pause_s = load.clients / (payments_per_s / 2)
    stop = threading.Event()
    failed: list[str] = []
    others = threading.Thread(target=_others, args=(stack, stop, failed))
    load.start()
    others.start()
    try:
        windows = [_window(stack, load, seconds / WINDOWS) for _ in range(WINDOWS)]
    finally:
        stop.set()
        others.join()
        noted = load.end()
    return windows, [*limit.noted.without_action, *noted.without_action, *failed]


def _for(load: Load, seconds: float) -> None:
    load.start()
    time.sleep(seconds)
    load.end()


def _window(stack: Stack, load: Load, seconds: float) -> Window:
    noted = load.noted
    first, began = len(noted.seconds), time.monotonic()
    time.sleep(seconds)
    took = sorted(1e3 * each for each in noted.seconds[first:])
    elapsed = time.monotonic() - began
    held = 0
    for process in stack.processes():
        with suppress(psutil.Error):
            held += process.memory_full_info().uss
    if len(took) < 2:
        return Window(held / 2**20, 0.0, float("inf"), float("inf"))
    p99 = statistics.quantiles(took, n=100)[98]
    return Window(held / 2**20, len(took) / elapsed, statistics.median(took), p99)


def _others(stack: Stack, stop: threading.Event, failed: list[str]) -> None:
    """Once a second: a batch, a ranking, and those who read."""
    number = 0
    while not stop.wait(1.0):
        number += 1
        one = {"attempt": 1, "context": {"network": "visa", "currency": "EUR"}}
        items = [
            {**one, "decision_id": f"b{number}-{at}", "payment_id": f"pb{number}-{at}"}
            for at in range(50)
        ]
        for path, body in (
            ("/v1/decisions/batch", {"decisions": items}),
            ("/v1/rank", {**one, "decision_id": f"k{number}", "payment_id": f"pk{number}"}),
            (f"/v1/payments/pb{number}-0", None),
            ("/v1/policies", None),
            ("/metrics", None),
            ("/readyz", None),
        ):
            connection = HTTPConnection("127.0.0.1", stack.port, timeout=30)
            try:
                head = {"Content-Type": "application/json"}
                text = None if body is None else json.dumps(body)
                connection.request("GET" if body is None else "POST", path, text, head)
                answer = connection.getresponse()
                said = answer.read()
                # What is just being moved from the spool into the store is not shown for a moment.
                if answer.status not in (200, 404) and path != "/readyz":
                    failed.append(f"{path}: {answer.status} {said[:200]!r}")
            except (OSError, HTTPException) as error:
                failed.append(f"{path}: {type(error).__name__}")
            finally:
                connection.close()


def _verdict(windows: list[Window], failed: list[str]) -> int:
    table = Table(title="Windows of equal length")
    for heading in ("window", "MiB", "decisions/s", "p50, ms", "p99, ms"):
        table.add_column(heading, justify="right")
    for at, each in enumerate(windows, 1):
        latencies = (f"{each.p50_ms:.1f}", f"{each.p99_ms:.1f}")
        table.add_row(str(at), f"{each.mebibytes:.1f}", f"{each.per_second:.0f}", *latencies)
    Console(highlight=False).print(table)
    for what in failed[:5]:
        print(what)
    warm = windows[int(WARM_UP * len(windows)) :]
    quarter = max(1, len(warm) // 4)

    def change(of: Callable[[Window], float]) -> tuple[float, float]:
        first = statistics.median(map(of, warm[:quarter]))
        last = statistics.median(map(of, warm[-quarter:]))
        return last / first - 1, last - first

    memory, _ = change(lambda each: each.mebibytes)
    latency, more_ms = change(lambda each: each.p50_ms)
    is_flat = latency <= LATENCY_BAR or more_ms <= LATENCY_NOISE_MS
    print(
        f"soak: memory {memory:+.1%}, median latency {latency:+.0%} ({more_ms:+.1f} ms), "
        f"{len(failed)} requests failed (bar {MEMORY_BAR:.0%}, {LATENCY_BAR:.0%} or "
        f"{LATENCY_NOISE_MS:g} ms, 0)"
    )
    return 0 if memory <= MEMORY_BAR and is_flat and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
