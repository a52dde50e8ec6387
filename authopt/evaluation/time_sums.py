"""Sums of one policy along time: what its value by day, or by sliding window, is read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.block import Block, State, inner, nested
from authopt.evaluation.columns import Columns, product
from authopt.evaluation.terms import Terms
from authopt.time_bins import TimeBins

MINUTE = 60
"""Seconds of the narrowest bin; bins widen to hours and days as the log becomes long."""


def time_columns(with_model: bool) -> tuple[str, ...]:
    """What is added up: the first column counts the decisions."""
    scores = ("wr", "dr", "dr_supported") if with_model else ("wr",)
    names = ["one", "r", "coverage", "w", "unsupported", *scores]
    names += [product("r", "r"), product("coverage", "coverage"), product("coverage", "r")]
    names += [product(score, score) for score in scores]
    names += [product(score, "r") for score in scores]
    return tuple(dict.fromkeys([*names, product("wr", "coverage")]))


@dataclass(slots=True, eq=False)
class TimeSums:
    """Sums of ``time_columns`` by bin of time, under one policy; empty where there are no times.

    Attributes
    ----------
    columns
        names of the columns.
    bins
        of time.
    """

    columns: tuple[str, ...]
    bins: TimeBins

    @classmethod
    def empty(cls, with_model: bool) -> Self:
        """Nothing added up yet."""
        columns = time_columns(with_model)
        return cls(columns, TimeBins(len(columns), unit=MINUTE))

    @property
    def with_model(self) -> bool:
        """Whether there is a reward model."""
        return "dr" in self.columns

    def add(self, block: Block, terms: Terms) -> None:
        """Add decisions; see :class:`authopt.evaluation.block.Part`."""
        if block.batch is None:
            return
        columns = Columns.of(terms)
        zeros = np.zeros(len(terms.r))
        values = [columns[name] for name in self.columns]
        table = np.stack([zeros if column is None else column for column in values])
        self.bins.add(block.batch.decided_at, table)

    def __add__(self, other: TimeSums) -> TimeSums:
        return TimeSums(self.columns, self.bins + other.bins)

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        return {"columns": np.array(self.columns), **nested({"bins": self.bins.state()})}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        columns = tuple(state["columns"].tolist())
        return cls(columns, TimeBins.from_state(inner(state, "bins")))

    def totals(self, bins: IntArray | None = None) -> Totals:
        """Sums over some bins of time (int64[...]), by default over all of them."""
        rows = self.bins.sums if bins is None else self.bins.sums[bins]
        sums: FloatArray = rows.sum(axis=0)
        return Totals(dict(zip(self.columns, sums.tolist(), strict=True)))


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of columns, and of products of two columns, over the decisions of a stretch of time."""

    sums: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.sums[name]

    @property
    def with_model(self) -> bool:
        """Whether there is a reward model."""
        return "dr" in self.sums

    @property
    def rows(self) -> float:
        """Number of decisions."""
        return self.sums["one"]

    @property
    def effective(self) -> float:
        """Effective sample size (Kish 1965) of the weights, mass without support included."""
        squares = self.sums[product("coverage", "coverage")]
        return self.sums["coverage"] ** 2 / squares if squares > 0.0 else 0.0

    def both(self, left: str, right: str) -> float:
        """The sum of the product of two columns."""
        return self.sums[product(left, right)]
