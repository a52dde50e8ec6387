"""What to expect of payments before they come: the rates of the time before."""

from __future__ import annotations

import numpy as np

from authopt.batch import FloatArray

STRENGTH = 50.0
"""Payments at the rate of all strata that every stratum begins with."""


def expected_rates(before: FloatArray) -> FloatArray:
    """Chance of being paid by stratum, from payments that came before the canary began.

    Rates of small strata are pulled towards that of all. Whatever they are, judging by them is
    sound; good ones let harm be seen sooner.

    Parameters
    ----------
    before
        float64[s, 2]: numbers of payments of the live policy that were not paid, and that were.

    Returns
    -------
    float64[s]
        within [0, 1]; 1 everywhere where nothing came before.
    """
    total = before.sum()
    overall = before[:, 1].sum() / total if total else 1.0
    return np.asarray((before[:, 1] + STRENGTH * overall) / (before.sum(axis=1) + STRENGTH))
