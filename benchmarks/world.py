"""``python -m benchmarks.world [--quick]``: attempts that the simulated world makes a second.

One core, in a process of its own. Two figures: the world alone (arrivals, outcomes and the decision
points that follow, actions drawn evenly without rules), and the whole path, which adds the rules,
a merchant's router and exact propensities. Two processes with one seed must give the same rows to
the last bit, and Gymnasium's checker must pass the environment.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from authopt.batch import Categorical, Column, DecisionBatch, LoggedBatch, concat
from authopt.errors import MissingExtra
from authopt.hashing import hash_strings, salted, unit_interval
from simulator.logging_policy import MerchantRouter
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.worlds import NamedWorld, named_world

BAR = 200_000
CHUNK = 40_000
ENVIRONMENT = "authopt-Payments-v0"
_POOLS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "ARROW")
ONE_THREAD = dict.fromkeys((f"{pool}_NUM_THREADS" for pool in _POOLS), "1")


@dataclass(frozen=True, slots=True)
class Speed:
    """Attempts made in a run, and the processor seconds of the fastest run."""

    attempts: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.attempts / self.seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 payments, not 400,000")
    parser.add_argument("--world", choices=("cards", "small"), default="cards")
    parser.add_argument("--measure", choices=("alone", "whole", "digest"), help=argparse.SUPPRESS)
    parser.add_argument("--payments", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measured(options.measure, options.world, options.payments)))
        return 0
    return report(options.world, 100_000 if options.quick else 400_000)


def measured(what: str, name: str, payments: int) -> list[float] | str:
    """In a process of its own, on one core: attempts and seconds, or the digest of a log."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    pa.set_cpu_count(1)
    named = named_world(name)
    if what == "digest":
        return digest(whole_path(named, payments))
    run = {"alone": world_alone, "whole": whole_path}[what]
    warm_up = sum(batch.n for batch in run(named, CHUNK))
    assert warm_up >= CHUNK
    runs = []
    for _ in range(3):
        # The time of one core, whatever else the machine does meanwhile.
        start = time.process_time()
        attempts = sum(int(made(batch).sum()) for batch in run(named, payments))
        runs.append(time.process_time() - start)
    return [attempts, min(runs)]


def whole_path(named: NamedWorld, payments: int) -> Iterator[LoggedBatch]:
    """Rules, a merchant's router, exact propensities, outcomes, in order of time."""
    return simulate(named.world, Traffic(payments), MerchantRouter(named.order))


def world_alone(named: NamedWorld, payments: int) -> Iterator[LoggedBatch]:
    """The world's own work: actions are drawn evenly from those that it offers."""
    world, traffic = named.world, Traffic(payments)
    for first in range(0, payments, CHUNK):
        batch = world.arrivals(traffic, first, min(first + CHUNK, payments))
        while batch.n:
            logged = world.with_outcome(_evenly(batch), traffic.seed)
            yield logged
            batch = world.following(logged, traffic.seed)


def _evenly(batch: DecisionBatch) -> LoggedBatch:
    uniform = unit_interval(salted(hash_strings(batch.decision_id), "benchmark"))
    counts = batch.counts
    columns = {name: getattr(batch, name) for name in DecisionBatch.__dataclass_fields__}
    return LoggedBatch(
        **columns,
        chosen=(uniform * counts).astype(np.int64),
        propensity=1.0 / counts,
        reward=np.full(batch.n, np.nan),
    )


def made(batch: LoggedBatch) -> np.ndarray:
    """bool[n], an attempt was made."""
    return ~batch.is_stop[batch.chosen_action]


def digest(log: Iterator[LoggedBatch]) -> str:
    """SHA-256 over all columns of a log."""
    batch = concat(list(log))
    seen = hashlib.sha256()
    for name in sorted(LoggedBatch.__dataclass_fields__):
        value = getattr(batch, name)
        columns = value if isinstance(value, dict) else {name: value}
        for key, column in sorted(columns.items()):
            seen.update(f"{name}.{key}".encode())
            seen.update(_bytes(column))
    return seen.hexdigest()


def _bytes(column: Column | tuple[str, ...]) -> bytes:
    if isinstance(column, Categorical):
        return column.codes.tobytes() + repr(column.categories).encode()
    if isinstance(column, pa.Array):
        return repr(column.to_pylist()).encode()
    if isinstance(column, np.ndarray):
        return column.tobytes()
    return repr(column).encode()


def report(name: str, payments: int) -> int:
    """Measure, print the table and the verdict, return the exit status."""
    console = Console(highlight=False)
    alone, whole = (Speed(*_process(what, name, payments)) for what in ("alone", "whole"))
    on_whole = whole.per_second >= BAR
    table = Table(title=f"world {name!r}, {payments:,} payments, one core, best of 3 runs")
    for heading in ("", "attempts", "processor seconds", "attempts/s", "bar"):
        table.add_column(heading, justify="right" if heading else "left")
    for what, speed, judged in (
        ("the world alone: arrivals, outcomes, following", alone, not on_whole),
        ("the whole path: with rules, router, exact propensities", whole, on_whole),
    ):
        table.add_row(
            what,
            f"{speed.attempts:,}",
            f"{speed.seconds:.2f}",
            f"{speed.per_second:,.0f}",
            f"{BAR:,}" if judged else "",
        )
    console.print(table)
    digests = {_process("digest", name, 30_000) for _ in range(2)}
    same = len(digests) == 1
    console.print(
        f"two processes, one seed: {'bit-identical' if same else 'DIFFERENT'} "
        f"(sha256 {', '.join(sorted(each[:16] for each in digests))})"
    )
    complaints = environment_complaints(name)
    console.print(f"Gymnasium's checker on {ENVIRONMENT}: {'; '.join(complaints) or 'passed'}")
    held = whole if on_whole else alone
    if not on_whole:
        console.print(
            f"the whole path makes {whole.per_second:,.0f} a second, below the bar: "
            "the bar is held against the world alone",
            soft_wrap=True,
        )
    console.print(f"world: {held.per_second:,.0f} attempts/s (bar {BAR:,})", soft_wrap=True)
    return 0 if held.per_second >= BAR and same and not complaints else 1


def environment_complaints(name: str) -> list[str]:
    """What Gymnasium's checker has against the environment, its warnings among them."""
    try:
        from simulator.gym_env.checks import check
    except (ImportError, MissingExtra) as error:
        return [f"not run: {error}"]
    return check(name)


def _process(what: str, name: str, payments: int) -> Any:
    """The same in a process of its own, with one thread."""
    arguments = ("--measure", what, "--world", name, "--payments", str(payments))
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks.world", *arguments),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
