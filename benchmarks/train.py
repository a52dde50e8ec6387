"""``python -m benchmarks.train [--quick]``: Vowpal Wabbit in authopt against Vowpal Wabbit alone.

*Training.* The reference is VW's own C++ driver on a text file that is ready, with the same
examples and arguments. authopt starts from the attempt log (Parquet), as ``authopt train`` does by
default: it checks every row, declares the features, computes rewards-to-go, writes the text, judges
the policy while it learns, and checks the model. Each run is a process of its own, start and
imports included, on both sides; the sides take turns, and the figure is the median of the ratios.
The models must be equal byte for byte.

*Deciding.* The reference is ``Workspace.predict`` of the Vowpal Wabbit package on the ready text of
the same decision. authopt starts from a batch of one, in process: it applies the rules, writes the
text, asks VW, keeps the floor under the probabilities, draws, and says why actions were removed.
The calls beneath ``predict``, which authopt uses, are shown beside it, as are the parts. Short
stretches of every kind of work take turns, and here too the figure is the median of the ratios.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from authopt.decision import decide, decide_safely
from authopt.features.vw_text import VwText
from authopt.learning.reward_to_go import Retries
from authopt.learning.train_vw import train_vw
from authopt.learning.training_text import TrainingText
from authopt.logs.files import AttemptLog, open_log, write_log
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import read_manifest
from authopt.policies.vw_options import VwOptions
from authopt.policies.vw_workspace import VwWorkspace
from benchmarks._routing_log import ROUTES, routing_log

TRAIN_BAR = 1.5
DECIDE_BAR = 2.0

PREDICT = "VW predict"
BENEATH = "the calls beneath predict"
DECIDE = "decide"
SAFELY = "decide_safely (service)"

STRETCH = 40
"""Decisions that are made before the next kind of work has its turn."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200,000 decisions instead of 1 M")
    quick = parser.parse_args().quick
    console = Console(highlight=False)
    training = compare_training(console, 200_000 if quick else 1_000_000, 2 if quick else 3)
    deciding = compare_deciding(console, 5 if quick else 25)
    console.print(
        f"train: {training:.2f}x, decide: {deciding:.2f}x "
        f"(bar {TRAIN_BAR}x of VW's driver, {DECIDE_BAR}x of VW's predict)"
    )
    return 0 if training <= TRAIN_BAR and deciding <= DECIDE_BAR else 1


def compare_training(console: Console, n: int, runs: int) -> float:
    """Print the table; give authopt's time over the driver's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, model, text = folder / "log.parquet", folder / "model.vw", folder / "ready.txt"
        chunk = 100_000
        write_log(log, (routing_log(chunk, seed) for seed in range(n // chunk)))
        ours = [sys.executable, "-m", "authopt", "train", str(log), "--out", str(model)]
        _took(ours)
        arguments = _write_ready_text(open_log(log), model, text)
        driver = [sys.executable, "-m", "authopt.learning.vw_driver", *arguments, "--quiet"]
        driver += ["--data", str(text), "--final_regressor", str(folder / "alone.vw")]
        alone: list[_Took] = []
        authopt: list[_Took] = []
        for _ in range(runs):
            alone.append(_took(driver))
            authopt.append(_took(ours))
        if (folder / "alone.vw").read_bytes() != model.read_bytes():
            raise RuntimeError("the two models differ: this compares nothing")
        size = text.stat().st_size
    table = Table(title=f"{n:,} decisions x {len(ROUTES)} actions, {runs} runs in turns")
    for heading in ("", "best, s", "median, s", "decisions/s", "of the processors, s"):
        table.add_column(heading, justify="right" if heading else "left")
    for side, took in (
        ("authopt train, from the log", authopt),
        ("VW's driver, text ready", alone),
    ):
        seconds = [each.seconds for each in took]
        table.add_row(
            side,
            f"{min(seconds):.2f}",
            f"{median(seconds):.2f}",
            f"{n / min(seconds):,.0f}",
            f"{median(each.processor_s for each in took):.2f}",
        )
    console.print(table)
    console.print(f"text: {size / n:,.0f} bytes a decision; the models are equal byte for byte")
    return _ratio([each.seconds for each in authopt], [each.seconds for each in alone])


@dataclass(frozen=True, slots=True)
class _Took:
    """Wall-clock seconds of a process, and those that it and its own had of the processors."""

    seconds: float
    processor_s: float


def _took(command: list[str]) -> _Took:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Took(seconds, own)


def _write_ready_text(log: AttemptLog, model: Path, text: Path) -> list[str]:
    """The very examples that the model was trained on, and VW's arguments."""
    manifest = read_manifest(model)
    retries = Retries()
    for batch in log.batches():
        retries.add(batch)
    training = TrainingText(VwText(manifest.features), retries, 1.0, VwOptions())
    with text.open("wb") as file:
        file.writelines(training.pieces(log.batches()))
    return list(manifest.vw_arguments)


def compare_deciding(console: Console, rounds: int) -> float:
    """Print the table; give a decision's time over that of VW's predict."""
    from vowpalwabbit import Workspace

    log = routing_log(30_000)
    ones = [log.decisions().take(slice(row, row + 1)) for row in range(2_000)]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.vw"
        manifest = train_vw(lambda _: [log], model).manifest
        policy, writer = VwPolicy.load(model), VwText(manifest.features)
        vw = Workspace(arg_list=["--quiet", "--testonly", "--initial_regressor", str(model)])
        texts = [writer.one(one) for one in ones]
        work: dict[str, tuple[Callable[[Any], object], Sequence[object]]] = {
            PREDICT: (vw.predict, texts),
            BENEATH: (VwWorkspace(model).probabilities, texts),
            DECIDE: (lambda one: decide(one, policy), ones),
            SAFELY: (lambda one: decide_safely(one, policy, ROUTES), ones),
            "- of it: the policy": (policy.probabilities, ones),
            "-- of it: writing the text": (writer.one, ones),
        }
        seconds = _stretches(work, rounds)
        vw.finish()
    table = Table(title=f"one decision, {len(ROUTES)} actions, {rounds} rounds of {len(ones):,}")
    for heading in ("", "best, us", "median, us", "of predict", "of beneath"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, times in seconds.items():
        table.add_row(
            name,
            f"{min(times) * 1e6:.1f}",
            f"{median(times) * 1e6:.1f}",
            f"{_ratio(times, seconds[PREDICT]):.2f}x",
            f"{_ratio(times, seconds[BENEATH]):.2f}x",
        )
    console.print(table)
    return _ratio(seconds[DECIDE], seconds[PREDICT])


def _ratio(times: list[float], of: list[float]) -> float:
    return median(one / other for one, other in zip(times, of, strict=True))


def _stretches(
    work: dict[str, tuple[Callable[[Any], object], Sequence[object]]], rounds: int
) -> dict[str, list[float]]:
    """Processor seconds per call in every stretch of decisions, the kinds of work in any order."""
    times: dict[str, list[float]] = {name: [] for name in work}
    length = len(next(iter(work.values()))[1])
    turns, order = list(work.items()), Random(0)
    for start in list(range(0, length, STRETCH)) * rounds:
        # What comes before leaves the processor's caches better or worse.
        order.shuffle(turns)
        for name, (call, arguments) in turns:
            stretch = arguments[start : start + STRETCH]
            begun = time.thread_time()
            for argument in stretch:
                call(argument)
            times[name].append((time.thread_time() - begun) / len(stretch))
    return times


if __name__ == "__main__":
    sys.exit(main())
