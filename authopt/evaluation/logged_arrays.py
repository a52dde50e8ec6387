"""What was logged, as arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoggedArrays:
    """n logged decisions with m eligible actions, as arrays alone.

    Attributes
    ----------
    offsets
        int64[n + 1], the slice of the arrays of length m that is each decision's.
    chosen
        int64[n], position of the logged action among its decision's actions.
    reward
        float64[n], finite.
    propensity
        float64[n] in (0, 1], of the logged action.
    probability
        float64[m], of every eligible action under the logging policy, or None.
    q
        float64[m], predicted reward of every eligible action, or None.
    embedding
        by name of an action feature: integers[m], a code that actions share which are alike in it.
    """

    offsets: IntArray
    chosen: IntArray
    reward: FloatArray
    propensity: FloatArray
    probability: FloatArray | None = None
    q: FloatArray | None = None
    embedding: Mapping[str, npt.NDArray[np.integer]] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def n(self) -> int:
        """Number of decisions."""
        return len(self.chosen)

    @property
    def chosen_action(self) -> IntArray:
        """int64[n], index of the logged action in the arrays of length m."""
        return self.offsets[:-1] + self.chosen

    def like_chosen(self, codes: npt.NDArray[np.integer]) -> FloatArray:
        """float64[m], 1 for actions with the code (integers[m]) of the logged action, else 0."""
        taken, width = codes[self.chosen_action], self._width(len(codes))
        if width:
            alike = (codes.reshape(self.n, width) == taken[:, None]).ravel()
        else:
            alike = codes == np.repeat(taken, np.diff(self.offsets))
        return np.asarray(alike, np.float64)

    def sum_by_decision(self, values: FloatArray, times: FloatArray | None = None) -> FloatArray:
        """float64[n], sums of ``values`` (float64[m]), each multiplied by ``times`` if given."""
        n, width = self.n, self._width(len(values))
        if not n:
            return np.zeros(0)
        if width:
            table = values.reshape(n, width)
            if times is None:
                return np.asarray(np.einsum("nk->n", table))
            return np.asarray(np.einsum("nk,nk->n", table, times.reshape(n, width)))
        product = values if times is None else values * times
        return np.asarray(np.bincount(self.decision_of_action, product, n), np.float64)

    @property
    def decision_of_action(self) -> IntArray:
        """int64[m], the decision that each action belongs to."""
        if "decision" not in self._known:
            self._known["decision"] = np.repeat(np.arange(self.n), np.diff(self.offsets))
        return np.asarray(self._known["decision"])

    @property
    def largest_weight(self) -> FloatArray:
        """float64[n], largest weight that any action of each decision could have had."""
        if "largest" not in self._known:
            self._known["largest"] = self._largest_weight()
        return np.asarray(self._known["largest"])

    def _largest_weight(self) -> FloatArray:
        if self.probability is None or not self.n:
            return np.full(self.n, np.inf)
        possible = np.where(self.probability > 0.0, self.probability, 1.0)
        # The logged action was taken, whatever the log says of its probability.
        possible[self.chosen_action] = self.propensity
        return np.asarray(1.0 / np.minimum.reduceat(possible, self.offsets[:-1]))

    def _width(self, m: int) -> int:
        """Number of actions where all decisions have equally many; 0 where they do not."""
        if "width" not in self._known:
            width = int(self.offsets[1]) if self.n else 0
            same = self.n * width == m and bool((np.diff(self.offsets) == width).all())
            self._known["width"] = width if same else 0
        return int(self._known["width"])
