"""``authopt leaderboard``: who wins, by how much, how sure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import console, json_option, notes, print_json, tracked

if TYPE_CHECKING:
    from simulator.leaderboard.runner import Track
    from simulator.leaderboard.standings import Board


@click.command()
@click.argument("places", metavar="[PLACE]...", nargs=-1)
@click.option(
    "--folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Keeps a file per policy, place and seed, and the pictures. What is in it already and "
    "still holds is not run again.",
)
@click.option(
    "--policy",
    "policies",
    metavar="SPEC",
    multiple=True,
    help="A policy to hold against the baselines; repeatable. Differences are to the first. By "
    "default the recommended one.",
)
@click.option("--only", is_flag=True, help="Leave the baselines out; the oracle stays.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="How many.")
@click.option("--payments", type=click.IntRange(1), help="How many; by default the place's own.")
@click.option(
    "--after",
    type=click.IntRange(0),
    help="Count the payments from this number on, each with all its attempts; by default from a "
    "quarter on in a steady world (50,000 of 200,000), and all of them in a scenario.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--dark", is_flag=True, help="Draw on dark pages; the default prints.")
@json_option
def leaderboard(
    places: tuple[str, ...],
    folder: Path,
    policies: tuple[str, ...],
    only: bool,
    seeds: int,
    payments: int | None,
    after: int | None,
    workers: int,
    dark: bool,
    as_json: bool,
) -> None:
    """Let policies compete in the simulator: value, intervals and regret.

    PLACE is a world in steady state (small, cards; both by default) or a scenario. Every policy
    meets the same payments and the same luck. Values are true chances, not samples of outcomes.
    A run that is cut off goes on where it was.

    \b
    Examples:
      authopt leaderboard --folder board --workers 2
      authopt leaderboard small --folder board --seeds 3 --payments 20000
      authopt leaderboard outage --folder board --only --policy success-rate --policy vw:model.vw
    """
    from authopt.look.static_charts import need_matplotlib
    from simulator.leaderboard.compete import played_out, prepared
    from simulator.leaderboard.pictures import write_pictures
    from simulator.leaderboard.places import WORLDS
    from simulator.leaderboard.roster import RECOMMENDED

    need_matplotlib()
    names = places or WORLDS
    if len(set(names)) < len(names):
        raise UserError("a place is named twice; name each once")
    matches = [
        prepared(
            name,
            range(1, seeds + 1),
            folder,
            payments=payments,
            after=after,
            policies=policies or (RECOMMENDED,),
            baselines=not only,
            workers=workers,
            progress=_progress,
        )
        for name in names
    ]
    boards = played_out(matches, folder, workers=workers, progress=_progress)
    pictures = [path for board in boards for path in write_pictures(board, folder, dark=dark)]
    if as_json:
        print_json({"boards": [_as_json(board) for board in boards], "pictures": pictures})
        return
    for board in boards:
        _print(board)
    for path in pictures:
        notes().print(f"written: {path}", markup=False, soft_wrap=True)


def _progress(what: str) -> Track:
    return lambda cells, total: tracked(cells, what, total)


def _print(board: Board) -> None:
    from simulator.leaderboard.findings import finding, of_the_same_log
    from simulator.leaderboard.tables import NOTE, heading, table_of

    answer = console()
    answer.print(heading(board), markup=False, soft_wrap=True)
    answer.print(finding(board), markup=False, style="bold", soft_wrap=True)
    for line in of_the_same_log(board):
        answer.print(line, markup=False, soft_wrap=True)
    answer.print()
    answer.print(table_of(board, answer.width))
    answer.print()
    answer.print(NOTE, markup=False, style="dim")
    answer.print()


def _as_json(board: Board) -> dict[str, Any]:
    from dataclasses import asdict

    from simulator.leaderboard.findings import finding

    return {"finding": finding(board), **asdict(board)}
