"""Bets on the difference between two arms: how a fixed first wealth is shared out among them.

Bets are fractions of what can be staked at most, half an octave apart. Which of them win depends on
how many units it takes to decide: a bet of f suits a number of units that goes with 1 / f squared.
So most is put on what suits the number that is expected, and less the further away a bet is.
"""

from __future__ import annotations

import numpy as np

from authopt.batch import FloatArray

FRACTIONS = 0.9 * 2.0 ** (-0.5 * np.arange(22.0))
"""float64[22], of the most that can be staked without going bankrupt; falling."""

USUAL_UNITS = 20_000
"""Where nobody says how many units are expected."""

TYPICAL_VARIANCE = 0.1
"""Of a value scaled to [0, 1]: that of approvals near 0.9."""

SPREAD = 1.0
"""Standard deviation, in octaves, of the shares about the best fraction."""

LEAST = 0.002
"""Share of every bet before all are scaled to 1: it costs little, and none is ever out of reach."""


def shares_of_wealth(expected_units: int, share: float, most: float, alpha: float) -> FloatArray:
    """What part of the wealth is put on each of ``FRACTIONS``.

    At the best bet the logarithm of the wealth grows by lambda^2 V / 2 per unit, with V the
    variance of a unit's score; it is to come to about log(1 / alpha) + 2 after ``expected_units``
    (2 is what mixing costs), from which lambda follows.

    Parameters
    ----------
    expected_units
        of both arms together, fixed beforehand.
    share
        of these that are in the first arm.
    most
        1 / the largest lambda.
    alpha
        error of one side.

    Returns
    -------
    float64[22]
        above 0, with a sum of 1.
    """
    variance = TYPICAL_VARIANCE / (share * (1.0 - share))
    best = most * np.sqrt(2.0 * (2.0 - np.log(alpha)) / (expected_units * variance))
    octaves = np.log2(FRACTIONS / best)
    size = np.exp(-0.5 * np.square(octaves / SPREAD)) + LEAST
    return np.asarray(size / size.sum())
