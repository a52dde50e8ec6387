"""``python -m benchmarks.serve [--quick]``: decisions per second against a bare JSON echo.

The echo is a bare Flask application that decodes a JSON body and sends it back; it decides nothing
and records nothing. authopt answers decisions over eight actions by a trained Vowpal Wabbit model,
and each is on disk (fsync) before it is answered, in SQLite or in PostgreSQL. All run under granian
with the same number of threads, with one worker and with two, and are asked in turns, with the same
bodies, by the same client on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks._serve_batch import Cost, batch_cost
from benchmarks._serve_load import CONNECTIONS, Measured, Request, load
from benchmarks._serve_sides import (
    MODEL,
    THREADS,
    echo_arguments,
    postgres,
    served,
    service_arguments,
    trained,
)
from service.store.engine import open_engine
from service.store.spool import Spool
from service.store.store import Store
from service.store.tables import decisions

SHARE = 0.3
P99_MS = 20.0
AT = 0.8
WORKERS = (1, 2)
STORES = ("SQLite", "PostgreSQL")
IN_A_BATCH = 500
BATCH_BAR = 20_000
MOST_FALLBACKS = 0.001

DECISION = {
    "payment_id": "p-@",
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
ONE = Request("/v1/decisions", json.dumps({"decision_id": "@"} | DECISION))
MANY = Request("/v1/decisions/batch", json.dumps({"decision_id": "@"} | DECISION), IN_A_BATCH, 4)


@dataclass
class Side:
    """One server, and what was measured of it."""

    arguments: Callable[[int], list[str]]
    log: Path
    database: str = ""
    spool: Path = Path()
    asked: int = 0
    peak: list[Measured] = field(default_factory=list)
    steady: list[Measured] = field(default_factory=list)
    batch: list[Measured] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return statistics.median(each.per_second for each in self.peak)


Sides = dict[tuple[str, int], Side]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    options = parser.parse_args()
    seconds, rounds = (2.0, 1) if options.quick else (8.0, 3)
    with tempfile.TemporaryDirectory(prefix="authopt-bench-") as name, _sides(Path(name)) as sides:
        for _ in range(rounds):
            for side in sides.values():
                with served(side.arguments, side.log) as port:
                    _measure(port, side, seconds)
        for (store, _), side in sides.items():
            if side.database:
                _check_recorded(store, side)
        with tempfile.TemporaryDirectory(prefix="authopt-bench-") as own:
            cost = batch_cost(Path(own), Path(name) / MODEL, DECISION, IN_A_BATCH)
        return _verdict(sides, cost)


@contextmanager
def _sides(folder: Path) -> Iterator[Sides]:
    # PostgreSQL runs as a user of its own where this runs as root.
    folder.chmod(0o755)
    policy = f"vw:{trained(folder)}"
    data = folder / "postgres"
    with ExitStack() as stack:
        new = stack.enter_context(postgres(data))
        sides: Sides = {}
        for workers in WORKERS:
            sides["echo", workers] = Side(partial(echo_arguments, workers), folder / "echo.log")
            for store in STORES:
                name = f"{store}{workers}".lower()
                url = new(name) if store == "PostgreSQL" else f"sqlite:///{folder / name}.db"
                spool = folder / f"{name}.spool"
                sides[store, workers] = Side(
                    partial(service_arguments, policy, url, spool, workers),
                    folder / f"{name}.log",
                    url,
                    spool,
                )
        yield sides


def _measure(port: int, side: Side, seconds: float) -> None:
    def asked(request: Request, seconds: float, per_second: float | None = None) -> Measured:
        measured = load(port, request, seconds, per_second)
        side.asked += measured.requests * max(request.items, 1)
        return measured

    asked(ONE, 1.0)
    side.peak.append(asked(ONE, seconds))
    if side.database:
        side.steady.append(asked(ONE, seconds, AT * side.peak[-1].per_second))
        side.batch.append(asked(MANY, seconds))


def _check_recorded(name: str, side: Side) -> None:
    """Stop unless every answer is on record, and all but a few were the policy's."""
    engine = open_engine(side.database)
    # What the store was too slow for is on disk all the same.
    Spool(side.spool).load_into(Store(engine).keep)
    with engine.connect() as connection:
        kept = connection.scalar(select(func.count()).select_from(decisions)) or 0
        fallen = connection.scalar(
            select(func.count()).select_from(decisions).where(decisions.c.fallback.is_not(None))
        )
    engine.dispose()
    if kept < side.asked or (fallen or 0) > MOST_FALLBACKS * kept:
        raise SystemExit(
            f"{name}: {side.asked:,} answers, {kept:,} on record, {fallen:,} fallbacks"
        )


def _verdict(sides: Sides, cost: Cost) -> int:
    console = Console(highlight=False)
    client = "wrk" if shutil.which("wrk") else "asyncio client"
    table = Table(title=f"{CONNECTIONS} connections ({client}), {THREADS} threads a worker")
    for heading in ("", "workers", "requests/s", "of echo", f"at {AT:.0%}", "p99, ms", "batch/s"):
        table.add_column(heading, justify="right" if heading else "left")
    shares: list[float] = []
    p99s: list[float] = []
    for (name, workers), side in sides.items():
        row = [name, str(workers), f"{side.per_second:,.0f}"]
        if side.steady:
            shares.append(side.per_second / sides["echo", workers].per_second)
            p99s.append(statistics.median(each.p99_ms for each in side.steady))
            steady = statistics.median(each.per_second for each in side.steady)
            batch = IN_A_BATCH * statistics.median(each.per_second for each in side.batch)
            row += [f"{shares[-1]:.0%}", f"{steady:,.0f}", f"{p99s[-1]:.1f}", f"{batch:,.0f}"]
        table.add_row(*row)
    console.print(table)
    gains = [sides[store, 2].per_second / sides[store, 1].per_second for store in STORES]
    best_batch = max(
        IN_A_BATCH * statistics.median(each.per_second for each in side.batch)
        for side in sides.values()
        if side.batch
    )
    cores = len(os.sched_getaffinity(0))
    console.print(
        f"batch: {best_batch:,.0f} decisions/s (bar {BATCH_BAR:,}); each takes "
        f"{cost.whole:.0f} us of a processor in process ({cost.policy:.0f} of them the policy, "
        f"{cost.store:.0f} SQLite), so {cores} processors answer {cost.per_second(cores):,.0f} at "
        "most, were there no client",
        soft_wrap=True,
    )
    console.print(
        f"serve: {min(shares):.0%} of the echo, p99 {max(p99s):.1f} ms at {AT:.0%} of the peak, "
        f"two workers {min(gains):.2f} times one (bar {SHARE:.0%}, {P99_MS:.0f} ms, 1 times)",
        soft_wrap=True,
    )
    met = min(shares) >= SHARE and max(p99s) <= P99_MS and min(gains) >= 1
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
