"""Limits that hold at all times together: for plain arrays, and as they run along a log.

A confidence sequence may be looked at after every row, and a decision to stop or to go on may
depend on it; the probability that it ever excludes the true value is at most 1 - its confidence.
The logging policy may change with time, and learn from the very rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.evaluation.betting.boundaries import best_rho, gamma_exponential_bound
from authopt.evaluation.betting.context_classes import Reading, context_class
from authopt.evaluation.betting.mean_bets import MeanBets, mean_limits
from authopt.evaluation.betting.row_bets import (
    REWARD_STEPS,
    Limits,
    RowBets,
    flat,
    gain_ends,
    scaled,
    value_ends,
    value_limits,
)

USUAL_TIME = 10_000.0
"""Sum of squared scores at which the limits of a changing value are about the tightest."""


def betting_limits(
    w: FloatArray,
    r: FloatArray,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    confidence: float = 0.95,
    largest_weight: float | None = None,
    q: FloatArray | None = None,
    v: FloatArray | None = None,
    cluster: npt.NDArray[np.integer] | None = None,
) -> Limits:
    """Limits of a policy's value from arrays of weights and rewards.

    Parameters
    ----------
    w
        float64[n], importance weights, with a mean of 1 given all that came before.
    r
        float64[n], rewards within ``bounds``.
    bounds
        smallest and largest possible reward.
    confidence
        probability that the value is never outside the limits.
    largest_weight
        that any action could have had; None where it is not known: the limits are then wider.
    q, v
        float64[n], predicted reward of the logged action, and its mean under the policy; from a
        model that has not seen these rows, and within ``bounds``. Used with ``largest_weight``.
    cluster
        int[n], rows with the same number depend on each other, and other rows do not. Their number
        must be bounded beforehand; taken here is the largest that occurs.

    Returns
    -------
    (float, float)
        within ``bounds``.

    Raises
    ------
    UserError
        If a reward is outside the bounds, or a weight is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> w = np.tile([0.0, 2.0], 500)
    >>> lower, upper = betting_limits(w, np.ones(1000), largest_weight=2.0)
    >>> round(lower, 2), upper
    (0.98, 1.0)
    """
    low, high = bounds
    if not (np.isfinite(w) & (w >= 0.0)).all():
        raise UserError("a weight is negative or not finite; expected numbers from 0 on")
    if not ((r >= low) & (r <= high)).all():
        raise UserError(f"a reward is outside the bounds {low:g} to {high:g}")
    reward = scaled(r, low, high)
    # A weight that has occurred was possible, whatever was declared.
    most = np.inf if largest_weight is None else max(largest_weight, float(w.max(initial=0.0)))
    if cluster is not None:
        _, place, rows = np.unique(cluster, return_inverse=True, return_counts=True)
        successes, failures = np.zeros(len(rows)), np.zeros(len(rows))
        np.add.at(successes, place, w * reward)
        np.add.at(failures, place, w * (1.0 - reward))
        means = MeanBets()
        means.add(successes, failures, rows)
        lower, upper = mean_limits(
            means, confidence, longest=int(rows.max(initial=1)), largest_weight=most
        )
        return low + (high - low) * lower, low + (high - low) * upper
    bets = RowBets(low, high)
    contexts = context_class(np.full(len(w), most))
    bets.add_rows(w, reward, contexts)
    if q is not None and v is not None:
        q, v = scaled(q, low, high), scaled(v, low, high)
        bets.add_model(w, reward - q, v, v - q, contexts)
    return value_limits(bets, confidence, largest_weight=most)


def confidence_sequence(
    periods: Sequence[RowBets],
    confidence: float,
    *,
    gain: bool = False,
    largest_weight: float | None = None,
    longest: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Limits of a value or a gain that does not change, after each of some periods.

    Each limit is the tightest so far: what has been ruled out once stays ruled out. If contexts or
    outcomes drift, there is no one value to cover; see :func:`changing_value_sequence`.

    Parameters
    ----------
    periods
        what was counted in each period alone, such as a day; in the order of time.
    confidence
        probability that no limits exclude the value.
    gain
        of the gain over the logging policy rather than of the value.
    largest_weight, longest
        see :func:`authopt.evaluation.betting.row_bets.value_limits`.

    Returns
    -------
    float64[periods], float64[periods]
        lower and upper limits. From the period on in which everything is ruled out (no value fits
        the log), they are the bounds of what is possible.
    """
    ends_of = gain_ends if gain else value_ends
    found = np.zeros((len(periods), 2))
    total: RowBets | None = None
    for place, period in enumerate(periods):
        total = period if total is None else total + period
        found[place] = ends_of(total, confidence, largest_weight, longest)
    lower, upper = np.maximum.accumulate(found[:, 0]), np.minimum.accumulate(found[:, 1])
    if total is not None:
        low, high = total.reward_low, total.reward_high
        nothing_left = lower > upper
        lower[nothing_left] = low - high if gain else low
        upper[nothing_left] = high - low if gain else high
    return lower, upper


