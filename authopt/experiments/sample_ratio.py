"""Whether units came to arms in the shares that were planned: if not, nothing can be compared.

Mismatches come from lost records, redirects, or arms that drop units (Fabijan et al., 'Diagnosing
sample ratio mismatch in online controlled experiments', KDD 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, gammaln

from authopt.batch import FloatArray

CONCENTRATION = 10_000.0
"""Of the prior about the planned shares: mismatches of about 1 point are the soonest found."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """What the numbers of units say of the split.

    Attributes
    ----------
    units
        int64[arms] as numbers.
    shares
        planned.
    p_value
        sequential: whatever the number of looks, it is ever below ``alpha`` with at most that
        probability if the split is as planned.
    chi_square_p_value
        of the usual test, valid for one look at a number of units fixed beforehand.
    """

    units: tuple[int, ...]
    shares: tuple[float, ...]
    p_value: float
    chi_square_p_value: float

    def mismatch(self, alpha: float = 0.001) -> bool:
        """Whether the split is not as planned; rarely wrong, as all else hangs on it."""
        return self.p_value < alpha


def sample_ratio(units: Sequence[int], shares: Sequence[float]) -> SampleRatio:
    """Test the numbers of units of the arms against the planned shares.

    Sequential: the Bayes factor of a Dirichlet prior about the shares against the shares themselves
    is a martingale, and 1 / it a p-value for all times (Lindon & Malek, 'Anytime-valid inference
    for multinomial count data', NeurIPS 2022, section 3). Fixed: Pearson's chi-square test.

    Parameters
    ----------
    units
        of each arm; a unit counts once.
    shares
        above 0, with a sum of 1.
    """
    counts, planned = np.array(units, np.float64), np.array(shares, np.float64)
    # Never above 1, where the factor speaks for the plan.
    p_value = min(1.0, exp(-min(log_bayes_factor(counts, planned).item(), 700.0)))
    return SampleRatio(tuple(units), tuple(shares), p_value, _chi_square(counts, planned))


def log_bayes_factor(counts: npt.NDArray[np.floating], shares: FloatArray) -> FloatArray:
    """Of a split that is not as planned against one that is.

    Parameters
    ----------
    counts
        float64[..., arms].
    shares
        float64[arms].

    Returns
    -------
    float64[...]
    """
    prior = CONCENTRATION * shares
    n = counts.sum(axis=-1)
    other = gammaln(CONCENTRATION) - gammaln(CONCENTRATION + n)
    other = other + (gammaln(prior + counts) - gammaln(prior)).sum(axis=-1)
    return np.asarray(other - counts @ np.log(shares))


def _chi_square(counts: FloatArray, shares: FloatArray) -> float:
    expected = counts.sum() * shares
    if not expected.all():
        return 1.0
    return float(chdtrc(len(counts) - 1.0, (np.square(counts - expected) / expected).sum()))
