"""What happened in a simulated log: by attempt, network, route and initiator, and why not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np

from authopt.batch import BoolArray, Categorical, Column, IntArray, LoggedBatch


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """Attempts of one number: made, share approved, and payments given up instead of it."""

    attempt: int
    made: int
    approved: float
    stopped: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Attempts of one network, route or initiator: the share approved of all and of the first."""

    name: str
    made: int
    approved: float
    first_made: int
    first_approved: float


@dataclass(frozen=True, slots=True)
class CodeRow:
    """Declines of one response code, as a share of all declines and of those at first attempts."""

    code: str
    declines: int
    share: float
    first_share: float


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


Groups: TypeAlias = defaultdict[tuple[str, bool], Counts]
"""By value, and by whether it is a first attempt."""


@dataclass(slots=True)
class Summary:
    """Counts that are added up over the chunks of a log."""

    decisions: int = 0
    _by_attempt: defaultdict[int, Counts] = field(default_factory=lambda: defaultdict(Counts))
    _by_group: dict[str, Groups] = field(default_factory=dict)
    _declines: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def add(self, batch: LoggedBatch) -> None:
        """Count a chunk too."""
        self.decisions += batch.n
        stop = batch.is_stop[batch.chosen_action]
        for attempt, counts in _counted(batch, stop, batch.attempt.astype(np.int64)):
            _add(self._by_attempt[attempt], counts)
        route = Categorical(batch.action_route[batch.chosen_action], batch.routes)
        groups = {name: _category(batch.context[name]) for name in ("network", "initiator")}
        for name, column in {**groups, "route": route}.items():
            table = self._by_group.setdefault(name, defaultdict(Counts))
            for value, counts in _counted(batch, stop, _with_first(batch, column)):
                _add(table[column.categories[value // 2], bool(value % 2)], counts)
        code = _category(batch.outcome["response_code"])
        declined = np.flatnonzero((batch.reward == 0.0) & (code.codes >= 0))
        number = np.bincount(_with_first(batch, code)[declined])
        for value in np.flatnonzero(number).tolist():
            self._declines[code.categories[value // 2], bool(value % 2)] += int(number[value])

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

    def groups(self) -> dict[str, list[GroupRow]]:
        """By network, initiator and route: a row each, the one with most attempts first."""
        return {name: _rows(table) for name, table in self._by_group.items()}

    def decline_codes(self) -> list[CodeRow]:
        """A row per response code of a decline, the most frequent first."""
        all_ = max(sum(self._declines.values()), 1)
        first = max(sum(n for (_, is_first), n in self._declines.items() if is_first), 1)
        rows = []
        for code in {code for code, _ in self._declines}:
            number = self._declines[code, True] + self._declines[code, False]
            rows.append(CodeRow(code, number, number / all_, self._declines[code, True] / first))
        return sorted(rows, key=lambda row: (-row.declines, row.code))

    def as_json(self) -> dict[str, Any]:
        """As JSON-able containers."""
        return {
            "payments": self.payments,
            "decisions": self.decisions,
            "paid": self.paid,
            "attempts": [asdict(row) for row in self.attempts()],
            **{f"{name}s": [asdict(row) for row in rows] for name, rows in self.groups().items()},
            "decline_codes": [asdict(row) for row in self.decline_codes()],
        }


def _category(column: Column) -> Categorical:
    assert isinstance(column, Categorical)
    return column


def _with_first(batch: LoggedBatch, column: Categorical) -> IntArray:
    """int64[n], twice the code, plus one for a first attempt; negative where it is missing."""
    return np.asarray(column.codes.astype(np.int64) * 2 + (batch.attempt == 1))


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


def _rows(table: Groups) -> list[GroupRow]:
    rows = []
    for name in {name for name, _ in table}:
        first, later = (table.get((name, is_first), Counts()) for is_first in (True, False))
        both = Counts(first.made + later.made, first.approved + later.approved)
        if both.made:
            rows.append(GroupRow(name, both.made, both.share, first.made, first.share))
    return sorted(rows, key=lambda row: (-row.made, row.name))
