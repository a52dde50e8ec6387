"""Which columns a log has, how much of each is missing, and how many different values there are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, LoggedBatch
from authopt.batch import Column as Values
from authopt.distinct import DistinctCount
from authopt.hashing import hash_strings
from authopt.logs.audit.report import Column
from authopt.logs.schema import ELIGIBLE_PREFIX
from authopt.payments import CONTEXT_BY_NAME, CONTEXT_FIELDS, OUTCOME_BY_NAME, OUTCOME_FIELDS, Kind


@dataclass(slots=True, eq=False)
class _Sums:
    kind: str
    rows: int = 0
    missing: int = 0
    distinct: DistinctCount | None = None

    def add(self, values: Values) -> None:
        self.rows += len(values)
        self.missing += _missing(values)
        hashes = None
        if isinstance(values, Categorical):
            used = np.bincount(values.codes[values.codes >= 0], minlength=len(values.categories))
            names = [values.categories[code] for code in np.flatnonzero(used).tolist()]
            hashes = hash_strings(pa.array(names, pa.string()))
        elif isinstance(values, pa.Array):
            hashes = hash_strings(values.drop_null())
        if hashes is not None:
            self.distinct = self.distinct or DistinctCount()
            self.distinct.add(hashes)

    def __add__(self, other: _Sums) -> _Sums:
        counts = [part.distinct for part in (self, other) if part.distinct is not None]
        together = sum(counts[1:], counts[0]) if counts else None
        return _Sums(self.kind, self.rows + other.rows, self.missing + other.missing, together)


@dataclass(slots=True, eq=False)
class ColumnSums:
    """Counts by role and name of the column, in the order of appearance."""

    decisions: int = 0
    actions: int = 0
    columns: dict[tuple[str, str], _Sums] = field(default_factory=dict)

    def add(self, batch: LoggedBatch) -> None:
        """Count the columns of these decisions too."""
        self.decisions += batch.n
        self.actions += batch.m
        features = {ELIGIBLE_PREFIX + name: item for name, item in batch.action_features.items()}
        tables = {"context": batch.context, "outcome": batch.outcome, "action": features}
        for role, table in tables.items():
            for name, values in table.items():
                key = (role, name)
                if key not in self.columns:
                    self.columns[key] = _Sums(_kind(name, values))
                self.columns[key].add(values)

    def __add__(self, other: ColumnSums) -> ColumnSums:
        columns = dict(self.columns)
        for key, sums in other.columns.items():
            columns[key] = columns[key] + sums if key in columns else sums
        return ColumnSums(self.decisions + other.decisions, self.actions + other.actions, columns)

    def report(self) -> tuple[Column, ...]:
        """The columns there are: known ones in the order of the schema, then the user's own."""
        order = [item.name for item in (*CONTEXT_FIELDS, *OUTCOME_FIELDS)]
        found = []
        for (role, name), sums in self.columns.items():
            rows = self.actions if role == "action" else self.decisions
            # Where a part of the log lacks the column, all of its rows do.
            missing = sums.missing + rows - sums.rows
            distinct = None if sums.distinct is None else sums.distinct.count()
            exact = sums.distinct is None or sums.distinct.exact
            found.append(Column(name, role, sums.kind, rows, missing, distinct, exact))
        place = {name: at for at, name in enumerate(order)}
        return tuple(
            sorted(found, key=lambda column: (place.get(column.name, len(order)), column.name))
        )

    def absent(self) -> tuple[str, ...]:
        """Known context and outcome columns that the log lacks."""
        names = {name for _, name in self.columns}
        known = (*CONTEXT_FIELDS, *OUTCOME_FIELDS)
        return tuple(item.name for item in known if item.name not in names)


def _kind(name: str, values: Values) -> str:
    known = CONTEXT_BY_NAME.get(name) or OUTCOME_BY_NAME.get(name)
    if known is not None:
        return known.kind
    return Kind.CATEGORY if isinstance(values, Categorical) else Kind.NUMBER


def _missing(values: Values) -> int:
    if isinstance(values, Categorical):
        return int((values.codes < 0).sum())
    if isinstance(values, pa.Array):
        return int(values.null_count)
    array = np.asarray(values)
    return int((np.isnat(array) if array.dtype.kind == "M" else np.isnan(array)).sum())
