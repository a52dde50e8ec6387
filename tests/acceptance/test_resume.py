"""An evaluation that is killed goes on from its file to the same answer, digit by digit."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks._long_log import SPECS, write_long_log

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

ROWS = 800_000
LIMIT_S = 200.0


def started(log: Path, kept: Path, *more: str) -> subprocess.Popen[str]:
    arguments = [f"--policy={spec}" for spec in SPECS]
    arguments += ["--no-reward-model", "--no-segments", "--json", f"--resume={kept}", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "authopt", "evaluate", str(log), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(log: Path, kept: Path, *more: str) -> str:
    process = started(log, kept, *more)
    out, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    return out


def test_a_killed_evaluation_is_resumed_to_the_same_answer(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    write_long_log(log, ROWS)
    expected = answer(log, tmp_path / "whole", "--workers=1")
    kept = tmp_path / "kept"
    process = started(log, kept, "--workers=2")
    until = time.monotonic() + LIMIT_S
    while not kept.exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert answer(log, kept, "--workers=2") == expected
    other = started(log, kept, "--policy=best-route")
    _, errors = other.communicate(timeout=LIMIT_S)
    assert other.returncode == 2
    assert "what differs: the policies" in errors.replace("\n", " ")
