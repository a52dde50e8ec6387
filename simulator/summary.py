"""What happened in a simulated log: by attempt, by network and by route."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from authopt.batch import BoolArray, Categorical, IntArray, LoggedBatch


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """Attempts of one number: made, share approved, and payments given up instead of it."""

    attempt: int
    made: int
    approved: float
    stopped: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Attempts of one network or by one route, and the share approved of the first and of all."""

    name: str
    made: int
    approved: float
    first_made: int
    first_approved: float


@dataclass(slots=True)
class Counts:
    """Attempts made and approved, and times that the payment was given up instead."""

    made: int = 0
    approved: int = 0
    stopped: int = 0

    @property
    def share(self) -> float:
        """Share of the attempts that were approved; 0 where there are none."""
        return self.approved / max(self.made, 1)


@dataclass(slots=True)
class Summary:
    """Counts that are added up over the chunks of a log."""

    decisions: int = 0
    _by_attempt: defaultdict[int, Counts] = field(default_factory=lambda: defaultdict(Counts))
    _by_network: defaultdict[tuple[str, bool], Counts] = field(
        default_factory=lambda: defaultdict(Counts)
    )
    _by_route: defaultdict[tuple[str, bool], Counts] = field(
        default_factory=lambda: defaultdict(Counts)
    )

    def add(self, batch: LoggedBatch) -> None:
        """Count a chunk too."""
        self.decisions += batch.n
        stop = batch.is_stop[batch.chosen_action]
        for attempt, counts in _counted(batch, stop, batch.attempt.astype(np.int64)):
            _add(self._by_attempt[attempt], counts)
        network = batch.context["network"]
        assert isinstance(network, Categorical)
        route = Categorical(batch.action_route[batch.chosen_action], batch.routes)
        for column, table in ((network, self._by_network), (route, self._by_route)):
            # Twice the code, plus one for a first attempt.
            key = column.codes.astype(np.int64) * 2 + (batch.attempt == 1)
            for value, counts in _counted(batch, stop, key):
                _add(table[column.categories[value // 2], bool(value % 2)], counts)

    @property
    def payments(self) -> int:
        """Payments: every one has a first attempt."""
        return self._by_attempt[1].made

    @property
    def paid(self) -> float:
        """Share of the payments that were approved in the end."""
        approved = sum(counts.approved for counts in self._by_attempt.values())
        return approved / max(self.payments, 1)

    def attempts(self) -> list[AttemptRow]:
        """A row per attempt number."""
        return [
            AttemptRow(attempt, counts.made, counts.share, counts.stopped)
            for attempt, counts in sorted(self._by_attempt.items())
        ]

    def networks(self) -> list[GroupRow]:
        """A row per network, the one with most attempts first."""
        return _rows(self._by_network)

    def routes(self) -> list[GroupRow]:
        """A row per route, the one with most attempts first."""
        return _rows(self._by_route)

    def as_json(self) -> dict[str, Any]:
        """As JSON-able containers."""
        return {
            "payments": self.payments,
            "decisions": self.decisions,
            "paid": self.paid,
            "attempts": [asdict(row) for row in self.attempts()],
            "networks": [asdict(row) for row in self.networks()],
            "routes": [asdict(row) for row in self.routes()],
        }


def _counted(
    batch: LoggedBatch, stop: BoolArray, key: IntArray
) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Made, approved and stopped of every key (int64[n], 0 or more) that any row has."""
    columns = [np.bincount(key, weight) for weight in (~stop, batch.reward == 1.0, stop)]
    for value in np.flatnonzero(np.bincount(key)):
        made, approved, stopped = (int(column[value]) for column in columns)
        yield int(value), (made, approved, stopped)


def _add(total: Counts, counts: tuple[int, int, int]) -> None:
    made, approved, stopped = counts
    total.made += made
    total.approved += approved
    total.stopped += stopped


def _rows(table: defaultdict[tuple[str, bool], Counts]) -> list[GroupRow]:
    rows = []
    for name in {name for name, _ in table}:
        first, later = (table.get((name, is_first), Counts()) for is_first in (True, False))
        both = Counts(first.made + later.made, first.approved + later.approved)
        if both.made:
            rows.append(GroupRow(name, both.made, both.share, first.made, first.share))
    return sorted(rows, key=lambda row: (-row.made, row.name))
