"""The difference between two arms of an experiment, with limits that hold at every look.

Looks may be taken after every unit, and the experiment stopped for what they show: the probability
that the limits ever exclude the true difference is at most ``alpha``.

**Betting**, where values are bounded and units independent. Arms are drawn with known
probabilities p, so a unit's score (x - c) (1[arm = a] / p_a - 1[arm = b] / p_b) has the difference
of the arms' values as its mean, whatever c is, as long as c does not depend on the arm (with a
prediction in c that is the doubly robust score of Waudby-Smith, Wu, Ramdas, Karampatziakis &
Mineiro, 'Anytime-valid off-policy inference for contextual bandits', arXiv 2210.10768, section 2).
It is bounded, and its mean is bounded by bets (Waudby-Smith & Ramdas, 'Estimating means of bounded
random variables by betting', JRSS B 86, 2024; :mod:`authopt.evaluation.betting.betting`): exact for
every number of units.

**Asymptotic**, where values have no useful bounds or a unit's values come one by one: estimate
plus or minus its standard error times what a Brownian motion never crosses (Waudby-Smith, Arbour,
Sinha, Kennedy & Ramdas, 'Time-uniform central limit theory and asymptotic confidence sequences',
Annals of Statistics 52, 2024, theorem 2.2; boundary of Robbins 1970 as in Howard et al. 2021,
proposition 5). The standard error of a clustered value is that between buckets of units.

Values may drift as long as all arms drift alike. If the difference itself changes, limits are not
of its mean; still, arms that never differ are told apart with a probability of at most ``alpha``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf, log

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.betting.betting import Group, Scores, Stake, log_wealth, lower_limit
from authopt.evaluation.betting.score_tally import NODES
from authopt.experiments.arm_tally import (
    REST,
    UNITS,
    VALUE,
    ArmTally,
)
from authopt.experiments.bets import FRACTIONS, shares_of_wealth
from authopt.experiments.standard_errors import boundary, error_of_mean, standard_error

FEWEST = 100
"""Values of each arm below which asymptotic limits say nothing."""

ROUNDING = 1e-9

Limits = tuple[float | None, float | None]
"""None where there is no limit, as values have no bounds."""


class Method(StrEnum):
    """How limits were made."""

    BETTING = "betting"
    ASYMPTOTIC = "asymptotic"


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm's value per unit less that of another.

    Attributes
    ----------
    arm, against
        names.
    estimate
        None while one of them has no unit.
    lower, upper
        limits for all times together; None where there is none.
    confidence
        that the true difference is never outside them.
    standard_error
        of the estimate; None while it is not known.
    method
        that the limits are by.
    """

    arm: str
    against: str
    estimate: float | None
    lower: float | None
    upper: float | None
    confidence: float
    standard_error: float | None
    method: Method

    @property
    def better(self) -> bool:
        """Whether the first arm has the larger value, by the limits."""
        return self.lower is not None and self.lower > 0.0

    @property
    def worse(self) -> bool:
        """Whether the first arm has the smaller value, by the limits."""
        return self.upper is not None and self.upper < 0.0


@dataclass(frozen=True, slots=True)
class ArmValue:
    """The value per unit of one arm; limits as in :class:`Difference`.

    Attributes
    ----------
    arm
        name.
    units
        number of values.
    mean
        None without any.
    lower, upper
        limits for all times together; None where there is none.
    """

    arm: str
    units: int
    mean: float | None
    lower: float | None
    upper: float | None


def difference(
    tally: ArmTally, arm: str, against: str | None = None, alpha: float = 0.05
) -> Difference:
    """Compare two arms.

    Parameters
    ----------
    tally
        of the experiment's units.
    arm, against
        names; the second is by default the first arm.
    alpha
        probability with which the limits may ever exclude the true difference; in (0, 1). Where
        several arms are compared with one, divide it by their number (:func:`differences`).

    Raises
    ------
    UserError
        If there is no such arm.
    """
    against = tally.arms[0] if against is None else against
    a, b = tally.place(arm), tally.place(against)
    moments = tally.moments
    estimate = None
    if moments[a, UNITS] and moments[b, UNITS]:
        estimate = float(
            moments[a, REST] / moments[a, UNITS] - moments[b, REST] / moments[b, UNITS]
        )
    error = standard_error(tally, a, b)
    lower, upper = (
        _betting(tally, a, b, alpha) if tally.exact else _asymptotic(tally, a, b, error, alpha)
    )
    method = Method.BETTING if tally.exact else Method.ASYMPTOTIC
    return Difference(arm, against, estimate, lower, upper, 1.0 - alpha, error, method)


def differences(tally: ArmTally, alpha: float = 0.05) -> list[Difference]:
    """All other arms against the first one; ``alpha`` is for all of them together (Bonferroni)."""
    others = tally.arms[1:]
    return [difference(tally, arm, alpha=alpha / len(others)) for arm in others]


