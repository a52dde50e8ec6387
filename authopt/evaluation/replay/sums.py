"""What a replay adds up: a few sums over rows, and the same by how much the learner had learnt."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from authopt.batch import FloatArray, IntArray

CURVE_POINTS = 10
"""A learning curve has up to twice as many points."""

BASES: FloatArray = np.exp2(np.arange(-4, 21), dtype=np.float64)
"""What is added to an outcome before its logarithm is taken (see ``replay_limits``)."""


@dataclass(slots=True, eq=False)
class RatioSums:
    """Sums of products of numerator y, denominator z, reward r and 1, row by row.

    The estimate is sum(y) / sum(z); the products give its variance and that of its difference to
    the mean reward.
    """

    products: FloatArray = field(default_factory=lambda: np.zeros((4, 4)))

    def add(self, y: FloatArray, z: FloatArray, reward: FloatArray) -> None:
        """Add rows: float64[n] each."""
        columns = np.stack([y, z, reward, np.ones(len(y))])
        self.products += columns @ columns.T

    @property
    def rows(self) -> float:
        """Number of rows."""
        return float(self.products[3, 3])

    @property
    def weight(self) -> float:
        """Sum of the denominator."""
        return float(self.products[1, 3])

    @property
    def value(self) -> float | None:
        """The ratio; None where nothing was accepted."""
        return float(self.products[0, 3] / self.weight) if self.weight > 0.0 else None

    @property
    def effective(self) -> float:
        """Effective number of rows: (sum z)^2 / sum z^2 (Kish 1965)."""
        squares = float(self.products[1, 1])
        return self.weight**2 / squares if squares > 0.0 else 0.0

    @property
    def mean_reward(self) -> float:
        """Mean logged reward."""
        return float(self.products[2, 3] / self.rows)

    def variance(self, *, gain: bool) -> float:
        """Of the ratio, or of the ratio less the mean reward: the sum of squared influences."""
        value = self.value
        assert value is not None
        influence = np.array([1.0, -value, 0.0, 0.0]) / self.weight
        if gain:
            influence += np.array([0.0, 0.0, -1.0, self.mean_reward]) / self.rows
        return max(float(influence @ self.products @ influence), 0.0)


@dataclass(slots=True, eq=False)
class CapitalSums:
    """For every base B: the sum of log(1 + x / B), for the lower and for the upper limit.

    Attributes
    ----------
    bases
        float64[J], above 0.
    lower, upper
        float64[J], sums over rows of outcomes counted from the lower, and down from the upper end
        of the rewards, in units of their range.
    rows
        number of rows.
    """

    bases: FloatArray
    lower: FloatArray = field(init=False)
    upper: FloatArray = field(init=False)
    rows: float = 0.0

    def __post_init__(self) -> None:
        self.lower = np.zeros(len(self.bases))
        self.upper = np.zeros(len(self.bases))

    def add(self, worst: FloatArray, best: FloatArray) -> None:
        """Add rows: float64[n] in units of the range of rewards.

        Parameters
        ----------
        worst
            outcomes, 0 at the smallest reward, with what the log cannot know at its worst.
        best
            the same at its best.
        """
        for place, base in enumerate(self.bases):
            self.lower[place] += np.log1p(worst / base).sum()
            self.upper[place] += np.log1p((1.0 - best) / base).sum()
        self.rows += len(worst)

    def averaged(self, repetitions: int) -> CapitalSums:
        """The mean over repetitions on the same log, of sums that hold all of them.

        The geometric mean of martingales is at most their mean, so limits from it hold as well.
        """
        mean = CapitalSums(self.bases)
        mean.lower, mean.upper = self.lower / repetitions, self.upper / repetitions
        mean.rows = self.rows / repetitions
        return mean


@dataclass(slots=True, eq=False)
class CurveSums:
    """Sums of rows, y, z, yy, yz, zz by number of rows accepted before.

    Stretches of ``size`` accepted rows; when there are too many, neighbours are put together, so
    memory does not grow with the log.
    """

    size: int = 1
    sums: FloatArray = field(default_factory=lambda: np.zeros((2 * CURVE_POINTS, 6)))

    def add(self, before: IntArray, y: FloatArray, z: FloatArray) -> None:
        """Add rows; ``before`` is int64[n], the rows that had been accepted before each."""
        while len(before) and int(before[-1]) >= self.size * len(self.sums):
            self._halve()
        place = before // self.size
        columns = (np.ones(len(y)), y, z, y * y, y * z, z * z)
        for column, values in enumerate(columns):
            self.sums[:, column] += np.bincount(place, values, len(self.sums))

    def in_stretches_of(self, size: int) -> CurveSums:
        """The same in longer stretches; ``size`` is a power of two times this one's."""
        copy = CurveSums(self.size, self.sums.copy())
        while copy.size < size:
            copy._halve()
        return copy

    def _halve(self) -> None:
        half = self.sums[0::2] + self.sums[1::2]
        self.sums = np.concatenate([half, np.zeros_like(half)])
        self.size *= 2
