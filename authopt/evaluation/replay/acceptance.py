"""With what chance a replay accepts a logged row: c times the row's importance weight.

A row whose action the logging policy took with probability p, and the learner would have taken
with probability pi, is accepted with probability c * pi / p. As long as that is at most 1 for every
row and every action, a row is accepted with probability c whatever its context, and accepted rows
have contexts as they come and actions as the learner draws them: what the learner sees is what it
would have seen live (Li, Chu, Langford & Wang, WSDM 2011, theorem 1, for uniform logging and
c = 1 / K; Dudík, Erhan, Langford & Li, UAI 2012, for any known propensities).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.sampling import uniforms

TOLERANCE = 1e-9
"""How far above the declared bound rounding may lift a weight."""

START_ROWS = 100
"""Rows whose logging probabilities the first multiplier is taken from, where none is declared."""

LEAST_BETWEEN = 64
"""Rows after which the multiplier is set anew, and an eighth of all rows so far, if that is more.

It may change at any row as long as it does not depend on that row: a row is then still accepted
with the same probability whatever its context.
"""

_STEP = 0.01
_BINS = 1400
"""Ratios p / pi from 8e-7 to 1 in bins 1% wide; the last holds all from 1 on."""


def acceptance_uniforms(decision_id: pa.StringArray, seed: int, repetition: int) -> FloatArray:
    """float64[n] in [0, 1): a row is accepted where this is below its chance.

    Fixed by the decision id, so that a replay can be repeated exactly.
    """
    return uniforms(decision_id, f"replay:{seed}:{repetition}")


def excess(log: LoggedArrays, probabilities: FloatArray, w: FloatArray, c: float) -> FloatArray:
    """float64[n]: mass of the learner's actions that rejection cannot bring out in full.

    Over the actions of a decision, the sum of max(0, pi - p / c): 0 where c * pi / p is at most 1
    everywhere. The distribution of accepted rows is within the mean of this, in total variation,
    of the distribution that the learner would have met. Where the log has the probability of the
    taken action alone, max(0, w - 1 / c), which has the same expectation.
    """
    if log.probability is None:
        return np.maximum(w - 1.0 / c, 0.0)
    return log.sum_by_decision(np.maximum(probabilities - log.probability / c, 0.0))


def first_multiplier(batch: LoggedBatch) -> float:
    """The smallest logging probability of the first rows: a cautious start.

    Without the probabilities of all actions, those that were not taken share what is left.
    """
    some = batch.take(slice(0, START_ROWS))
    if some.probability is not None and not np.isnan(some.probability).any():
        known = some.probability
    else:
        others = np.maximum(some.counts - 1, 1)
        known = np.concatenate([some.propensity, (1.0 - some.propensity) / others])
    return float(min(1.0, known[known > 1e-6].min(initial=1.0)))


@dataclass(slots=True, eq=False)
class AcceptanceRule:
    """The multiplier c, either fixed and exact or following the ratios seen so far.

    Attributes
    ----------
    multiplier
        c in (0, 1].
    quantile
        share of the rows with a positive weight whose chance c * pi / p may be cut at 1; None for a
        fixed multiplier, where a chance above 1 is an error.
    """

    multiplier: float
    quantile: float | None = None
    until_renewal: float = field(init=False)
    _seen: int = 0
    _counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS + 1, np.int64))

    def __post_init__(self) -> None:
        self.until_renewal = np.inf if self.quantile is None else LEAST_BETWEEN

    def chances(self, w: FloatArray) -> FloatArray:
        """float64[n] in [0, 1], the chance of each row to be accepted."""
        return np.minimum(self.multiplier * w, 1.0)

    def see(self, w: FloatArray) -> None:
        """Take note of the weights of rows that were decided on, at most ``until_renewal``."""
        if self.quantile is None:
            largest = float(w.max(initial=0.0))
            if largest * self.multiplier > 1.0 + TOLERANCE:
                raise UserError(
                    f"a row has importance weight {largest:.6g}, above the largest one that was "
                    f"declared possible ({1.0 / self.multiplier:.6g}), so the replay would not be "
                    "exact. Declare the true bound, or let the replay follow a quantile of the "
                    "weights (its bias is reported)"
                )
            return
        ratio = 1.0 / w[w > 0.0]
        place = np.floor(np.log(np.minimum(ratio, 1.0)) / _STEP + TOLERANCE) + _BINS
        self._counts += np.bincount(np.maximum(place, 0).astype(np.int64), minlength=_BINS + 1)
        self._seen += len(w)
        self.until_renewal -= len(w)
        if self.until_renewal <= 0:
            self.renew()

    def renew(self) -> None:
        """Set the multiplier to the quantile of the ratios p / pi seen so far, at most 1.

        The lower edge of the quantile's bin: up to 1% less than the quantile itself.
        """
        if self.quantile is None:
            return
        self.until_renewal = max(LEAST_BETWEEN, self._seen // 8)
        if not self._counts.any():
            return
        below = np.cumsum(self._counts)
        place = int(np.searchsorted(below, self.quantile * below[-1], side="right"))
        self.multiplier = float(np.exp((min(place, _BINS) - _BINS) * _STEP))
