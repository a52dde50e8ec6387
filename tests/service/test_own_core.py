"""Each worker keeps to a core of its own, for as long as it lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if not hasattr(os, "sched_getaffinity"):
    pytest.skip("this system does not say on which core a thread may run", allow_module_level=True)

WORKER = """
import os, sys
from pathlib import Path
from service.own_core import keep_to_one_core
core = keep_to_one_core(Path(sys.argv[1]))
print(core, *sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.read()
"""


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_workers_take_different_cores_and_one_that_is_killed_gives_its_own_back(
    tmp_path: Path,
) -> None:
    cores = sorted(os.sched_getaffinity(0))
    workers = []
    try:
        for core in cores[:2]:
            process, said = started(tmp_path)
            workers.append(process)
            assert said == f"{core} {core}"
        workers[0].kill()
        workers[0].wait()
        again, said = started(tmp_path)
        workers.append(again)
        assert said == f"{cores[0]} {cores[0]}"
    finally:
        for process in workers:
            process.kill()
            process.communicate()


def test_where_all_cores_are_taken_a_worker_runs_on_any(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    holder = (
        "import fcntl, sys; files = [open(path, 'ab') for path in sys.argv[1:]]; "
        "[fcntl.flock(file, fcntl.LOCK_EX) for file in files]; print('held', flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, *(str(tmp_path / str(core)) for core in cores)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        process, said = started(tmp_path)
        process.communicate()
        other.communicate()
    assert said == " ".join(["None", *map(str, cores)])
