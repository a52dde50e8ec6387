"""``python -m benchmarks.leaderboard [--quick]``: does the recommended policy win, and how surely?

Both worlds in steady state, 200,000 payments over 60 days, 20 seeds. Every policy meets the same
payments with the same luck; values are true chances that a payment is paid in the end, of the
payments after the first 50,000, and differences are paired by seed. Three bars:

- In the world whose oracle can be reached (``small``: all that bears on an attempt stands in its
  context) the recommended policy captures at least 90% of the gap between the best static order of
  routes that goes on with the next one after a decline at once (A), chosen on other payments, and
  the oracle. The same share from the best static policy of all, timetables of retries included, is
  printed beside it (B), as is the world ``cards``, whose oracle knows what nobody can know, with
  an oracle there that knows all numbers of the world but nothing that is hidden.
- In both worlds it is worth more than every baseline, with a 95% interval of the difference that
  excludes zero. Baselines that only choose routes retry on the best timetable of the place. The
  best-time models that were given a log of payments routed at random are held against the
  recommended policy that learned from that same log before it began; their difference to the one
  that began with nothing is printed too, and decides nothing.
- In no scenario (seeds 1 to 5) is it worse than the best baseline by more than its exploration
  budget: the approvals a day that it declares it may lose, times the days. Where payments are few
  that allows much, so what its exploration costs it there in truth is printed beside it, and in how
  many scenarios it is behind by more than that.

Results are kept in ``--folder``; a run that is cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from authopt.errors import UserError
from authopt.terminal import tracked
from simulator.leaderboard.compete import Match, played_out, prepared
from simulator.leaderboard.findings import best_rival, finding, of_the_same_log
from simulator.leaderboard.makers import INFORMED
from simulator.leaderboard.pictures import write_pictures
from simulator.leaderboard.places import WORLDS, place_named
from simulator.leaderboard.roster import RECOMMENDED, Kind
from simulator.leaderboard.runner import Track
from simulator.leaderboard.standings import Board, Standing
from simulator.leaderboard.tables import NOTE, heading, table_of
from simulator.scenarios.catalogue import SCENARIOS

BAR = 0.90
SEEDS, SCENARIO_SEEDS = 20, 5
MOST_IN_SCENARIO = 30_000
"""Payments of a scenario at most; they arrive over the same time, so fewer are sparser ones."""

QUICK_PAYMENTS, QUICK_SCENARIO, QUICK_SEEDS = 2_000, 500, 2
QUICK_SCENARIOS = ("degradation",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few payments, two seeds")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--folder", type=Path, help="keeps results and pictures")
    parser.add_argument("--policy", default=RECOMMENDED, help="the spec that is judged")
    options = parser.parse_args()
    console = Console(highlight=False, width=170)
    try:
        if options.folder is not None:
            return judged(console, options.folder, options.policy, options.workers, options.quick)
        with tempfile.TemporaryDirectory() as folder:
            return judged(console, Path(folder), options.policy, options.workers, options.quick)
    except UserError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 2


def judged(console: Console, folder: Path, policy: str, workers: int, quick: bool) -> int:
    """Run what the folder lacks, print tables and verdict, return the exit status."""
    start = time.perf_counter()
    matches = [
        prepared(
            name,
            range(1, (QUICK_SEEDS if quick else SEEDS) + 1),
            folder,
            policies=(policy,),
            payments=QUICK_PAYMENTS if quick else None,
            workers=workers,
            progress=shown,
        )
        for name in WORLDS
    ]
    matches += [scenario(name, folder, policy, workers, quick) for name in scenarios(quick)]
    boards = played_out(matches, folder, workers=workers, progress=shown)
    worlds, stories = boards[: len(WORLDS)], boards[len(WORLDS) :]
    for board in worlds:
        print_board(console, board)
        for path in write_pictures(board, folder):
            console.print(f"written: {path}", soft_wrap=True)
        console.print()
    console.print(story_table(stories))
    console.print(NOTE, style="dim")
    console.print(f"{time.perf_counter() - start:.0f} seconds")
    return verdict(console, worlds, stories)


def scenarios(quick: bool) -> Sequence[str]:
    """Names of those that are played."""
    return QUICK_SCENARIOS if quick else tuple(SCENARIOS)


def scenario(name: str, folder: Path, policy: str, workers: int, quick: bool) -> Match:
    """A scenario as a match."""
    payments = min(place_named(name).payments, QUICK_SCENARIO if quick else MOST_IN_SCENARIO)
    return prepared(
        name,
        range(1, (QUICK_SEEDS if quick else SCENARIO_SEEDS) + 1),
        folder,
        policies=(policy,),
        payments=payments,
        workers=workers,
        progress=shown,
    )


def shown(what: str) -> Track:
    """Progress on standard error."""
    return lambda cells, total: tracked(cells, what, total)


def print_board(console: Console, board: Board) -> None:
    """One world."""
    console.print(heading(board))
    console.print(finding(board), style="bold", markup=False)
    for line in of_the_same_log(board):
        console.print(line, markup=False)
    console.print(table_of(board))


def story_table(boards: Sequence[Board]) -> Table:
    """One scenario a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("scenario", "payments", "paid", "best baseline", "paid", "behind, of 10,000",
                 "95%", "budget", "", "explored in truth", ""):  # fmt: skip
        table.add_column(name, justify="left" if name in ("scenario", "best baseline") else "right")
    for board in boards:
        own, rival = board.standing(board.reference), best_rival(board)
        assert rival is not None
        assert rival.difference is not None
        limits = (rival.difference.lower, rival.difference.upper)
        table.add_row(
            board.place,
            f"{board.payments:,}",
            f"{own.value.mean:.2%}",
            rival.label,
            f"{rival.value.mean:.2%}",
            f"{10_000 * rival.difference.mean:+.1f}",
            " to ".join("-" if each is None else f"{10_000 * each:+.1f}" for each in limits),
            "-" if (declared := budget(board)) is None else f"{10_000 * declared:.1f}",
            "within" if within(board) else "BEHIND",
            f"{10_000 * explored(board):.1f}",
            "within" if behind(board) <= explored(board) else "behind",
        )
    return table


