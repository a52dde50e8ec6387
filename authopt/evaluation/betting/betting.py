"""Lower confidence limits by betting: what a gambler's wealth rules out.

Scores s of independent clusters of m rows, with E[s - theta m | past] <= 0 if theta is the true
value, and s >= -k m. A gambler who puts the fraction b of the wealth on each cluster multiplies it
by 1 + b (s - theta m) / ((theta + k) M), where no cluster has more than M rows. That is never
negative, and whatever the past was it is at most 1 on average. So the wealth is a supermartingale,
which ever exceeds 1 / alpha with a probability of at most alpha (Ville 1939), and all theta for
which it does are ruled out, at all times together: there is no penalty for looking at every row.
The logging policy may change with time and learn from the log, since nothing is used of it but
E[w | past] = 1; the value that is sought must stay the same.

Sources: Waudby-Smith & Ramdas, 'Estimating means of bounded random variables by betting', JRSS B
86, 2024, section 4; Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro, 'Anytime-valid off-policy
inference for contextual bandits', arXiv 2210.10768, section 2; Karampatziakis, Mineiro & Ramdas,
'Off-policy confidence sequences', ICML 2021.

The bets are fixed beforehand and the wealth is shared out among many of them. So the wealth at the
end is a sum of products over clusters, which does not depend on their order: counts of the scores
are all that it takes, and counts of parts of a log add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from authopt.batch import FloatArray
from authopt.evaluation.betting.score_tally import node_above

ROUNDING = 1e-9
"""Limits are found to this distance and moved outwards by it."""

CONTROLLED_SHARE = 0.25
"""Of the first wealth, on scores with a control variate, where there are any."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of clusters, with how often each occurs.

    Attributes
    ----------
    s
        float64[n], sums of a score over the rows of a cluster.
    m
        float64[n], numbers of rows.
    count
        float64[n].
    """

    s: FloatArray
    m: FloatArray
    count: FloatArray

    @classmethod
    def of(cls, s: FloatArray, count: FloatArray | None = None, m: float = 1.0) -> Scores:
        """Scores of clusters that all have ``m`` rows; each counts once by default."""
        return cls(s, np.full(len(s), m), np.ones(len(s)) if count is None else count)

    @classmethod
    def together(cls, parts: Iterable[Scores]) -> Scores:
        """All of them."""
        found = [(part.s, part.m, part.count) for part in parts]
        if not found:
            return cls.of(np.zeros(0))
        s, m, count = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return cls(s, m, count)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Clusters whose contexts allow weights of at most ``largest_weight``.

    Attributes
    ----------
    largest_weight
        of any action that could have been taken in these contexts; may be infinite.
    plain
        scores that cannot be negative.
    controlled
        for each of the control variates: scores of the same clusters less the variate, whose mean
        is 0; they vary less, but can be negative where weights are large.
    """

    largest_weight: float
    plain: Scores
    controlled: tuple[Scores, ...] = ()


