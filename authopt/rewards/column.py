"""The reward that stands in a column of the log; approval is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError

APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class ColumnReward:
    """The reward is an outcome column as it stands, within bounds that the user declares."""

    column: str = APPROVED
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column

    @property
    def spec(self) -> str:
        """``approved``, or ``column:NAME:LOW:HIGH``."""
        if (self.column, self.bounds) == (APPROVED, (0.0, 1.0)):
            return APPROVED
        low, high = (str(bound).removesuffix(".0") for bound in self.bounds)
        return f"column:{self.column}:{low}:{high}"

    @property
    def files(self) -> tuple[Path, ...]:
        """None."""
        return ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The column's name alone."""
        return (self.column,)

    @property
    def currency(self) -> str | None:
        """None: what the numbers count is not known."""
        return None

    @property
    def by_approval(self) -> bool:
        """True of approval alone: what stands in another column is not known."""
        return self.column == APPROVED

    def of(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], NaN where the outcome is not known."""
        column = batch.outcome.get(self.column)
        if column is None:
            return np.full(batch.n, np.nan)
        if not isinstance(column, np.ndarray) or column.dtype != np.float64:
            raise UserError(f"the reward column {self.column!r} is not a number")
        return np.asarray(column, np.float64)


DEFAULT_REWARD = ColumnReward()
"""Approved: 1, declined: 0."""
