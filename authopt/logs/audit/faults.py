"""What the checks of all rows add up to: counts with examples, unknown codes, rules broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from authopt.batch import BoolArray, Categorical, LoggedBatch
from authopt.logs.audit.checks import (
    CHECKS,
    CODE_COLUMNS,
    Found,
    category,
    stopped,
    table_of,
    unknown_rows,
)
from authopt.logs.audit.report import Fault, Named
from authopt.rules import DEFAULT_RULES, apply_rules

EXAMPLES = 3

RULE_BROKEN = "rule_broken"
FOREIGN_ROUTE = "previous_route_unknown"

_NAMES_KEPT = 10_000
_ALL_OTHERS = "..."


class Examples:
    """The earliest few decision ids of some rows, whatever the order in which they are seen."""

    def __init__(self, found: Iterable[tuple[int, str]] = ()) -> None:
        self._found = sorted(found)[:EXAMPLES]

    def add(self, batch: LoggedBatch, rows: BoolArray) -> None:
        """See the rows (bool[n]) of a batch too."""
        at = np.flatnonzero(rows)
        times = batch.decided_at[at].astype("M8[us]").astype(np.int64)
        if len(at) > EXAMPLES:
            least = np.partition(times, EXAMPLES - 1)[EXAMPLES - 1]
            at, times = at[times <= least], times[times <= least]
        ids = batch.decision_id.take(pa.array(at)).to_pylist()
        self._found = sorted([*self._found, *zip(times.tolist(), ids, strict=True)])[:EXAMPLES]

    def ids(self) -> tuple[str, ...]:
        """The ids, earliest first."""
        return tuple(name for _, name in self._found)

    def __add__(self, other: Examples) -> Examples:
        return Examples([*self._found, *other._found])


@dataclass(slots=True, eq=False)
class _Count:
    rows: int = 0
    of: int = 0
    examples: Examples = field(default_factory=Examples)

    def add(self, batch: LoggedBatch, found: Found) -> None:
        rows, of = found
        self.of += int(of.sum())
        if rows.any():
            self.rows += int(rows.sum())
            self.examples.add(batch, rows)

    def __add__(self, other: _Count) -> _Count:
        return _Count(self.rows + other.rows, self.of + other.of, self.examples + other.examples)


@dataclass(slots=True, eq=False)
class FaultSums:
    """Counts by check, unknown codes, rules broken, and routes named as previous ones."""

    counts: dict[str, _Count] = field(default_factory=dict)
    unknown_codes: dict[str, Counter[str]] = field(default_factory=dict)
    rules_broken: Counter[str] = field(default_factory=Counter)
    previous_routes: Counter[str] = field(default_factory=Counter)
    routes: set[str] = field(default_factory=set)

    def add(self, batch: LoggedBatch) -> None:
        """Check these decisions too."""
        for check in CHECKS:
            found = check.find(batch)
            if found is not None:
                self._count(check.name).add(batch, found)
        for name in CODE_COLUMNS:
            self._add_codes(batch, name)
        self._add_rules(batch)
        # The vocabulary may hold routes that no row has.
        used = np.flatnonzero(np.bincount(batch.action_route, minlength=len(batch.routes)))
        self.routes.update(batch.routes[at] for at in used.tolist())
        previous = category(batch.context, "previous_route")
        if previous is not None:
            _add(self.previous_routes, _by_category(previous, previous.codes >= 0))

    def _count(self, name: str) -> _Count:
        return self.counts.setdefault(name, _Count())

    def _add_codes(self, batch: LoggedBatch, name: str) -> None:
        column = category(table_of(batch, name), name)
        if column is None:
            return
        table = DEFAULT_RULES.advice if "advice" in name else DEFAULT_RULES.response
        unknown = unknown_rows(batch, column, table)
        if unknown.any():
            _add(self.unknown_codes.setdefault(name, Counter()), _by_category(column, unknown))

    def _add_rules(self, batch: LoggedBatch) -> None:
        allowed = apply_rules(batch.decisions())
        reason = allowed.reason[batch.chosen_action]
        broken = reason >= 0
        self._count(RULE_BROKEN).add(batch, (broken, ~stopped(batch)))
        for at, count in enumerate(np.bincount(reason[broken])):
            if count:
                self.rules_broken[allowed.reasons[at]] += int(count)

    def __add__(self, other: FaultSums) -> FaultSums:
        names = dict.fromkeys([*self.counts, *other.counts])
        codes = {
            name: self.unknown_codes.get(name, Counter()) + other.unknown_codes.get(name, Counter())
            for name in CODE_COLUMNS
            if name in self.unknown_codes or name in other.unknown_codes
        }
        return FaultSums(
            {
                name: self.counts.get(name, _Count()) + other.counts.get(name, _Count())
                for name in names
            },
            codes,
            self.rules_broken + other.rules_broken,
            self.previous_routes + other.previous_routes,
            self.routes | other.routes,
        )

    def report(self) -> tuple[Fault, ...]:
        """Every check whose columns the log has."""
        foreign = {
            route: count
            for route, count in self.previous_routes.items()
            if route not in self.routes
        }
        return (
            *(
                Fault(name, count.rows, count.of, count.examples.ids())
                for name in (*(check.name for check in CHECKS), RULE_BROKEN)
                if (count := self.counts.get(name)) is not None
            ),
            Fault(
                FOREIGN_ROUTE,
                sum(foreign.values()),
                self.previous_routes.total(),
                tuple(sorted(foreign)[:EXAMPLES]),
            ),
        )


def _add(counts: Counter[str], more: Counter[str]) -> None:
    """Add counts; names beyond those that are kept go together, so that memory is bounded."""
    for name, count in more.items():
        counts[name if name in counts or len(counts) < _NAMES_KEPT else _ALL_OTHERS] += count


def named(counts: Counter[str]) -> tuple[Named, ...]:
    """Counts as a table, largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Named(value, count) for value, count in ordered)


def _by_category(column: Categorical, rows: BoolArray) -> Counter[str]:
    counts = np.bincount(column.codes[rows], minlength=len(column.categories))
    return Counter({column.categories[at]: int(counts[at]) for at in np.flatnonzero(counts)})
