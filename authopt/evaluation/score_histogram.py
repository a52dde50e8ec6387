"""How often which weight met which reward: what likelihood intervals need beyond sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.block import Block
from authopt.evaluation.scores import Combination
from authopt.evaluation.terms import Terms

COLUMNS = ("one", "coverage", "unsupported", "r", "wr")

MOST_EXACT = 1024
"""Distinct rows up to which each is kept as it is."""

PER_OCTAVE, REWARD_BINS, MASS_BINS = 32, 32, 16
LOWEST_POWER, HIGHEST_POWER = -10, 20
WEIGHT_BINS = (HIGHEST_POWER - LOWEST_POWER + 1) * PER_OCTAVE + 2
FULL_SUPPORT = WEIGHT_BINS * (REWARD_BINS + 2)
"""Cells of rows without mass that lacks support."""

UIntArray = npt.NDArray[np.uint64]
Rows = tuple[FloatArray | None, ...]
"""A value per row for each of ``COLUMNS``: the first is None for ones, another None for zeros."""


@dataclass(slots=True, eq=False)
class ScoreHistogram:
    """Rows by coverage (weight plus mass without support), mass without support, and reward.

    Up to ``MOST_EXACT`` distinct rows nothing is lost: logs of few distinct propensities and of
    approvals stay exact. Beyond, rows fall into cells: 32 to a doubling of the coverage (2.2%
    wide), 32 to the range of rewards with its ends in cells of their own, 16 to the mass without
    support. A cell keeps the sums of its rows, so that all means stay exact; only the spread within
    cells is lost, which moves likelihood limits by less than a thousandth of their width.

    Attributes
    ----------
    reward_low, reward_high
        declared bounds of the reward.
    keys
        uint64[cells], ascending: the hash of a distinct row, or the place of a cell.
    sums
        float64[5, cells], of ``COLUMNS`` over the rows of each cell.
    exact
        whether every cell holds one distinct row.
    """

    reward_low: float
    reward_high: float
    keys: UIntArray = field(default_factory=lambda: np.zeros(0, np.uint64))
    sums: FloatArray = field(default_factory=lambda: np.zeros((len(COLUMNS), 0)))
    exact: bool = True

    def add(self, block: Block, terms: Terms) -> None:
        """Add the decisions of a block, with the policy's terms for them."""
        w = np.ones(block.arrays.n) if terms.w is None else terms.w
        self.add_rows(w, terms.unsupported, terms.r)

    def add_rows(self, w: FloatArray, missing: FloatArray | None, r: FloatArray) -> None:
        """Add rows: weight, mass without support (None for none) and reward, float64[n] each."""
        if not len(w):
            return
        coverage = w if missing is None else w + missing
        rows = (None, coverage, missing, r, w * r)
        if self.exact:
            hashes = _hashes(coverage, missing, r)
            if self._add_known(hashes, rows):
                return
            keys, sums = _grouped(hashes, rows)
            if len(keys) <= MOST_EXACT:
                self._merge(keys, sums, exact=True)
                return
        keys, sums = _grouped(self._cells(coverage, missing, r), rows)
        self._merge(keys, sums, exact=False)

    def _add_known(self, keys: UIntArray, rows: Rows) -> bool:
        """Add rows without sorting them, if each is like one that there was."""
        if not len(self.keys):
            return False
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        if not np.array_equal(self.keys[place], keys):
            return False
        self.sums = self.sums + _sums(place, rows, len(self.keys))
        return True

    def __add__(self, other: Self) -> Self:
        if (self.reward_low, self.reward_high) != (other.reward_low, other.reward_high):
            raise ValueError("histograms of rewards with different bounds do not add up")
        total = self.from_state(self.state())
        total._merge(other.keys, other.sums, exact=other.exact)
        return total

    def _merge(self, keys: UIntArray, sums: FloatArray, *, exact: bool) -> None:
        if exact and not self.exact:
            keys, exact = self._cells_of(sums), False
        elif self.exact and not exact:
            self.keys, self.exact = self._cells_of(self.sums), False
        self.keys, self.sums = _regrouped(
            np.concatenate([self.keys, keys]), np.concatenate([self.sums, sums], axis=1)
        )
        if self.exact and len(self.keys) > MOST_EXACT:
            self.keys, self.sums = _regrouped(self._cells_of(self.sums), self.sums)
            self.exact = False

    def _cells_of(self, sums: FloatArray) -> UIntArray:
        """Places of distinct rows, from their sums."""
        rows = sums[0]
        return self._cells(sums[1] / rows, sums[2] / rows, sums[3] / rows)

    def _cells(self, coverage: FloatArray, missing: FloatArray | None, r: FloatArray) -> UIntArray:
        # What a sum of equal numbers is off by must not move a row over an edge.
        edge = 1e-9
        span = self.reward_high - self.reward_low
        power = np.log2(np.maximum(coverage, 2.0 ** (LOWEST_POWER - 1)))
        weight = np.floor(np.clip(power, LOWEST_POWER - 1, HIGHEST_POWER) * PER_OCTAVE + edge)
        weight = np.where(coverage > 0.0, weight - (LOWEST_POWER - 1) * PER_OCTAVE + 1.0, 0.0)
        reward = _bins((r - self.reward_low) / span, REWARD_BINS, edge)
        place = weight.astype(np.int64) * (REWARD_BINS + 2) + reward
        if missing is not None:
            place += _bins(missing, MASS_BINS, edge) * FULL_SUPPORT
        return place.astype(np.uint64)

    @property
    def rows(self) -> FloatArray:
        """float64[cells], rows in each cell."""
        return np.asarray(self.sums[0])

    def mean(self, combination: Combination) -> FloatArray:
        """float64[cells], mean of a combination of ``COLUMNS`` in each cell."""
        total = np.zeros(self.sums.shape[1])
        for name, factor in combination.items():
            total += factor * self.sums[COLUMNS.index(name)]
        return np.asarray(total / self.rows)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All that the histogram holds."""
        return {
            "bounds": np.array([self.reward_low, self.reward_high]),
            "keys": self.keys,
            "sums": self.sums,
            "exact": np.array(self.exact),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The histogram that gave this state."""
        low, high = state["bounds"].tolist()
        return cls(low, high, state["keys"], state["sums"], bool(state["exact"]))


