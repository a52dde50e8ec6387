"""Run the cells that a folder does not hold yet, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from authopt.errors import UserError
from authopt.evaluation.block import State
from authopt.evaluation.parallel import add_up
from simulator.leaderboard.cell import Cell, Result, read_result, run_cell, write_result

Track = Callable[[Iterable[Cell], int], Iterable[Cell]]
"""Passes cells on as they are done, told how many there will be."""


def unseen(cells: Iterable[Cell], total: int) -> Iterable[Cell]:
    """Shows no progress."""
    return cells


@dataclass(frozen=True, slots=True)
class _Done:
    """How many cells were run."""

    cells: int

    def __add__(self, other: Self, /) -> Self:
        return type(self)(self.cells + other.cells)

    def state(self) -> State:
        return {"cells": np.array([self.cells])}


def results_of(
    cells: Sequence[Cell], folder: Path, *, workers: int = 1, track: Track = unseen
) -> list[Result]:
    """The results of all cells, in their order.

    Every cell is kept in the folder as soon as it is done, so that a run that is cut off goes on
    from there, and none is run twice while all that it depends on stays the same. Each is computed
    by itself from its own seed, so the results do not depend on the number of processes.

    Parameters
    ----------
    cells
        what to run; those that take long first keep all processes busy to the end.
    folder
        where the results are, and go to.
    workers
        processes.
    track
        shows the progress of the cells that are run.

    Raises
    ------
    UserError
        If a place is not known, a spec not understood, a file cannot be written, or a process was
        killed.
    """
    # Taken once: code that is changed meanwhile makes the results of this run no worse.
    marks = {cell: cell.fingerprint() for cell in cells}
    missing = [cell for cell in marks if read_result(cell, folder, marks[cell]) is None]
    if missing:
        try:
            add_up(
                missing,
                partial(_prepared, folder, {cell: marks[cell] for cell in missing}),
                workers=workers,
                track=lambda cells: track(cells, len(missing)),
            )
        except UserError as error:
            if isinstance(error.__cause__, BrokenProcessPool):
                raise UserError(
                    "a process that ran a cell was killed before it was done; often by the "
                    "system, for lack of memory. Run again with fewer workers: what is done is kept"
                ) from error
            raise
    found = [read_result(cell, folder, marks[cell]) for cell in cells]
    lost = [cell for cell, result in zip(cells, found, strict=True) if result is None]
    if lost:
        raise UserError(
            f"{lost[0].path(folder)}: was written and cannot be read; does another run write to "
            "the same folder? Run again"
        )
    return [result for result in found if result is not None]


def _prepared(folder: Path, marks: Mapping[Cell, str]) -> Callable[[Cell], _Done]:
    return partial(_run_and_keep, folder, marks)


def _run_and_keep(folder: Path, marks: Mapping[Cell, str], cell: Cell) -> _Done:
    write_result(run_cell(cell), folder, marks[cell])
    return _Done(1)