@dataclass(frozen=True, slots=True)
class Variate:
    """What is known beforehand of scores with a control variate.

    Where weights are at most W, scores are at least -max(0, slope * W + shift) per row.
    """

    slope: float
    shift: float

    def need(self, weight: FloatArray) -> FloatArray:
        """How far below 0 scores can be, for each largest weight."""
        return (self.slope * weight + self.shift).clip(0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Bets:
    """Fixed bets: float64[bets] each.

    Attributes
    ----------
    fraction
        b, of the wealth, in (0, 1).
    share
        of the first wealth of 1 that is put on each bet.
    largest_weight
        up to which the bet's scores are controlled; above it they are plain.
    """

    fraction: FloatArray
    share: FloatArray
    largest_weight: FloatArray


def _shares(size: FloatArray) -> FloatArray:
    return np.asarray(size / size.sum())


HALVED = 0.9 * 0.5 ** np.arange(25.0)
"""Fractions: a factor of 2 apart, they lose little against the best one in between."""

PLAIN = Bets(
    HALVED,
    _shares(np.exp(-0.5 * ((np.arange(25.0) - 3.0) / 3.0) ** 2) + 0.005),
    np.zeros(25),
)
"""Most is put on what suits 100 to 100,000 rows."""


def _controlled(largest_weight: float | None) -> Bets:
    """Bets on controlled scores: for one weight that is declared, else for many that are not."""
    if largest_weight is not None:
        declared = np.full(16, max(1.0, largest_weight))
        return Bets(HALVED[:16], _shares(0.5 ** np.arange(16.0) + 0.02), declared)
    # A bet for weights up to W stakes 1 / W per unit of the score, so that W does what smaller
    # fractions do where the weight is known.
    power = np.arange(25.0)
    size = np.exp(-0.5 * ((power - 6.0) / 2.5) ** 2) + 0.01
    return Bets(np.full(25, HALVED[0]), _shares(size), 2.0**power)


def lower_limit(
    groups: Sequence[Group],
    variates: Sequence[Variate],
    alpha: float,
    low: float,
    high: float,
    *,
    largest_weight: float | None = None,
    longest: int = 1,
) -> float:
    """The least theta in [low, high] that is not ruled out.

    Parameters
    ----------
    groups
        what was observed.
    variates
        what is known of the controlled scores of every group, in the same order.
    alpha
        probability with which the limit may ever be above the true value, in (0, 1).
    low, high
        where theta can be; 0 <= low < high.
    largest_weight
        weight to reckon with, fixed beforehand; infinite for scores without control variates.
        Where contexts allow larger ones, plain scores are used, so that a value that is too small
        costs width and no coverage. None where none is known: bets are spread over many.
    longest
        most rows that a cluster can have, fixed beforehand.

    Returns
    -------
    float
        ``high`` if all of the range is ruled out.
    """
    # Imported here, as it takes a quarter of a second, and training judges without it.
    from scipy.optimize import brentq

    stakes = stakes_of(groups, variates, largest_weight)
    threshold = -float(np.log(alpha))

    def surplus(theta: float) -> float:
        return log_wealth(stakes, theta, longest) - threshold

    if surplus(max(low, ROUNDING)) < 0.0:
        return low
    if surplus(high) >= 0.0:
        return high
    found = brentq(surplus, max(low, ROUNDING), high, xtol=ROUNDING, rtol=1e-12)
    return max(low, float(found) - ROUNDING)


@dataclass(frozen=True, slots=True, eq=False)
class Stake:
    """Bets that see the same scores, all of them at least -k per row: float64[bets] each.

    Attributes
    ----------
    scores
        what the bets are on.
    k, fraction, log_share
        see the top of the module; ``log_share`` is the logarithm of :attr:`Bets.share`.
    """

    scores: Scores
    k: FloatArray
    fraction: FloatArray
    log_share: FloatArray

    def log_factors(self, theta: float, longest: int) -> FloatArray:
        """float64[bets, n], logarithms of what each score multiplies the wealth by."""
        times = self.fraction / ((theta + self.k) * longest)
        return np.log1p(np.outer(times, self.scores.s - theta * self.scores.m))


def log_wealth(stakes: Sequence[Stake], theta: float, longest: int = 1) -> float:
    """Logarithm of the wealth of a gambler who bets against ``theta``."""
    by_bet = [
        stake.log_factors(theta, longest) @ stake.scores.count + stake.log_share for stake in stakes
    ]
    return float(logsumexp(np.concatenate(by_bet)))


def stakes_of(
    groups: Sequence[Group], variates: Sequence[Variate], largest_weight: float | None
) -> list[Stake]:
    """Which scores each bet is on: controlled ones in contexts of small enough weights.

    Parameters as for :func:`lower_limit`.
    """
    controlled = 0.0 if not variates or largest_weight == np.inf else CONTROLLED_SHARE
    plain = Scores.together(group.plain for group in groups)
    none = np.zeros(len(PLAIN.fraction))
    stakes = [Stake(plain, none, PLAIN.fraction, np.log(PLAIN.share * (1.0 - controlled)))]
    if not controlled:
        return stakes
    bets = _controlled(largest_weight)
    # Bounds are powers of 2 to some fraction, and as such not exact.
    limits = bets.largest_weight * (1.0 + 1e-9)
    bounds = np.array([group.largest_weight for group in groups])
    reach = (bounds[:, None] <= limits).sum(axis=0)
    for place, variate in enumerate(variates):
        for number in np.unique(reach):
            same = reach == number
            limit = float(limits[same].max())
            scores = Scores.together(
                group.controlled[place] if group.largest_weight <= limit else group.plain
                for group in groups
            )
            share = bets.share[same] * (controlled / len(variates))
            # Scores are counted at the nodes around them, those of the largest weight too.
            k = node_above(variate.need(node_above(limits[same])))
            stakes.append(Stake(scores, k, bets.fraction[same], np.log(share)))
    return stakes
