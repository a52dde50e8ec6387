"""Sums of money to whole minor units: each rounded once, half to even, without error of floats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from authopt.batch import FloatArray, IntArray

_NEAR_A_TIE = 1e-12
"""Far more than the error of a few float64 products, relative to the result (and to 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """One exact factor per row, few of them distinct.

    Attributes
    ----------
    index
        int64[rows], which factor a row has.
    exact
        the distinct factors; None where there is none (no price, no rate).
    """

    index: IntArray
    exact: tuple[Fraction | None, ...]

    @property
    def known(self) -> FloatArray:
        """float64[rows], NaN where there is no factor."""
        table = np.array([np.nan if each is None else float(each) for each in self.exact])
        return np.asarray(table[self.index], np.float64)

    def times(self, factor: Fraction) -> Factors:
        """Every factor multiplied by the same number."""
        return Factors(
            self.index, tuple(None if each is None else each * factor for each in self.exact)
        )

    def take(self, rows: IntArray) -> Factors:
        """Those of some rows."""
        return Factors(self.index[rows], self.exact)


def product(one: Factors, other: Factors) -> Factors:
    """The factors of both, multiplied row by row."""
    width = len(other.exact)
    pairs, index = np.unique(one.index * width + other.index, return_inverse=True)
    exact: list[Fraction | None] = []
    for pair in pairs.tolist():
        left, right = one.exact[pair // width], other.exact[pair % width]
        exact.append(None if left is None or right is None else left * right)
    return Factors(index.astype(np.int64), tuple(exact))


def whole_sum(parts: Sequence[tuple[FloatArray, Factors]]) -> FloatArray:
    """The sum of quantities times factors, rounded once, half to even.

    Computed in float64; rows whose sum is too near to a half to tell are computed again with
    fractions, so that the result is the exact one for quantities that are exact.

    Parameters
    ----------
    parts
        float64[rows] and its factors, one or more.

    Returns
    -------
    float64[rows]
        whole numbers; NaN where a quantity or a factor is missing.
    """
    total = np.zeros(len(parts[0][0]))
    size = np.ones(len(total))
    for quantity, factors in parts:
        part = quantity * factors.known
        total += part
        size += np.abs(part)
    distance = np.abs(np.abs(total - np.floor(total)) - 0.5)
    rounded = np.round(total) + 0.0
    ties = np.flatnonzero(distance <= _NEAR_A_TIE * size)
    seen: dict[tuple[float | int, ...], float] = {}
    columns = [column[ties].tolist() for each in parts for column in (each[0], each[1].index)]
    for row, key in zip(ties.tolist(), zip(*columns, strict=True), strict=True):
        if key not in seen:
            exact = Fraction(0)
            for place, (_, factors) in enumerate(parts):
                factor = factors.exact[int(key[2 * place + 1])]
                assert factor is not None
                exact += Fraction(key[2 * place]) * factor
            seen[key] = float(round(exact))
        rounded[row] = seen[key]
    return np.asarray(rounded, np.float64)
