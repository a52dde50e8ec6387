"""How often a confidence sequence is ever wrong, looking after every single row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import logsumexp

from authopt.evaluation.betting.betting import Group, Scores, Variate, stakes_of

Array = npt.NDArray[np.float64]

ALPHA = 0.1


def ever_wrong(
    drawn: npt.NDArray[np.int64],
    plain: Array,
    controlled: Sequence[Array],
    variates: Sequence[Variate],
    theta: float,
    *,
    largest_weight: float = np.inf,
    rows: Array | None = None,
    longest: int = 1,
    power: float = 1.0,
) -> int:
    """In how many of some runs the true value ``theta`` is ruled out at any time.

    Parameters
    ----------
    drawn
        int64[runs, n], which of d possible outcomes came in each run, in the order of time.
    plain, controlled
        float64[d] each, scores of the outcomes.
    rows
        float64[d], numbers of rows of the outcomes, where they are clusters.
    power
        of each factor.
    """
    size = len(plain)
    ones = np.ones(size)
    rows = ones if rows is None else rows
    group = Group(
        largest_weight,
        Scores(plain, rows, ones),
        tuple(Scores(each, rows, ones) for each in controlled),
    )
    stakes = stakes_of([group], variates, largest_weight)
    log_factor = np.concatenate([stake.log_factors(theta, longest) for stake in stakes])
    log_share = np.concatenate([stake.log_share for stake in stakes])
    wrong = 0
    for run in drawn:
        growth = power * log_factor[:, run].cumsum(axis=1)
        wrong += bool((logsumexp(growth + log_share[:, None], axis=0) >= -np.log(ALPHA)).any())
    return wrong


def most(runs: int) -> int:
    """More wrong runs than this come with a probability below 0.001 if the sequence is right."""
    return int(stats.binom.ppf(0.999, runs, ALPHA))
