"""Whether a canary does harm: limits of its difference to the live policy, by betting.

A unit (a payment, or a card) is given to the canary with the probability p, by a hash that knows
nothing of it. With y as its outcome and m as what was expected of it before it came,

    d = z (y - m) / p - (1 - z) (y - m) / (1 - p)        (z: 1 in the canary, else 0)

has the mean difference between the arms as its mean, whatever m is: it is the doubly robust score
of an experiment whose probabilities are known (Robins, Rotnitzky & Zhao, JASA 89, 1994). A good m
only makes it vary less: it takes out what was known beforehand, as CUPED does (Deng, Xu, Kohavi &
Walker, WSDM 2013). With m = 1 nothing is expected of anybody, and what is left is the question
whether more than a share of p of the declines are the canary's.

A gambler who bets against "the difference is at least theta" multiplies the wealth by
1 - b (d - theta) per unit. If that is true the wealth is a supermartingale, and ever exceeds
1 / alpha with a probability of at most alpha (Ville 1939), however often one looks (Waudby-Smith &
Ramdas, JRSS B 86, 2024, section 4). The bets b are many, fixed beforehand, and the wealth is shared
out among them. So it depends on how often each kind of unit occurs, and not on their order: tallies
are all that it takes.

What is asked of the units: that outcomes count by the same rule in both arms, such as "paid within
seven days of its first attempt", once that time is over. A unit that counts as soon as it is paid
makes the arm look better that is paid sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp

from authopt.batch import FloatArray
from authopt.errors import UserError

NOTHING_EXPECTED = 1.0
"""What to expect of units where nothing is known of the rate; where most payments are approved it
costs little."""

_FRACTION = 0.9 * 2.0 ** (-0.5 * np.arange(20.0))
_SHARE = np.exp(-0.5 * ((np.arange(20.0) - 4.5) / 2.0) ** 2) + 0.01
_LOG_SHARE = np.log(_SHARE / _SHARE.sum())
"""Most is put on what suits differences of 1 to 5 points at rates of 70 to 95%."""


@dataclass(frozen=True, slots=True, eq=False)
class Tallies:
    """k kinds of units, and how many of each there were in the arms: float64[k] each.

    Attributes
    ----------
    expected
        outcome that was expected, from what was known before the unit came, in [0, 1].
    outcome
        in [0, 1]; 1 for paid, 0 for not.
    share
        probability of the canary when the unit was assigned, in (0, 1). It may be raised on the way
        as long as earlier units keep theirs.
    live, canary
        numbers of units.
    """

    expected: FloatArray
    outcome: FloatArray
    share: FloatArray
    live: FloatArray
    canary: FloatArray

    def __post_init__(self) -> None:
        for name, low, high in (("expected", 0.0, 1.0), ("outcome", 0.0, 1.0)):
            values = getattr(self, name)
            if not ((values >= low) & (values <= high)).all():
                raise UserError(f"tallies: {name} is outside {low:g} to {high:g}")
        if not ((self.share > 0.0) & (self.share < 1.0)).all():
            raise UserError("tallies: the canary's share must be above 0 and below 1")
        if not ((self.live >= 0.0) & (self.canary >= 0.0)).all():
            raise UserError("tallies: numbers of units must be 0 or more")

    @classmethod
    def of_payments(
        cls,
        share: float,
        live: FloatArray,
        canary: FloatArray,
        expected: FloatArray | float = NOTHING_EXPECTED,
    ) -> Self:
        """Tallies of payments that are paid or not, in s strata.

        Parameters
        ----------
        share
            of the canary.
        live, canary
            float64[s, 2]: numbers of payments that were not paid, and that were.
        expected
            float64[s], the chance of being paid, fixed before these payments came: from the time
            before the canary, not from its own.
        """
        strata = len(live)
        chance = np.broadcast_to(np.asarray(expected, np.float64), (strata,))
        return cls(
            np.repeat(chance, 2),
            np.tile([0.0, 1.0], strata),
            np.full(2 * strata, share),
            np.asarray(live, np.float64).ravel(),
            np.asarray(canary, np.float64).ravel(),
        )

    def __add__(self, other: Tallies) -> Tallies:
        return Tallies(
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in ("expected", "outcome", "share", "live", "canary")
            )
        )

    @property
    def rates(self) -> tuple[float | None, float | None]:
        """Mean outcome in the live arm and in the canary; None while an arm is empty."""
        live, canary = (
            float(self.outcome @ units / units.sum()) if units.sum() else None
            for units in (self.live, self.canary)
        )
        return live, canary

    @property
    def difference(self) -> float | None:
        """The canary's mean outcome less the live policy's, beyond what was expected of each.

        None while an arm is empty.
        """
        if not (self.live.sum() and self.canary.sum()):
            return None
        beyond = self.outcome - self.expected
        return float(
            beyond @ self.canary / self.canary.sum() - beyond @ self.live / self.live.sum()
        )


def log_wealth(tallies: Tallies, theta: float, sign: float) -> float:
    """Logarithm of the wealth of a gambler who bets on a difference beyond ``theta``.

    Parameters
    ----------
    tallies
        what was seen.
    theta
        in [-1, 1].
    sign
        -1 to bet on a smaller difference, 1 on a larger one.
    """
    return float(log_wealth_along(tallies, tallies.live, tallies.canary, theta, sign))


def log_wealth_along(
    kinds: Tallies, live: FloatArray, canary: FloatArray, theta: float, sign: float
) -> FloatArray:
    """As :func:`log_wealth`, at many times at once.

    Parameters
    ----------
    kinds
        of units; its own numbers are not looked at.
    live, canary
        float64[..., k]: numbers of units of these kinds up to some times.
    theta, sign
        as there.

    Returns
    -------
    float64[...]
    """
    beyond = kinds.outcome - kinds.expected
    rarer = np.minimum(kinds.share, 1.0 - kinds.share)
    # Scores less theta lie within 1 / rarer + 1 on both sides of 0.
    bet = sign * rarer / (1.0 + rarer)
    by_bet = _LOG_SHARE
    for units, score in ((live, -beyond / (1.0 - kinds.share)), (canary, beyond / kinds.share)):
        factors = np.log1p(np.outer(bet * (score - theta), _FRACTION))
        by_bet = by_bet + units @ factors
    return np.asarray(logsumexp(by_bet, axis=-1))


def upper_limit(tallies: Tallies, alpha: float) -> float:
    """Limit which the difference is ever above with a probability of at most ``alpha``."""
    return -_limit(tallies, alpha, -1.0)


def lower_limit(tallies: Tallies, alpha: float) -> float:
    """Limit which the difference is ever below with a probability of at most ``alpha``."""
    return _limit(tallies, alpha, 1.0)


def _limit(tallies: Tallies, alpha: float, sign: float) -> float:
    # Imported here, as it takes a quarter of a second.
    from scipy.optimize import brentq

    threshold = -float(np.log(alpha))

    def surplus(theta: float) -> float:
        return log_wealth(tallies, sign * theta, sign) - threshold

    if surplus(-1.0) < 0.0:
        return -1.0
    if surplus(1.0) >= 0.0:
        return 1.0
    return float(brentq(surplus, -1.0, 1.0, xtol=1e-7)) - 1e-7
