"""What the first pass over a log sees go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from authopt.batch import LoggedBatch
from authopt.learning.reward_to_go import Retries


@dataclass(slots=True, eq=False)
class Survey:
    """Rows, times and later attempts of a log; the size of its rewards, where they are money.

    Attributes
    ----------
    money
        whether rewards are money.
    retries
        the later attempts.
    rows
        decisions.
    first, last
        times of the first and the last decision.
    last_payment
        when the last payment began: the time of its first attempt.
    """

    money: bool
    retries: Retries = field(default_factory=Retries)
    rows: int = 0
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    last_payment: np.datetime64 | None = None
    _squares: float = 0.0
    _known: int = 0

    def watch(self, batches: Iterable[LoggedBatch]) -> Iterator[LoggedBatch]:
        """Pass the chunks of the log on."""
        for batch in batches:
            if batch.n:
                self._see(batch)
            yield batch

    def _see(self, batch: LoggedBatch) -> None:
        self.retries.add(batch)
        self.rows += batch.n
        if self.money:
            known = batch.reward[np.isfinite(batch.reward)]
            self._squares += float(np.square(known).sum())
            self._known += len(known)
        earliest, latest = batch.decided_at.min(), batch.decided_at.max()
        self.first = earliest if self.first is None else min(self.first, earliest)
        self.last = latest if self.last is None else max(self.last, latest)
        began = batch.decided_at[batch.attempt == 1]
        if len(began):
            latest = began.max()
            self.last_payment = (
                latest if self.last_payment is None else max(self.last_payment, latest)
            )

    @property
    def scale(self) -> float:
        """What rewards are divided by: 1 unless they are money."""
        return float(np.sqrt(self._squares / self._known)) if self._squares else 1.0
