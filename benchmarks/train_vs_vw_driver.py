"""``python -m benchmarks.train_vs_vw_driver [--quick]``: training from a log against VW alone.

The reference is Vowpal Wabbit's own C++ driver on a text file that is ready, with the same examples
and arguments. authopt starts from the attempt log (Parquet): it checks every row, declares the
features, computes rewards-to-go, writes the text, and checks the model. Each run is a process of
its own, start and imports included, on both sides.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from authopt.features.vw_text import VwText
from authopt.learning.reward_to_go import Retries
from authopt.learning.training_text import TrainingText
from authopt.logs.files import AttemptLog, open_log, write_log
from authopt.policies.vw_manifest import read_manifest
from benchmarks._routing_log import ROUTES, routing_log

BAR = 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 decisions instead of 1 M")
    options = parser.parse_args()
    return compare(100_000 if options.quick else 1_000_000, runs=3)


def compare(n: int, runs: int) -> int:
    """Measure both sides, print the table and the verdict, return the exit status."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, model, text = folder / "log.parquet", folder / "model.vw", folder / "ready.txt"
        chunk = 100_000
        write_log(log, (routing_log(chunk, seed) for seed in range(n // chunk)))
        ours = [sys.executable, "-m", "authopt", "train", str(log), "--out", str(model)]
        authopt = min(_seconds(ours) for _ in range(runs))
        arguments = _write_ready_text(open_log(log), model, text)
        driver = [sys.executable, "-m", "authopt.learning.vw_driver", *arguments, "--quiet"]
        driver += ["--data", str(text), "--final_regressor", str(folder / "alone.vw")]
        alone = min(_seconds(driver) for _ in range(runs))
        same = (folder / "alone.vw").read_bytes() == model.read_bytes()
        size = text.stat().st_size
    table = Table(title=f"{n:,} decisions x {len(ROUTES)} actions, best of {runs}")
    for heading in ("", "seconds", "decisions/s"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("authopt train, from the log", f"{authopt:.2f}", f"{n / authopt:,.0f}")
    table.add_row("VW's driver, text ready", f"{alone:.2f}", f"{n / alone:,.0f}")
    console.print(table)
    console.print(f"text: {size / n:,.0f} bytes a decision; models equal byte for byte: {same}")
    if not same:
        console.print("the models differ: this compares nothing")
        return 1
    console.print(f"train_vs_vw_driver: {authopt / alone:.2f}x (bar {BAR}x)")
    return 0 if authopt / alone <= BAR else 1


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _write_ready_text(log: AttemptLog, model: Path, text: Path) -> list[str]:
    """The very examples that the model was trained on, and VW's arguments."""
    manifest = read_manifest(model)
    retries = Retries()
    for batch in log.batches():
        retries.add(batch)
    training = TrainingText(VwText(manifest.features), retries, 1.0, with_propensity=True)
    with text.open("wb") as file:
        file.writelines(training.pieces(log.batches()))
    return list(manifest.vw_arguments)


if __name__ == "__main__":
    sys.exit(main())