def changing_value_sequence(
    periods: Sequence[RowBets], confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Limits of the mean value of all decisions so far, after each of some periods.

    For a value that may change from decision to decision in any way: at each time the limits are of
    the mean, over the decisions up to then, of the policy's value for the contexts that arose. They
    are wider than those of :func:`confidence_sequence`, and do not become tighter by intersection,
    as what they cover moves.

    Empirical Bernstein limits: with scores y >= 0 and guesses g in [0, 1] that the past makes, the
    sum of y less its mean is sub-exponential with scale 1 and intrinsic time sum (y - g)^2 (Howard
    et al. 2021, theorem 4, whose proof needs no upper bound of y; Waudby-Smith, Wu, Ramdas,
    Karampatziakis & Mineiro, arXiv 2210.10768, section 3), here with the gamma-exponential mixture.
    The guess for a period is the mean of the periods before it.

    Parameters
    ----------
    periods
        what was counted in each period alone, in the order of time.
    confidence
        probability that no limits exclude the mean of their time.

    Returns
    -------
    float64[periods], float64[periods]
        lower and upper limits, within the bounds of the reward.
    """
    if not periods:
        return np.zeros(0), np.zeros(0)
    low, high = periods[0].reward_low, periods[0].reward_high
    moments = np.array(
        [[_moments(each, mirrored) for mirrored in (False, True)] for each in periods]
    )
    lower, upper = (_mean_so_far(moments[:, side], (1.0 - confidence) / 2.0) for side in (0, 1))
    return low + (high - low) * lower, low + (high - low) * (1.0 - upper)


def _moments(bets: RowBets, mirrored: bool) -> tuple[float, float, float]:
    """Number, sum and sum of squares of the scores that cannot be negative."""
    rows, total, squares = 0.0, 0.0, 0.0
    for by_reward in Reading(np.inf).points(bets.weights, REWARD_STEPS + 1).values():
        w, r, count = flat(by_reward)
        y = w * (1.0 - r if mirrored else r)
        rows += float(count.sum())
        total += float(y @ count)
        squares += float(y * y @ count)
    return rows, total, squares


def _mean_so_far(moments: FloatArray, alpha: float) -> FloatArray:
    """Lower limits (float64[periods]) of the mean of the scores' expectations."""
    rho = best_rho(USUAL_TIME, alpha)
    limits = np.zeros(len(moments))
    n = total = time = 0.0
    for place, (rows, sum_y, sum_yy) in enumerate(moments.tolist()):
        guess = min(1.0, total / n) if n else 0.5
        time += max(0.0, sum_yy - 2.0 * guess * sum_y + guess * guess * rows)
        n, total = n + rows, total + sum_y
        if n:
            lowest = (total - gamma_exponential_bound(time, alpha, rho, 1.0)) / n
            limits[place] = min(1.0, max(0.0, lowest))
    return limits
