"""Limits of the mean value of the policies that a learner went through.

Rows are not independent here: what the learner does at a row depends on the rows before. But given
all rows before, the expectation of a row's outcome x is the value mu of the policy that the learner
followed there, so the sum of x - mu is a martingale, and that is enough.

Betting. For any base B with B + x >= 0, the product over rows of (B + x) / (B + mu) is a
non-negative martingale that starts at 1, so (Ville 1939) it stays below 1 / alpha with probability
1 - alpha; that also holds for a weighted mean of such products over several bases. The logarithm is
concave, hence the sum of log(B + mu) over n rows is at most n times log(B + the mean of mu), and
every mean of mu for which the weighted mean of

    exp(sum of log(B + x) - n log(B + mean of mu))

exceeds 1 / alpha is ruled out. With a constant mu this is betting a fixed share 1 / (B + mu) of the
capital (Waudby-Smith & Ramdas, 'Estimating means of bounded random variables by betting', JRSS B
86, 2024, section 4); here mu may change from row to row in any way, as a learner's does, which
limits that rule out one value for all rows (module ``betting``) do not allow for. The upper limit
is the lower limit of 1 - x.

Normal. The martingale central limit theorem, with the sum of squared influences as the variance
(Hall & Heyde, 'Martingale Limit Theory and its Application', 1980, section 3.2). How much the
values differ from their mean is counted as noise, so a learner that improves has a wider interval.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from authopt.batch import FloatArray
from authopt.evaluation.intervals import Limits
from authopt.evaluation.replay.sums import CapitalSums, RatioSums

_COIN = 0.5
"""Standard deviation of a coin, the largest that an outcome between 0 and 1 can have."""

ROUNDING = 1e-7
"""A standard deviation below this, in units of the range, is rounding of what does not vary."""


def betting(
    sums: CapitalSums, planned: float | None, largest_weight: float, confidence: float
) -> Limits:
    """Limits in [0, 1] of the mean of mu; each is exceeded with at most half of the rest.

    Parameters
    ----------
    sums
        of the outcomes.
    planned
        number of rows as it could be foreseen without looking at outcomes, or None. The bases that
        are best for it weigh most; the limits hold whatever it is.
    largest_weight
        of the outcomes' importance weights, 1 where they have none; used in the same way.
    confidence
        nominal coverage.
    """
    if not sums.rows:
        return 0.0, 1.0
    against = float(np.log(2.0 / (1.0 - confidence)))
    prior = _prior(sums.bases, planned, largest_weight, against)
    lower = _ruled_out_below(sums, sums.lower, prior, against)
    upper = 1.0 - _ruled_out_below(sums, sums.upper, prior, against)
    return min(lower, upper), max(lower, upper)


def _prior(
    bases: FloatArray, planned: float | None, largest_weight: float, against: float
) -> FloatArray:
    """Logarithms of the weights of the bases, which sum to 1."""
    if planned is None:
        return np.full(len(bases), -np.log(len(bases)))
    # The best base for n outcomes of standard deviation s is s * sqrt(n / (2 * against)).
    deviation = _COIN * largest_weight**0.5
    best = deviation * (max(planned, 1.0) / (2.0 * against)) ** 0.5
    weight = 1.0 / (1.0 + np.abs(np.log2(bases / best))) ** 3
    return np.asarray(np.log(weight / weight.sum()))


def _ruled_out_below(
    sums: CapitalSums, total: FloatArray, prior: FloatArray, against: float
) -> float:
    """The largest mean for which, and below which, the capital exceeds what is against it."""

    def surplus(mean: float) -> float:
        logs = prior + total - sums.rows * np.log1p(mean / sums.bases)
        most = logs.max()
        return float(most + np.log(np.exp(logs - most).sum())) - against

    if surplus(0.0) <= 0.0:
        return 0.0
    if surplus(1.0) > 0.0:
        return 1.0
    return float(brentq(surplus, 0.0, 1.0, xtol=1e-13))


def normal(sums: RatioSums, confidence: float, *, gain: bool) -> Limits | None:
    """Limits of the ratio, or of the ratio less the mean reward; None where nothing varies."""
    value, freedom = sums.value, sums.effective - 1.0
    if value is None or freedom < 1.0:
        return None
    deviation = sums.variance(gain=gain) ** 0.5
    if deviation <= ROUNDING:
        return None
    centre = value - sums.mean_reward if gain else value
    half = float(stdtrit(freedom, 0.5 + confidence / 2)) * deviation
    return centre - half, centre + half
