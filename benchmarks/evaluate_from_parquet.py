"""``python -m benchmarks.evaluate_from_parquet [--quick]``: against reading the columns alone.

Two table policies are judged by a log on disk, with all estimators that need no reward model and
all their intervals, in one process. The reference is pyarrow reading the same columns of the same
file batch by batch, with its default settings, and doing nothing with them. Each side runs in a
process of its own, after a first pass over the file; both may use threads.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks._long_log import SPECS, write_long_log
from benchmarks._measure import MEBIBYTE, measure, measured_process, print_cost

BAR = 3.0


def with_authopt(path: Path) -> None:
    """Judge two policies."""
    from authopt.evaluation.evaluate_log import evaluate_log

    evaluate_log(path, SPECS, values_only=True)


def with_pyarrow(path: Path) -> None:
    """Read all columns (the log has no others than an evaluation reads)."""
    for _ in pq.ParquetFile(path).iter_batches():
        pass


SIDES: dict[str, Callable[[Path], None]] = {"pyarrow": with_pyarrow, "authopt": with_authopt}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500,000 decisions, not 5,000,000")
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work = SIDES[options.side]
        work(options.log)
        print_cost(measure(lambda: work(options.log), runs=5))
        return 0
    return compare(500_000 if options.quick else 5_000_000)


def compare(n: int) -> int:
    """Measure both sides, print the table and the verdict, return the exit status."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        write_long_log(log, n)
        costs = {
            side: measured_process(
                "benchmarks.evaluate_from_parquet", f"--side={side}", f"--log={log}"
            )
            for side in SIDES
        }
        size = log.stat().st_size
    title = f"{n:,} decisions x 4 actions ({size / MEBIBYTE:.0f} MiB), {len(SPECS)} policies"
    table = Table(title=title)
    for heading in ("", "seconds", "million decisions per second", "added memory, MiB"):
        table.add_column(heading, justify="right" if heading else "left")
    for side, cost in costs.items():
        rate, memory = n / cost.seconds / 1e6, cost.added_bytes / MEBIBYTE
        table.add_row(side, f"{cost.seconds:.3f}", f"{rate:.2f}", f"{memory:.0f}")
    console.print(table)
    ratio = costs["authopt"].seconds / costs["pyarrow"].seconds
    console.print(
        f"evaluate_from_parquet: {ratio:.2f}x the time of reading (bar {BAR:g}x)", soft_wrap=True
    )
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
