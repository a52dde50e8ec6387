"""A gated training: the earlier part of a log to learn from, the later one to judge on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from authopt.errors import UserError
from authopt.learning.gate.log_gate import judge_log
from authopt.learning.gate.option_flags import GatedTraining, with_override
from authopt.learning.gate.trained_on import TrainedOn, together, trained_on
from authopt.learning.gate.verdict import GateVerdict, verdict_path, write_verdict
from authopt.logs.files import AttemptLog, open_log
from authopt.logs.split import split_log
from authopt.policies.spec import load_policy
from authopt.rewards import Reward
from authopt.terminal import tracked


@dataclass(frozen=True, slots=True)
class GatedParts:
    """The parts of a log in a training.

    Attributes
    ----------
    training
        to learn from.
    judging
        to judge on; None where the training is not gated.
    gated
        how it is gated; None likewise.
    out
        where the model goes; the verdict goes beside it.
    trained
        what the model has learned from, beside what its manifest says; None for that alone.
    """

    training: AttemptLog
    judging: AttemptLog | None
    gated: GatedTraining | None
    out: Path
    trained: TrainedOn | None = None

    def judge(self, spec: str, reward: Reward) -> GateVerdict | None:
        """The verdict on the model of this spec, written beside it; None where it is not gated.

        Raises
        ------
        UserError
            As :func:`authopt.learning.gate.log_gate.judge_log` does.
        """
        if self.gated is None or self.judging is None:
            return None
        verdict = judge_log(
            self.judging,
            spec,
            self.gated.live,
            self.gated.gate(),
            reward=reward,
            before=verdict_path(self.out),
            trained=None if self.trained is None else together(self.trained, trained_on(spec)),
            track=partial(tracked, total=self.judging.num_rows, size=len),
        )
        verdict = with_override(verdict, self.gated.override)
        write_verdict(verdict_path(self.out), verdict)
        return verdict


@contextmanager
def gated_parts(log: AttemptLog, gated: GatedTraining | None, out: Path) -> Iterator[GatedParts]:
    """Cut a log for a gated training; without a gate, all of it is for the training.

    Payments stay whole: one belongs where its first attempt falls.

    Parameters
    ----------
    log
        the log that the command was given.
    gated
        how the training is gated, or None.
    out
        where the model goes.

    Raises
    ------
    UserError
        If the live policy or the conditions cannot be read, or a part would be empty.
    """
    if gated is None:
        yield GatedParts(log, None, None, out)
        return
    # What is wrong with these is said before an hour of training.
    load_policy(gated.live)
    gated.gate()
    if gated.log is not None:
        if gated.log.resolve() == log.path.resolve():
            raise UserError(
                f"--gate-log is LOG itself ({log.path}): what was learned from cannot judge. Give "
                "a later log, or leave it out to judge on the end of LOG"
            )
        yield GatedParts(log, open_log(gated.log), gated, out)
        return
    with tempfile.TemporaryDirectory(dir=_folder(out), prefix=f".{out.name}.gate.") as name:
        earlier, later = Path(name) / "earlier.parquet", Path(name) / "later.parquet"
        track = partial(tracked, total=log.num_rows, size=len)
        split = split_log(log, 1.0 - gated.share, earlier, later, track)
        trained = TrainedOn(np.datetime64(split.at, "us") - np.timedelta64(1, "us"))
        yield GatedParts(open_log(earlier), open_log(later), gated, out, trained)


def _folder(out: Path) -> Path:
    if not out.parent.is_dir():
        raise UserError(f"{out}: the folder {out.parent} does not exist")
    return out.parent
