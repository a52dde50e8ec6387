"""A reward is an outcome in one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from authopt.batch import Column, FloatArray
from authopt.errors import UserError


class Reward(Protocol):
    """Turns outcome columns into one number per decision."""

    @property
    def name(self) -> str:
        """How tables and reports call it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the outcome and context columns that it reads."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible reward; intervals rest on them."""

    def of(
        self, outcome: Mapping[str, Column], context: Mapping[str, Column], n: int
    ) -> FloatArray:
        """float64[n], NaN where the outcome is not known."""


@dataclass(frozen=True, slots=True)
class ColumnReward:
    """The reward is an outcome column as it stands, within bounds that the user declares."""

    column: str = "approved"
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column

    @property
    def columns(self) -> tuple[str, ...]:
        """The column's name alone."""
        return (self.column,)

    def of(
        self, outcome: Mapping[str, Column], context: Mapping[str, Column], n: int
    ) -> FloatArray:
        """float64[n], NaN where the outcome is not known."""
        column = outcome.get(self.column)
        if column is None:
            return np.full(n, np.nan)
        if not isinstance(column, np.ndarray) or column.dtype != np.float64:
            raise UserError(f"the reward column {self.column!r} is not a number")
        return np.asarray(column, np.float64)


DEFAULT_REWARD = ColumnReward()
"""Approved: 1, declined: 0."""


def parse_reward(text: str) -> Reward:
    """A reward from its short name on the command line.

    ``approved`` (0 or 1), or ``column:NAME:LOW:HIGH``: an outcome column and the bounds that its
    values cannot leave.

    Raises
    ------
    UserError
        If the text is neither.
    """
    if text == "approved":
        return DEFAULT_REWARD
    kind, _, rest = text.partition(":")
    parts = rest.split(":")
    if kind == "column" and len(parts) == 3:
        try:
            low, high = float(parts[1]), float(parts[2])
        except ValueError:
            low, high = 1.0, 0.0
        if np.isfinite([low, high]).all() and low < high:
            return ColumnReward(parts[0], (low, high))
    raise UserError(
        f"reward {text!r} is not known. Expected 'approved' or 'column:NAME:LOW:HIGH', "
        "for example column:reward:-5:100"
    )
