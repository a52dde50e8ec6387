"""``python -m benchmarks.decide_vs_vw_predict [--quick]``: deciding in process against VW alone.

The reference is ``Workspace.predict`` of the Vowpal Wabbit package on the ready text of the same
decision. authopt starts from a batch of one: it applies the network rules, writes the text, asks
VW, renormalises and draws. The parts of it are shown beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from authopt.decision import decide
from authopt.features.vw_text import VwText
from authopt.learning.train_vw import train_vw
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_workspace import VwWorkspace
from benchmarks._routing_log import ROUTES, routing_log

BAR = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()
    return compare(decisions=2000, rounds=5 if options.quick else 25)


def compare(decisions: int, rounds: int) -> int:
    """Measure both sides, print the table and the verdict, return the exit status."""
    from vowpalwabbit import Workspace

    console = Console(highlight=False)
    log = routing_log(30_000)
    ones = [log.decisions().take(slice(row, row + 1)) for row in range(decisions)]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.vw"
        manifest = train_vw(lambda _: [log], model)
        policy, writer = VwPolicy.load(model), VwText(manifest.features)
        beneath = VwWorkspace(model)
        vw = Workspace(arg_list=["--quiet", "--testonly", "--initial_regressor", str(model)])
        texts = [writer.one(one) for one in ones]
        work: dict[str, tuple[Callable[[Any], object], Sequence[object]]] = {
            "VW predict, text ready": (vw.predict, texts),
            "decide": (lambda one: decide(one, policy), ones),
            "  of it: the policy": (policy.probabilities, ones),
            "    of it: writing the text": (writer.one, ones),
            "    of it: VW, without its wrapper": (beneath.probabilities, texts),
        }
        seconds = _measured(work, rounds)
        vw.finish()
    table = Table(title=f"one decision, {len(ROUTES)} actions, best of {rounds} rounds")
    for heading in ("", "microseconds", "of VW predict"):
        table.add_column(heading, justify="right" if heading else "left")
    alone = seconds["VW predict, text ready"]
    for name, each in seconds.items():
        table.add_row(name, f"{each * 1e6:.1f}", f"{each / alone:.2f}x")
    console.print(table)
    ratio = seconds["decide"] / alone
    console.print(f"decide_vs_vw_predict: {ratio:.2f}x (bar {BAR}x)")
    return 0 if ratio <= BAR else 1


def _measured(
    work: dict[str, tuple[Callable[[Any], object], Sequence[object]]], rounds: int
) -> dict[str, float]:
    """Seconds per call, best round; the kinds of work take turns, so that noise hits all alike."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, (call, arguments) in work.items():
            start = time.perf_counter()
            for argument in arguments:
                call(argument)
            best[name] = min(best[name], (time.perf_counter() - start) / len(arguments))
    return best


if __name__ == "__main__":
    sys.exit(main())
