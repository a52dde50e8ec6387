"""``python -m benchmarks.console [--quick]``: how long the pages of the console take.

A store holds 1,000,000 decisions of four weeks with their outcomes, sums, an experiment and 2,000
changes, once in SQLite and once in PostgreSQL. The service runs on it as ``authopt serve`` starts
it. Somebody signs in, goes to every page that links lead to, and to searches that read the most,
and asks for each kind of page again and again, at many addresses; each time counts from the request
to the last byte. The bar is on the 95th percentile of the slowest kind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, insert, select

from benchmarks._console_store import ARMS, DECISIONS, EXPERIMENT, ROUTES, TENANT, make_store
from benchmarks._console_visit import Pages, Visit, crawled
from benchmarks._serve_sides import served
from benchmarks._service_stack import running_postgres
from service.console.blueprint import console_blueprint
from service.people.roles import Role
from service.people.users import add_user
from service.store.changes import changing, record_change
from service.store.engine import open_engine
from service.store.records import microseconds
from service.store.tables import changes, users
from service.trials.duty import judge_trials

BAR_MS = 300.0
QUICK_DECISIONS = 8_000
CHANGES = 2_000
JUDGED_FOR_S = 60.0

_NAME, _PASSWORD = "kim", "four quiet green lamps"


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds that the requests of one kind of page took, in one store."""

    kind: str
    took_ms: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.took_ms))

    @property
    def p95(self) -> float:
        return float(np.percentile(self.took_ms, 95))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="with fewer decisions")
    parser.add_argument("--decisions", type=int)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--store", help="URL of a store that was made before")
    asked = parser.parse_args()
    n = asked.decisions or (QUICK_DECISIONS if asked.quick else DECISIONS)
    times = 6 if asked.quick else 30
    console = Console()
    timed: dict[str, list[Timed]] = {}
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="authopt-")))
        made = [] if asked.store is None else [("given", asked.store)]
        for name, url in made or _databases(held, folder, asked.only):
            engine = open_engine(url, 30.0)
            start = time.perf_counter()
            if not made:
                make_store(engine, n)
            _add_what_happened(engine, JUDGED_FOR_S if n == DECISIONS else 5.0)
            engine.dispose()
            console.print(
                f"{name}: {n:,} decisions, made in {time.perf_counter() - start:.0f} s",
                style="dim",
            )
            timed[name] = _visited(url, folder / f"{name}.spool", folder / f"{name}.log", times)
    _print(console, timed)
    worst = max((each for kinds in timed.values() for each in kinds), key=lambda each: each.p95)
    console.print(
        f"console: p95 worst page {worst.p95:.0f} ms ({worst.kind}; bar {BAR_MS:.0f} ms)",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if worst.p95 < BAR_MS else 1


def _databases(held: ExitStack, folder: Path, only: str | None) -> Iterator[tuple[str, str]]:
    if only != "postgresql":
        yield "sqlite", f"sqlite:///{folder / 'authopt.db'}"
    if only != "sqlite":
        server = held.enter_context(running_postgres(folder / "postgres"))
        yield "postgresql", server.database("console")


def _add_what_happened(engine: Engine, judged_for_s: float) -> None:
    """A person, an experiment with what is found of it, an alarm, and many changes; once."""
    now_us = microseconds(datetime.now(UTC))
    with engine.connect() as connection:
        if connection.scalar(select(users.c.username).where(users.c.username == _NAME)):
            return
    with changing(engine) as connection:
        add_user(connection, _NAME, TENANT, Role("operator"), _PASSWORD, actor="benchmark")
        connection.execute(insert(changes), list(_many_changes(now_us)))
        record_change(connection, TENANT, _NAME, "experiment", EXPERIMENT, _experiment(), "a trial")
        alarm = {
            "state": "firing",
            "since_us": now_us,
            "what": "Approvals of Bank b fell from 88% to 71%.",
            "figures": {},
            "links": {},
            "kind": "rate",
            "dimension": "issuer",
            "value": "Bank b",
        }
        record_change(connection, TENANT, "watch", "alarm", "rate:issuer:Bank b", alarm, "")
    until = time.monotonic() + judged_for_s
    while judge_trials(engine, TENANT, now_us) and time.monotonic() < until:
        pass


def _many_changes(now_us: int) -> Iterator[Mapping[str, Any]]:
    for at in range(CHANGES):
        yield {
            "tenant": TENANT,
            "changed_at_us": now_us - (CHANGES - at) * 1_000_000_000,
            "actor": _NAME,
            "kind": "route",
            "subject": ROUTES[at % len(ROUTES)],
            "value": '{"state":"up","weight":null}',
            "reason": "as every day",
        }


def _experiment() -> dict[str, Any]:
    arms = [{"name": name, "spec": "live", "sha256": None, "weight": 1} for name in ARMS]
    return {
        "state": "running",
        "arms": arms,
        "unit": "payment",
        "share": 0.5,
        "salt": "summer",
        "segments": ["network"],
        "guardrails": [{"metric": "attempts", "tolerance": 0.1}],
        "wait_s": 3600,
        "worthwhile": 0.005,
        "after": 0,
        "decision": None,
    }


def _searches() -> list[str]:
    """Searches that nothing links to, among them those that read the most."""
    long_ago = f"{datetime.now(UTC) - timedelta(days=20):%Y-%m-%d}"
    asked = (
        "q=pay_c",
        "q=dec_ccc",
        "q=pay_nobody",
        f"until={long_ago}",
        "outcome=none",
        "route=adyen&outcome=declined&code=91",
        "issuer=Bank+cjj&outcome=declined",
        "issuer=nobody",
        "code=nothing",
        f"from={long_ago}&until={long_ago}&attempt=3",
        "policy=nobody",
    )
    return [f"/console/payments?{each}" for each in asked]


def _visited(url: str, spool: Path, log: Path, times: int) -> list[Timed]:
    """Every kind of page, timed."""

    def arguments(port: int) -> list[str]:
        return [
            *("authopt", "serve", "--policy", "uniform", "--routes", ",".join(ROUTES)),
            *("--database", url, "--spool", str(spool), "--port", str(port)),
        ]

    with served(arguments, log) as port:
        visit = Visit(port)
        visit.sign_in(_NAME, _PASSWORD)
        app = Flask("addresses", static_folder=None)
        # Of the blueprint only the addresses are asked for.
        app.register_blueprint(console_blueprint(None))  # type: ignore[arg-type]
        kinds = crawled(visit, Pages(app), ["/console"], 12)
        kinds["payments, hard searches"] = _searches()
        rng = np.random.default_rng(1)
        order = [(kind, at) for kind in kinds for at in range(times)]
        took: dict[str, list[float]] = {kind: [] for kind in kinds}
        # In turns, so that no kind of page has the caches to itself.
        for place in rng.permutation(len(order)):
            kind, at = order[place]
            took[kind].append(1000.0 * visit.get(kinds[kind][at % len(kinds[kind])])[1])
    return [Timed(kind, tuple(each)) for kind, each in sorted(took.items())]


def _print(console: Console, timed: Mapping[str, list[Timed]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("page")
    for name in timed:
        table.add_column(f"{name}: median ms", justify="right")
        table.add_column("p95 ms", justify="right")
    by_kind: dict[str, dict[str, Timed]] = {}
    for name, kinds in timed.items():
        for each in kinds:
            by_kind.setdefault(each.kind, {})[name] = each
    for kind, found in sorted(by_kind.items()):
        cells = []
        for name in timed:
            there = found.get(name)
            cells += ["", ""] if there is None else [f"{there.median:.0f}", f"{there.p95:.0f}"]
        table.add_row(kind, *cells)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