def _bins(share: FloatArray, bins: int, edge: float) -> IntArray:
    """0 for a share of 0, ``bins`` + 1 for a share of 1, and equal bins between."""
    place = np.floor(np.clip(share, 0.0, 1.0) * bins + edge).astype(np.int64)
    place = np.minimum(place, bins - 1) + 1
    place[share <= edge] = 0
    place[share >= 1.0 - edge] = bins + 1
    return place


def _hashes(*columns: FloatArray | None) -> UIntArray:
    """uint64[n], the same for rows that are the same; None stands for zeros."""
    total = np.zeros(1, np.uint64)
    for column in columns:
        # Adding 0 makes one zero of the two.
        bits = np.zeros(1, np.uint64) if column is None else (column + 0.0).view(np.uint64)
        total = (total ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(32)
    return total


def _grouped(keys: UIntArray, rows: Rows) -> tuple[UIntArray, FloatArray]:
    """Distinct keys, and the sums of rows by key."""
    if len(keys) > FULL_SUPPORT // 8 and int(keys.max()) < FULL_SUPPORT:
        # Few enough cells to do without sorting.
        sums = _sums(keys.astype(np.int64), rows, FULL_SUPPORT)
        used = np.flatnonzero(sums[0])
        return used.astype(np.uint64), sums[:, used]
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, _sums(place, rows, len(distinct))


def _sums(place: IntArray, rows: Rows, size: int) -> FloatArray:
    """float64[columns, size], sums by place."""
    sums = np.zeros((len(rows), size))
    sums[0] = np.bincount(place, minlength=size)
    for row, values in enumerate(rows):
        if values is not None:
            sums[row] = np.bincount(place, values, size)
    return sums


def _regrouped(keys: UIntArray, sums: FloatArray) -> tuple[UIntArray, FloatArray]:
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, np.stack([np.bincount(place, each, len(distinct)) for each in sums])
