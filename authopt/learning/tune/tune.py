"""Choose how to train by off-policy evaluation on later time, and judge the choice on the last.

The log is cut into slices of time. On rung k (from 1) candidates learn from the first k slices and
are judged on the next one; the best third goes on to the next rung. The last slice takes no part in
the choice: it judges the winner, so that its value is not the best of many lucky ones (Cawley and
Talbot, "On Over-fitting in Model Selection", JMLR 11, 2010).

Candidates are ranked by their greedy value, that of always taking the most probable action.
Exploring costs a little of it today and pays in what later logs can teach, which no log of the past
shows; so the floor is not tuned, and the value with it is reported beside.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from authopt.errors import UserError
from authopt.learning.tune.final import FinalExam, final_exam
from authopt.learning.tune.halving import halve
from authopt.learning.tune.judging import Exam
from authopt.learning.tune.space import Candidate, Value
from authopt.learning.tune.trial import Setting, Trial, train_on, try_out

Show = Callable[[Iterator[Trial], str, int], Iterator[Trial]]
"""Passes results on as they come, with progress: the results, a few words, how many there will be.
"""


class Row(msgspec.Struct, frozen=True):
    """A candidate on a rung."""

    rung: int
    candidate: str
    values: dict[str, Value]
    trial: Trial
    kept: bool


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning found.

    Attributes
    ----------
    winner
        the candidate that was chosen.
    rows
        every candidate on every rung, best first within a rung.
    final
        the winner's worth on the slice that took no part.
    """

    winner: Candidate
    rows: tuple[Row, ...]
    final: FinalExam


def tune(
    setting: Setting,
    candidates: Sequence[Candidate],
    out: Path,
    *,
    workers: int = 1,
    show: Show | None = None,
) -> Tuned:
    """Tune, and write the winner's model.

    The model is the one that the last slice judged: it learned from all slices but that one.

    Parameters
    ----------
    setting
        the log in slices and what is the same for all; there are two slices more than rungs,
        counting the one that judges the last rung and the one that judges the winner.
    candidates
        the first one is what the winner is compared with.
    out
        where the model goes.
    workers
        processes that train at the same time.
    show
        shows progress.

    Raises
    ------
    UserError
        If a slice has nothing to judge by, or every candidate failed.
    """
    rungs = len(setting.slices.files) - 2
    shown = show or (lambda trials, what, total: trials)

    def run(rung: int, going: Sequence[Candidate]) -> list[Trial]:
        exam = setting.exam(rung + 1)
        if exam is None:
            raise UserError(
                f"slice {rung + 2} of the log, from {setting.slices.begin[rung + 1]}Z on, has no "
                "decision with a known outcome and propensity to judge by"
            )
        trials = _all(setting, rung, going, exam, workers)
        found = list(shown(trials, f"rung {rung + 1} of {rungs}", len(going)))
        if all(trial.judged is None for trial in found):
            raise UserError(f"every candidate failed; the first one: {found[0].failed}")
        return found

    winner, table = halve(candidates, rungs, run, lambda trial: trial.score)
    rows = tuple(
        Row(
            rung + 1,
            candidate.label,
            dict(candidate.values),
            trial,
            any(candidate == each for each, _ in table[rung + 1])
            if rung + 1 < rungs
            else candidate == winner,
        )
        for rung, ran in enumerate(table)
        for candidate, trial in ran
    )
    train_on(setting, winner, rungs + 1, out)
    return Tuned(winner, rows, final_exam(setting, winner, candidates[0], out))


def _all(
    setting: Setting, rung: int, going: Sequence[Candidate], exam: Exam, workers: int
) -> Iterator[Trial]:
    if workers == 1:
        for candidate in going:
            yield try_out(setting, rung, candidate, exam)
        return
    # Not forked: the parent has threads of Arrow and OpenMP.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start, initargs=(setting, rung, exam)
    ) as pool:
        yield from pool.map(_one, going)


_shared: tuple[Setting, int, Exam] | None = None


def _start(setting: Setting, rung: int, exam: Exam) -> None:
    global _shared
    _shared = setting, rung, exam


def _one(candidate: Candidate) -> Trial:
    assert _shared is not None
    setting, rung, exam = _shared
    return try_out(setting, rung, candidate, exam)
