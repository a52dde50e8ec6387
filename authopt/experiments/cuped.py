"""CUPED: take away what the past foretold of a unit's value, so that fewer units decide.

Deng, Xu, Kohavi & Walker, 'Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data', WSDM 2013, section 3: with a covariate z from before the unit's arm could
matter, x - theta (z - E z) has the same difference between arms as x, and the variance of x times
1 - correlation^2. Here theta comes from units that came earlier (of the pre-period, or of the
experiment so far), pooled over arms, so that the limits that hold at every look still hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np

from authopt.batch import FloatArray
from authopt.experiments.arm_tally import REST, REST_SQUARES, SQUARES, UNITS, VALUE, ArmTally

RIDGE = 1.0
"""Units' worth of evidence that a covariate says nothing, per standard deviation."""

FIRST_UPDATE = 100
"""Units until the first ones are learnt from, and at least between updates."""


class SavedCuped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A :class:`Cuped` as JSON holds it."""

    start: float
    products: list[list[float]]
    used: list[list[float]]


@dataclass(slots=True, eq=False)
class Cuped:
    """Least squares of values on covariates, learnt as units come.

    What foretells is brought up to date at numbers of units that are fixed beforehand, a tenth
    apart; so predictions are the same (to rounding) whatever batches units come in.

    Attributes
    ----------
    start
        prediction while there is nothing to foretell by.
    products
        float64[d + 2, d + 2], sums of products of (1, the d covariates, value) over all units.
    used
        the same over the units that predictions are by.
    """

    start: float
    products: FloatArray
    used: FloatArray

    @classmethod
    def of(cls, covariates: int, start: float) -> Self:
        """Nothing learnt yet."""
        shape = (covariates + 2, covariates + 2)
        return cls(start, np.zeros(shape), np.zeros(shape))

    def foretell(self, covariates: FloatArray, value: FloatArray) -> FloatArray:
        """Predict the values of units, each by those well before it, and then learn from them.

        Parameters
        ----------
        covariates
            float64[n, d]; NaN where one is not known.
        value
            float64[n].

        Returns
        -------
        float64[n]
        """
        parts, place = [np.zeros(0)], 0
        while place < len(value):
            some = slice(place, min(place + self._until_update(), len(value)))
            filled = self._filled(covariates[some])
            parts.append(self._predict(filled))
            rows = np.column_stack([np.ones(len(filled)), filled, value[some]])
            self.products += rows.T @ rows
            place = some.stop
            if not self._until_update():
                self.used = self.products.copy()
        return np.concatenate(parts)

    def _until_update(self) -> int:
        """Units until predictions are by all units so far."""
        used = int(self.used[0, 0])
        return max(used + FIRST_UPDATE, used * 11 // 10) - int(self.products[0, 0])

    def _predict(self, filled: FloatArray) -> FloatArray:
        n = self.used[0, 0]
        if not n:
            return np.full(len(filled), self.start)
        means = self.used[0, 1:] / n
        centred = self.used[1:, 1:] / n - np.outer(means, means)
        inner = centred[:-1, :-1]
        # A covariate that never varied has a slope of 0, whatever rounding left of it.
        penalty = RIDGE * np.diag(inner) / n + 1e-9 * (1.0 + np.square(means[:-1]))
        slopes = np.linalg.solve(inner + np.diag(penalty), centred[:-1, -1])
        return np.asarray(means[-1] + (filled - means[:-1]) @ slopes)

    def _filled(self, covariates: FloatArray) -> FloatArray:
        """With the means of the units that predictions are by in place of what is missing."""
        n = self.used[0, 0]
        means = self.used[0, 1:-1] / n if n else np.zeros(covariates.shape[1])
        return np.where(np.isnan(covariates), means, covariates)

    def saved(self) -> SavedCuped:
        """All that it takes to go on."""
        return SavedCuped(self.start, self.products.tolist(), self.used.tolist())

    @classmethod
    def restored(cls, saved: SavedCuped) -> Self:
        """What was saved."""
        return cls(saved.start, *(np.array(each) for each in (saved.products, saved.used)))


def variance_reduction(tally: ArmTally) -> float | None:
    """Part of the variance within arms that predictions took away; below 0 if they added to it.

    As many units as 1 less this part decide. None where that is not known.
    """
    plain = _within(tally, VALUE, SQUARES)
    return 1.0 - _within(tally, REST, REST_SQUARES) / plain if plain > 0.0 else None


def _within(tally: ArmTally, total: int, squares: int) -> float:
    seen = tally.moments[tally.moments[:, UNITS] > 0.0]
    return float((seen[:, squares] - np.square(seen[:, total]) / seen[:, UNITS]).sum())
