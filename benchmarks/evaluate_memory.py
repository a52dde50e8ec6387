"""``python -m benchmarks.evaluate_memory [--quick]``: peak memory over a log ten times as long.

Both logs are judged by the same policies in two processes; the figure is the peak of the process
that merges plus twice that of the larger of the two that add up.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks._long_log import SPECS, write_long_log
from benchmarks._measure import MEBIBYTE

BAR = 1.1
WORKERS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="5,000,000 against 500,000 decisions, not ten times"
    )
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.log:
        print(peak_of(options.log))
        return 0
    return compare(500_000 if options.quick else 5_000_000)


def peak_of(log: Path) -> int:
    """Bytes of peak memory of an evaluation, over all its processes at most."""
    from authopt.evaluation.evaluate_log import evaluate_log

    evaluate_log(log, SPECS, values_only=True, workers=WORKERS)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # macOS counts in bytes, Linux in KiB.
    return (own + WORKERS * largest) * (1 if sys.platform == "darwin" else 1024)


def measured(log: Path) -> int:
    """The same in a process of its own."""
    arguments = ("-m", "benchmarks.evaluate_memory", f"--log={log}")
    done = subprocess.run((sys.executable, *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(done.stdout.splitlines()[-1])


def compare(n: int) -> int:
    """Measure both logs, print the table and the verdict, return the exit status."""
    console = Console(highlight=False)
    table = Table(title=f"{WORKERS} processes, {len(SPECS)} policies, 4 actions")
    for heading in ("decisions", "file, MiB", "peak memory, MiB"):
        table.add_column(heading, justify="right")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in (n, 10 * n):
            log = Path(folder) / "log.parquet"
            write_long_log(log, rows)
            peaks.append(measured(log))
            size = log.stat().st_size / MEBIBYTE
            table.add_row(f"{rows:,}", f"{size:,.0f}", f"{peaks[-1] / MEBIBYTE:,.0f}")
    console.print(table)
    ratio = peaks[1] / peaks[0]
    console.print(
        f"evaluate_memory: {ratio:.3f}x for ten times the decisions (bar {BAR:g}x)", soft_wrap=True
    )
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
