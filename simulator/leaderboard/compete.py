"""Run a whole leaderboard: the places, their rosters, all seeds, and the boards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from authopt.errors import UserError
from simulator.leaderboard.cell import Cell
from simulator.leaderboard.makers import ORACLE, make_policy
from simulator.leaderboard.places import Place, place_named
from simulator.leaderboard.roster import RECOMMENDED, Entry, Kind, Roster, roster_of
from simulator.leaderboard.runner import Track, results_of
from simulator.leaderboard.standings import Board, Run, board_of

Progress = Callable[[str], Track]
"""How to show the progress of something, said in a few words."""

_WORTH_PROCESSES = 10_000

_COST = {Kind.OURS: 0, Kind.ORACLE: 1, Kind.LEARNER: 2, Kind.STATIC: 3}


@dataclass(frozen=True, slots=True)
class Match:
    """One place with the policies that compete there.

    Attributes
    ----------
    place, payments, seeds, after
        what is played, and from which payment on it counts.
    roster
        who competes.
    """

    place: Place
    payments: int
    seeds: tuple[int, ...]
    after: int
    roster: Roster


def prepared(
    name: str,
    seeds: Sequence[int],
    folder: Path,
    *,
    policies: Sequence[str] = (RECOMMENDED,),
    baselines: bool = True,
    payments: int | None = None,
    after: int | None = None,
    workers: int = 1,
    progress: Progress,
) -> Match:
    """Set a match up.

    Parameters
    ----------
    name, seeds
        where, and of which traffic.
    folder
        that keeps results.
    policies
        specs, the one in question first.
    baselines
        whether they compete with all baselines, which are tuned first, or among themselves.
    payments, after
        the place's own by default.
    workers, progress
        processes, and how to show what they have done.

    Raises
    ------
    UserError
        If the place is not known, a spec not understood, or no payment would count.
    """
    place = place_named(name)
    count = place.payments if payments is None else payments
    start = place.after(count) if after is None else after
    if start >= count:
        raise UserError(f"{name} has {count} payments, and those from {start} on count: none would")
    setting = place.setting(1, 1)
    for spec in policies:
        make_policy(spec, setting)
    if not baselines:
        return Match(place, count, tuple(seeds), start, _among(policies))
    roster = roster_of(
        place,
        count,
        policies,
        folder,
        # Starting processes would take longer than so few payments do.
        workers=workers if count >= _WORTH_PROCESSES else 1,
        track=progress(f"{name}: tuning static policies"),
    )
    return Match(place, count, tuple(seeds), start, roster)


def _among(policies: Sequence[str]) -> Roster:
    """Policies among themselves, with the oracle as their measure."""
    entries = [Entry(spec, spec, Kind.OURS) for spec in dict.fromkeys(policies) if spec != ORACLE]
    return Roster((*entries, Entry(ORACLE, ORACLE, Kind.ORACLE)), policies[0], ORACLE)


def played_out(
    matches: Sequence[Match], folder: Path, *, workers: int, progress: Progress
) -> list[Board]:
    """Run every cell that the folder lacks, those that take long first, and add all up."""
    cells = [
        (_COST[entry.kind], Cell(match.place.name, entry.spec, match.payments, seed))
        for match in matches
        for entry in match.roster.entries
        for seed in match.seeds
    ]
    ordered = [cell for _, cell in sorted(cells, key=lambda each: each[0])]
    results = results_of(
        ordered,
        folder,
        workers=workers,
        track=progress("policies, places and seeds"),
    )
    by_cell = {result.cell: result for result in results}
    boards = []
    for match in matches:
        runs = [
            Run(
                entry.label,
                entry.spec,
                entry.kind,
                tuple(
                    by_cell[Cell(match.place.name, entry.spec, match.payments, seed)]
                    for seed in match.seeds
                ),
                entry.equal,
            )
            for entry in match.roster.entries
        ]
        boards.append(
            board_of(
                runs,
                after=match.after,
                reference=match.roster.reference,
                cascade=match.roster.cascade,
                static=match.roster.static,
                oracle=match.roster.oracle,
            )
        )
    return boards
