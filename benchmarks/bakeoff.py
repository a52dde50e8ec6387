"""``python -m benchmarks.bakeoff [--quick]``: contextual-bandit learners on real data sets.

Every learner plays every classification problem as a bandit: ``_bakeoff_protocol`` has the protocol
and ``_bakeoff_data`` the sets. What is compared is the progressive loss, averaged over seeds and
then over sets, beside the smallest probability that the learner ever gave a class: without a
probability above 0, what a learner logs cannot be evaluated off policy.

``authopt`` is ``SHORT_STREAM`` with ``REPLAYS``, which were chosen on every other set, by name, in
500 rounds each: those marked with a star. The means are over all sets, over those that chose and
over those that had no part in it. The bar: over all sets, at most the loss of the best of the
others, with a probability above 0 for every class. The exit status is 0 when it is met, 1 when not,
2 when a package is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks._bakeoff_data import MissingPackage, Problem, halves, problems
from benchmarks._bakeoff_learners import DEFAULT, OURS, check_packages, learners
from benchmarks._bakeoff_protocol import Played, better, play

ROUNDS, SEEDS, PROCESSES = 500, 1, 2
QUICK_ROUNDS, QUICK_SETS = 300, 8


@dataclass(frozen=True, slots=True)
class Results:
    """What every learner lost: ``played[learner, problem]`` has one entry a seed."""

    problems: Sequence[Problem]
    chose: frozenset[str]
    names: Sequence[str]
    played: dict[tuple[str, str], list[Played]]

    def loss(self, name: str, problem: Problem) -> float:
        return float(np.mean([each.loss for each in self.played[name, problem.name]]))

    def mean_loss(self, name: str, among: Sequence[Problem]) -> float:
        return float(np.mean([self.loss(name, problem) for problem in among]))

    def rounds(self, problem: Problem) -> int:
        return self.played[self.names[0], problem.name][0].rounds

    def beaten(self, name: str, other: str) -> int:
        """Sets on which ``name`` is significantly better than ``other``."""
        return sum(
            better(self.loss(name, each), self.loss(other, each), self.rounds(each))
            for each in self.problems
        )

    def least(self, name: str) -> float:
        """The smallest probability over all sets; NaN where the learner gives none."""
        return float(min(each.least for each in self._all(name)))

    def seconds(self, name: str) -> float:
        return sum(each.seconds for each in self._all(name))

    def _all(self, name: str) -> list[Played]:
        return [each for problem in self.problems for each in self.played[name, problem.name]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bakeoff")
    parser.add_argument("--quick", action="store_true", help="few sets and rounds, one seed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at most, of every set")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="shuffles of every set")
    asked = parser.parse_args(arguments)
    quick = asked.quick
    try:
        check_packages()
        found = problems()
    except MissingPackage as missing:
        print(f"bakeoff needs the package {missing}: run 'make bakeoff'", file=sys.stderr)
        return 2
    chose = frozenset(problem.name for problem in halves(found)[0])
    if quick:
        found = found[:: max(1, len(found) // QUICK_SETS)][:QUICK_SETS]
    rounds, seeds = (QUICK_ROUNDS, 1) if quick else (asked.rounds, asked.seeds)
    console = Console()
    names = list(learners())
    played = run(found, names, rounds=rounds, seeds=seeds)
    results = Results(found, chose, names, played)
    print_losses(console, results)
    print_summary(console, results)
    return verdict(console, results)


def run(
    found: Sequence[Problem], names: Sequence[str], *, rounds: int, seeds: int
) -> dict[tuple[str, str], list[Played]]:
    """Let every learner play every problem, in processes."""
    played: dict[tuple[str, str], list[Played]] = {}
    longest_first = sorted(found, key=lambda each: -each.classes * each.features.size)
    with (
        ProcessPoolExecutor(PROCESSES) as pool,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        futures = {
            pool.submit(play_named, name, problem, rounds, seeds): (name, problem.name)
            for problem in longest_first
            for name in names
        }
        task = progress.add_task("playing", total=len(futures))
        for future in as_completed(futures):
            played[futures[future]] = future.result()
            progress.advance(task)
    return played


def play_named(name: str, problem: Problem, rounds: int, seeds: int) -> list[Played]:
    """One learner on one problem, once a seed."""
    make = learners()[name]
    return [
        play(problem, make(problem.classes, seed), seed=seed, rounds=rounds)
        for seed in range(seeds)
    ]


def print_losses(console: Console, results: Results) -> None:
    """A set a row, a learner a column; a star marks the sets that chose our options."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("set", no_wrap=True)
    for heading in ("rounds", "classes", *map(str, range(1, len(results.names) + 1))):
        table.add_column(heading, justify="right", no_wrap=True)
    for problem in results.problems:
        losses = [results.loss(name, problem) for name in results.names]
        lowest = min(losses)
        table.add_row(
            f"{problem.name}{' *' if problem.name in results.chose else ''}",
            str(results.rounds(problem)),
            str(problem.classes),
            *(f"[bold]{x:.3f}[/]" if x == lowest else f"{x:.3f}" for x in losses),
        )
    Console(width=max(console.width, 36 + 6 * len(results.names))).print(table)
    console.print()


def print_summary(console: Console, results: Results) -> None:
    """A learner a row, by mean loss; the numbers are those of the columns of the other table."""
    choosing = [each for each in results.problems if each.name in results.chose]
    checking = [each for each in results.problems if each.name not in results.chose]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("learner", no_wrap=True)
    for heading in (
        *(
            "mean loss",
            "choosing sets",
            "checking sets",
            f"won-lost vs {DEFAULT}",
            f"won-lost vs {OURS}",
        ),
        *("least probability", "seconds"),
    ):
        table.add_column(heading, justify="right")
    for name in sorted(results.names, key=lambda name: results.mean_loss(name, results.problems)):
        least = results.least(name)
        table.add_row(
            f"{results.names.index(name) + 1:2d} {name}",
            f"{results.mean_loss(name, results.problems):.4f}",
            f"{results.mean_loss(name, choosing):.4f}",
            f"{results.mean_loss(name, checking):.4f}",
            *(
                ""
                if name == other
                else f"{results.beaten(name, other)}-{results.beaten(other, name)}"
                for other in (DEFAULT, OURS)
            ),
            "not given" if np.isnan(least) else f"{least:.5f}",
            f"{results.seconds(name):.1f}",
        )
    Console(width=max(console.width, 140)).print(table)


def verdict(console: Console, results: Results) -> int:
    """The last line, and the exit status."""
    others = [name for name in results.names if not name.startswith(OURS)]
    mean = {name: results.mean_loss(name, results.problems) for name in results.names}
    best = min(others, key=mean.__getitem__)
    console.print(
        f"bakeoff: {mean[OURS]:.4f} with a least probability of {results.least(OURS):.5f} "
        f"(bar {mean[best]:.4f}, {best})",
        soft_wrap=True,
        highlight=False,
    )
    return 0 if mean[OURS] <= mean[best] and results.least(OURS) > 0.0 else 1


if __name__ == "__main__":
    sys.exit(main())