def arm_value(tally: ArmTally, arm: str, alpha: float = 0.05) -> ArmValue:
    """One arm's value per unit, with limits that it is ever outside of at most with ``alpha``.

    Predictions are not used for it; with them, limits are asymptotic.
    """
    place = tally.place(arm)
    units = int(tally.moments[place, UNITS])
    if not units:
        return ArmValue(arm, 0, None, *(tally.bounds or (None, None)))
    mean = float(tally.moments[place, VALUE] / units)
    if tally.exact and not tally.predicted and tally.bounds is not None:
        low, high = tally.bounds
        below, above = _mean_limits(_values(tally, place), alpha)
        return ArmValue(arm, units, mean, low + (high - low) * below, low + (high - low) * above)
    error = error_of_mean(tally, place)
    low, high = tally.bounds or (-inf, inf)
    if error is None or units < FEWEST:
        return ArmValue(arm, units, mean, *(tally.bounds or (None, None)))
    half = error * boundary(units, tally.expected_units * tally.shares[place], alpha)
    return ArmValue(arm, units, mean, max(low, mean - half), min(high, mean + half))


def _asymptotic(tally: ArmTally, a: int, b: int, error: float | None, alpha: float) -> Limits:
    units = tally.moments[[a, b], UNITS]
    span = None if tally.bounds is None else tally.bounds[1] - tally.bounds[0]
    if error is None or units.min() < FEWEST:
        return (None, None) if span is None else (-span, span)
    rest = tally.moments[[a, b], REST] / units
    estimate = float(rest[0] - rest[1])
    half = error * boundary(float(units.sum()), tally.expected_units, alpha)
    if span is None:
        return estimate - half, estimate + half
    return max(estimate - half, -span), min(estimate + half, span)


def _values(tally: ArmTally, arm: int) -> Scores:
    """An arm's values less predictions, scaled, as they were counted."""
    return Scores.together(
        Scores.of(NODES[node := np.flatnonzero(counts)], counts[node])
        for key, counts in tally.counts.counts.items()
        if key % len(tally.arms) == arm
    )


def pair_scores(tally: ArmTally, a: int, b: int) -> tuple[Scores, float, float]:
    """Scores whose mean is one arm's value less the other's, scaled.

    Returns
    -------
    Scores
    float
        part of the two arms' units that are in the first of them.
    float
        how far below 0 a score can be.
    """
    share = tally.shares[a] / (tally.shares[a] + tally.shares[b])
    parts = []
    for arm, times in ((a, 1.0 / share), (b, -1.0 / (1.0 - share))):
        counts = tally.counts.counts.get(len(tally.arms) + arm)
        if counts is not None and tally.centre is not None:
            node = np.flatnonzero(counts)
            parts.append(Scores.of((NODES[node] - tally.centre) * times, counts[node]))
    span = 2.0 if tally.predicted else 1.0
    return Scores.together(parts), share, span * max(1.0 / share, 1.0 / (1.0 - share))


def stake_of(scores: Scores, share: float, most: float, expected_units: int, alpha: float) -> Stake:
    """Bets on scores; see :func:`pair_scores` and :func:`shares_of_wealth`."""
    wealth = shares_of_wealth(expected_units, share, most, alpha)
    return Stake(scores, np.full(len(FRACTIONS), most), FRACTIONS, np.log(wealth))


def _betting(tally: ArmTally, a: int, b: int, alpha: float) -> Limits:
    assert tally.bounds is not None
    span = tally.bounds[1] - tally.bounds[0]
    lower, upper = (
        _lower(*pair_scores(tally, *pair), tally.expected_units, alpha / 2.0)
        for pair in ((a, b), (b, a))
    )
    if lower + upper > 0.0:
        return -span, span
    return span * lower, -span * upper


def _lower(scores: Scores, share: float, most: float, expected_units: int, alpha: float) -> float:
    """The least difference in [-1, 1] that is not ruled out."""
    # Imported here, as it takes a quarter of a second, and a service counts without it.
    from scipy.optimize import brentq

    stakes = [stake_of(scores, share, most, expected_units, alpha)]
    threshold = -log(alpha)

    def surplus(theta: float) -> float:
        return log_wealth(stakes, theta) - threshold

    if not len(scores.s) or surplus(-1.0) < 0.0:
        return -1.0
    if surplus(1.0) >= 0.0:
        return 1.0
    found = brentq(surplus, -1.0, 1.0, xtol=ROUNDING, rtol=1e-12)
    return max(-1.0, float(found) - ROUNDING)


def _mean_limits(scores: Scores, alpha: float) -> tuple[float, float]:
    def limit(s: FloatArray) -> float:
        group = Group(np.inf, Scores(s, scores.m, scores.count))
        return lower_limit([group], (), alpha / 2.0, 0.0, 1.0, largest_weight=np.inf)

    lower, upper = limit(scores.s), 1.0 - limit(1.0 - scores.s)
    return (lower, upper) if lower <= upper else (0.0, 1.0)
