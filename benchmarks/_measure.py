"""What benchmarks share: time and added memory of a piece of work, in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall-clock seconds (best of the runs) and bytes of peak memory beyond what was held before.

    Memory is the peak resident size during the runs less the resident size before them.
    """

    seconds: float
    added_bytes: int


def measure(work: Callable[[], object], runs: int = 1) -> Cost:
    """Run the work some times in this process and say what it cost."""
    before = _resident()
    _reset_peak()
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return Cost(best, max(_peak() - before, 0))


def print_cost(cost: Cost) -> None:
    """The last line that a measured process writes; read by :func:`measured_process`."""
    print(json.dumps(asdict(cost)), flush=True)


def measured_process(module: str, *arguments: str) -> Cost:
    """Run ``python -m module arguments`` and read the cost from its last line.

    Raises
    ------
    SystemExit
        If the process fails; its own message is passed on.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{module} {' '.join(arguments)} failed:\n{done.stderr}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _status(name: str) -> int | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return None


def _largest_ever() -> int:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, Linux in KiB.
    return size if sys.platform == "darwin" else size * 1024


def _resident() -> int:
    return _status("VmRSS") or _largest_ever()


def _peak() -> int:
    return _status("VmHWM") or _largest_ever()


def _reset_peak() -> None:
    # Linux forgets the peak so far on this request; elsewhere the peak is of the whole process.
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
