"""What the policy was worth while it learned: progressive validation in stretches of time.

Blum, Kalai and Langford ("Beating the Hold-Out", COLT 1999, section 3) judge every example by the
model before it learned from it, so that no row is lost to a test set and none judges a model that
saw it. Here the log is cut into stretches of equally many rows; the decisions of each but the first
are judged, off-policy, by the model as it was when the stretch began. That holds for every
explorer and every way to weigh, unlike VW's own progressive loss, which is a value only where the
labels hold the propensities.

Of a long log a sample of whole payments is judged, so that it costs little beside the learning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch, concat
from authopt.evaluation.quantities import Interval
from authopt.hashing import hash_strings, salted, unit_interval
from authopt.policies.protocol import Policy

STRETCHES = 8
DECISIONS = 8_000
"""About as many are judged."""

NAME = "learning"


@dataclass(frozen=True, slots=True)
class Progressive:
    """The value of the policy while it learned.

    Attributes
    ----------
    value
        mean reward per decision, in the unit that was learned; None where the log holds nothing to
        estimate it from.
    interval
        one that covers (``authopt.evaluation``), by payments.
    estimator
        short name of the estimator.
    decisions
        that were judged.
    """

    value: float | None
    interval: Interval
    estimator: str
    decisions: int


@dataclass(slots=True, eq=False)
class Progress:
    """Cuts a log into stretches, has VW save its model at each start, and keeps a sample to judge.

    Attributes
    ----------
    rows
        of the log.
    folder
        where the models are saved, under names relative to it: VW's command to save ends at a
        space.
    policy_of
        makes a policy of a saved model.
    seed
        of the sample.
    """

    rows: int
    folder: Path
    policy_of: Callable[[Path], Policy]
    seed: int = 0
    _seen: int = 0
    _stretch: int = 0
    _marked: int = 0
    _kept: list[list[LoggedBatch]] = field(default_factory=lambda: [[] for _ in range(STRETCHES)])
    _judged: list[LoggedBatch] = field(default_factory=list)
    _given: list[FloatArray] = field(default_factory=list)

    def stretches(self, batch: LoggedBatch) -> Iterator[LoggedBatch]:
        """A chunk of the log, cut where stretches begin; they are told one at a time."""
        start = 0
        while start < batch.n:
            while self._stretch < STRETCHES - 1 and self._seen >= self._begin(self._stretch + 1):
                self._stretch += 1
            end = self.rows if self._stretch == STRETCHES - 1 else self._begin(self._stretch + 1)
            stop = min(batch.n, max(start + end - self._seen, start + 1))
            yield batch.take(slice(start, stop))
            self._seen += stop - start
            start = stop

    def marks(self) -> Iterator[bytes]:
        """VW's command to save its model, where a stretch begins here."""
        if self._stretch > self._marked:
            self._marked = self._stretch
            # An example whose tag begins with save_ makes VW write the model as it is.
            yield f"save_{self._file(self._stretch)}|\n\n".encode()
            self._judge(self._stretch)

    def keep(self, batch: LoggedBatch, reward: FloatArray) -> None:
        """Keep what is judged of the decisions that come next, with the rewards to judge it by."""
        if self._marked != self._stretch or not self._stretch:
            return
        share = DECISIONS / max(self.rows * (1.0 - 1.0 / STRETCHES), 1.0)
        rows = np.arange(batch.n, dtype=np.int64)
        if share < 1.0:
            draw = unit_interval(salted(hash_strings(batch.payment_id), f"progress:{self.seed}"))
            rows = np.flatnonzero(draw < share).astype(np.int64)
        if len(rows):
            some = batch.take(rows)
            self._kept[self._stretch].append(_with(some, reward[rows]))

    def value(self, bounds: tuple[float, float]) -> Progressive | None:
        """Judge what is left, and say what all stretches were worth; after VW has ended.

        Parameters
        ----------
        bounds
            smallest and largest possible reward.

        Returns
        -------
        Progressive or None
            None where there was nothing to judge.
        """
        from authopt.evaluation.arrays import evaluate_arrays

        self._judge(STRETCHES)
        if not self._judged:
            return None
        whole = concat(self._judged)
        result = evaluate_arrays(
            chosen=whole.chosen,
            reward=whole.reward,
            evaluation={NAME: np.concatenate(self._given)},
            logging=whole.probability,
            propensity=whole.propensity,
            offsets=whole.offsets,
            cluster=_numbered(whole),
            reward_bounds=(
                min(bounds[0], float(whole.reward.min())),
                max(bounds[1], float(whole.reward.max())),
            ),
            bootstrap=0,
            anytime=False,
        ).policy(NAME)
        estimate = result.estimate("snips")
        return Progressive(estimate.value, estimate.interval, estimate.estimator, whole.n)

    def _judge(self, before: int) -> None:
        """Ask the models of earlier stretches that VW has saved by now."""
        # Taken now for the time that it takes to import, not for what it gives.
        import authopt.evaluation.arrays  # noqa: F401

        ended = before == STRETCHES
        for stretch, kept in enumerate(self._kept[:before]):
            model = self.folder / self._file(stretch)
            # VW may be in the midst of writing the newest one, and a part of it loads as a model.
            if kept and (ended or (self.folder / self._file(stretch + 1)).is_file()):
                batch = concat(kept)
                kept.clear()
                self._judged.append(batch)
                self._given.append(self.policy_of(model).probabilities(batch.decisions()))

    def _begin(self, stretch: int) -> int:
        return stretch * self.rows // STRETCHES

    def _file(self, stretch: int) -> str:
        return f"stretch-{stretch}.vw"


def _with(batch: LoggedBatch, reward: FloatArray) -> LoggedBatch:
    return replace(batch, reward=reward, outcome={})


def _numbered(batch: LoggedBatch) -> IntArray:
    """int64[n], a number for each payment."""
    return np.unique(hash_strings(batch.payment_id), return_inverse=True)[1].reshape(-1)
