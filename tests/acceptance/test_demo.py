"""The main job, end to end, with the commands and processes that a user gets."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from authopt.logs.files import open_log
from authopt.logs.schema import PropensitySource

PSP_LOG = Path(__file__).parents[3] / "shared" / "data" / "psp-routing" / "attempts.csv"

pytestmark = pytest.mark.acceptance


def demo(out: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "authopt", "demo", "--out", str(out)]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(out: Path, said: str) -> None:
    for step in range(2, 7):
        assert f"{step}/6" in said
    assert '"recorded": true' in said
    assert "done in" in said
    assert (out / "report.html").stat().st_size > 1_000_000
    assert (out / "model.vw").exists()


def test_the_demo_runs_on_the_sample(tmp_path: Path) -> None:
    said = demo(tmp_path)
    check(tmp_path, said)
    assert "Propensities: logged in the log" in said


@pytest.mark.skipif(not PSP_LOG.exists(), reason="the PSP log of the case study is not here")
def test_the_demo_runs_on_real_payments_and_says_that_propensities_are_estimated(
    tmp_path: Path,
) -> None:
    days = tmp_path / "first-days.csv"
    with PSP_LOG.open(encoding="utf-8") as whole:
        days.write_text("".join(islice(whole, 4_001)), encoding="utf-8")
    said = demo(tmp_path, "--log", days)
    check(tmp_path, said)
    assert "4,000 read = 4,000 written + 0 rejected" in said
    assert "ESTIMATED" in said
    log = open_log(tmp_path / "later.parquet")
    assert log.propensity_source is PropensitySource.ESTIMATED


def test_a_foreign_file_without_a_mapping_says_what_to_do(tmp_path: Path) -> None:
    source = tmp_path / "payments.csv"
    source.write_text("a,b\n1,2\n")
    done = subprocess.run(
        [sys.executable, "-m", "authopt", "demo", "--log", source, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--mapping" in done.stderr
    assert "Traceback" not in done.stderr