def budget(board: Board) -> float | None:
    """Payments that the policy declares it may lose by exploring, as a share of all."""
    per_day = board.standing(board.reference).reported.get("lost_per_day")
    if not per_day:
        return None
    traffic = place_named(board.place).setting(board.payments, board.seeds[0]).traffic
    return per_day * traffic.days / board.payments


def explored(board: Board) -> float:
    """Payments that it lost by exploring in truth, as a share of all."""
    return max(board.standing(board.reference).explored.mean / 1_000, 0.0)


def behind(board: Board) -> float:
    """Payments by which the best baseline is ahead, as a share of all."""
    rival = best_rival(board)
    assert rival is not None
    assert rival.difference is not None
    return rival.difference.mean


def within(board: Board) -> bool:
    """Whether the policy is behind the best baseline by no more than its exploration may cost.

    A policy that declares no budget may be behind by what its exploration costs in truth.
    """
    declared = budget(board)
    return behind(board) <= (explored(board) if declared is None else declared)


def baselines(board: Board) -> list[Standing]:
    """All that the policy is to beat."""
    return [each for each in board.standings if each.kind in (Kind.STATIC, Kind.LEARNER)]


def is_beaten(each: Standing) -> bool:
    """Whether the interval of its difference to ours of equal knowledge lies below zero."""
    difference = each.difference if each.equal is None else each.equal_difference
    return difference is not None and difference.upper is not None and difference.upper < 0.0


def verdict(console: Console, worlds: Sequence[Board], stories: Sequence[Board]) -> int:
    """Print what holds and what does not, and the last line."""
    captured: dict[str, float] = {}
    beaten, all_of_them = 0, 0
    for board in worlds:
        own = board.standing(board.reference)
        shares = [
            "no gap" if each is None else f"{each.mean:.0%}"
            for each in (own.captured_cascade, own.captured_static)
        ]
        console.print(
            f"{board.place}: {shares[0]} of gap A ({board.cascade}), {shares[1]} of gap B "
            f"({board.static})",
            markup=False,
        )
        for each in board.standings:
            if each.spec == INFORMED:
                shares = [
                    f"{(own.value.mean - start) / (each.value.mean - start):.0%}"
                    for start in (
                        board.standing(label).value.mean
                        for label in (board.cascade, board.static)
                        if label is not None
                    )
                ]
                console.print(
                    f"{board.place}, to the oracle that knows nothing hidden: {shares[0]} of gap "
                    f"A, {shares[1]} of gap B",
                    markup=False,
                )
        captured[board.place] = -1.0 if own.captured_cascade is None else own.captured_cascade.mean
        rivals = baselines(board)
        beaten += sum(is_beaten(each) for each in rivals)
        all_of_them += len(rivals)
        left = [f"'{each.label}'" for each in rivals if not is_beaten(each)]
        if left:
            console.print(f"{board.place}: not surely beaten: {'; '.join(left)}", markup=False)
    kept = sum(within(board) for board in stories)
    cheaper = sum(behind(board) <= explored(board) for board in stories)
    console.print(
        f"scenarios: behind by no more than the declared budget in {kept} of {len(stories)}, by no "
        f"more than what exploring costs there in truth in {cheaper}",
        markup=False,
    )
    reached = next(name for name in WORLDS if place_named(name).attainable)
    met = captured[reached] >= BAR and beaten == all_of_them and kept == len(stories)
    print(
        f"leaderboard: {captured[reached]:.0%} of the gap, {beaten} of {all_of_them} baselines "
        f"beaten, {kept} of {len(stories)} scenarios (bar {BAR:.0%}, all, all)"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
