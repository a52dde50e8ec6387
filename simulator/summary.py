"""What happened in a simulated log, by attempt."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from authopt.batch import LoggedBatch


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """Attempts of one number: made, share approved, and payments given up instead of it."""

    attempt: int
    made: int
    approved: float
    stopped: int


@dataclass(slots=True)
class Summary:
    """Counts by attempt number, added up over the chunks of a log."""

    decisions: int = 0
    _made: Counter[int] = field(default_factory=Counter)
    _approved: Counter[int] = field(default_factory=Counter)
    _stopped: Counter[int] = field(default_factory=Counter)

    def add(self, batch: LoggedBatch) -> None:
        """Count a chunk too."""
        self.decisions += batch.n
        stop = batch.is_stop[batch.chosen_action]
        for counter, weight in (
            (self._made, ~stop),
            (self._approved, batch.reward == 1.0),
            (self._stopped, stop),
        ):
            counts = np.bincount(batch.attempt, weight)
            counter.update({attempt: int(count) for attempt, count in enumerate(counts)})

    @property
    def payments(self) -> int:
        """Payments: every one has a first attempt."""
        return self._made[1]

    @property
    def paid(self) -> float:
        """Share of the payments that were approved in the end."""
        return sum(self._approved.values()) / max(self.payments, 1)

    def attempts(self) -> list[AttemptRow]:
        """A row per attempt number."""
        return [
            AttemptRow(
                attempt,
                self._made[attempt],
                self._approved[attempt] / max(self._made[attempt], 1),
                self._stopped[attempt],
            )
            for attempt in sorted(self._made)
            if attempt
        ]

    def as_json(self) -> dict[str, Any]:
        """As JSON-able containers."""
        return {
            "payments": self.payments,
            "decisions": self.decisions,
            "paid": self.paid,
            "attempts": [asdict(row) for row in self.attempts()],
        }
