"""``python -m benchmarks.evaluate_processes [--quick]``: two processes against one.

The same log is judged by the same policies, by one process on one core and by two processes on two
cores (a process left alone reads ahead on a second core, so it is held to one here). The time
includes starting the processes and their imports, and both must give the same answer to the last
digit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks._long_log import SPECS, write_long_log

BAR = 1.7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000,000 decisions, not 20,000,000")
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.workers:
        print(json.dumps(run(options.log, options.workers)))
        return 0
    return compare(5_000_000 if options.quick else 20_000_000)


def run(log: Path, workers: int) -> tuple[float, str]:
    """Seconds of an evaluation by this many processes on as many cores, and a digest of it."""
    from authopt.evaluation.evaluate_log import evaluate_log

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:workers])
    start = time.perf_counter()
    evaluation = evaluate_log(log, SPECS, payments=False, workers=workers)
    seconds = time.perf_counter() - start
    return seconds, hashlib.sha256(repr(evaluation).encode()).hexdigest()


def measured(log: Path, workers: int) -> tuple[float, str]:
    """The same in a process of its own."""
    arguments = ("-m", "benchmarks.evaluate_processes", f"--workers={workers}", f"--log={log}")
    done = subprocess.run((sys.executable, *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, digest = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), str(digest)


def compare(n: int) -> int:
    """Measure both, print the table and the verdict, return the exit status."""
    console = Console(highlight=False)
    if len(os.sched_getaffinity(0)) < 2:
        console.print("this machine has one core: two processes cannot be faster")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        write_long_log(log, n)
        # The first pass brings the file into memory.
        measured(log, 2)
        one, two = measured(log, 1), measured(log, 2)
    table = Table(title=f"{n:,} decisions x 4 actions, {len(SPECS)} policies")
    for heading in ("processes", "seconds", "million decisions per second"):
        table.add_column(heading, justify="right")
    for workers, (seconds, _) in ((1, one), (2, two)):
        table.add_row(str(workers), f"{seconds:.2f}", f"{n / seconds / 1e6:.2f}")
    console.print(table)
    if one[1] != two[1]:
        console.print("the answers differ: this compares nothing")
        return 1
    faster = one[0] / two[0]
    console.print(f"evaluate_processes: two are {faster:.2f}x one (bar {BAR:g}x)", soft_wrap=True)
    return 0 if faster >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
