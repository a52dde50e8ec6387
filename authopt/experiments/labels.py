"""One vocabulary for a column of names whose batches have their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from authopt.batch import Categorical, IntArray


@dataclass(slots=True, eq=False)
class Labels:
    """Names in the order in which they came."""

    _index: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All names so far."""
        return tuple(self._index)

    def codes_of(self, column: Categorical) -> IntArray:
        """int64[n], the index of each row's name; -1 where it is missing."""
        used = np.unique(column.codes[column.codes >= 0])
        table = np.full(len(column.categories) + 1, -1, np.int64)
        for code in used.tolist():
            table[code] = self._index.setdefault(column.categories[code], len(self._index))
        return np.asarray(table[column.codes])
