"""Standard errors of arms' values, and how many of them an estimate may ever be off by.

Robust to payments of a unit that are alike: then they are by the spread between buckets of units
(:func:`authopt.evaluation.intervals.normal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

import numpy as np
from scipy.special import stdtrit

from authopt.evaluation.betting.boundaries import best_rho
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.intervals import Ratio, normal
from authopt.experiments.arm_tally import REST, REST_SQUARES, SQUARES, UNITS, VALUE, ArmTally

FEWEST_BUCKETS = 50
"""Buckets with units of an arm below which the spread between them is not known."""


def standard_error(tally: ArmTally, a: int, b: int) -> float | None:
    """Of the difference between two arms (by index); None while it is not known."""
    if tally.clustered:
        return _spread(tally, [a, b], (Ratio("rest_0", "rows_0"), Ratio("rest_1", "rows_1", -1.0)))
    total = 0.0
    for place in (a, b):
        n, rest, squares = tally.moments[place, [UNITS, REST, REST_SQUARES]].tolist()
        if n < 2:
            return None
        total += max(squares - rest * rest / n, 0.0) / (n - 1.0) / n
    return sqrt(total) if total > 0.0 else None


def error_of_mean(tally: ArmTally, arm: int) -> float | None:
    """Of the value of one arm (by index); None while it is not known."""
    if tally.clustered:
        known = not tally.predicted
        return _spread(tally, [arm], (Ratio("rest_0", "rows_0"),)) if known else None
    n, total, squares = tally.moments[arm, [UNITS, VALUE, SQUARES]].tolist()
    variance = (squares - total * total / n) / (n - 1.0) / n if n > 1.0 else 0.0
    return sqrt(variance) if variance > 0.0 else None


def boundary(units: float, expected_units: float, alpha: float) -> float:
    """Standard errors that an estimate is ever off by with a probability of at most ``alpha``.

    Parameters
    ----------
    units
        so far.
    expected_units
        where it is to be the smallest; see :func:`authopt.evaluation.betting.boundaries.best_rho`.
    """
    rho = best_rho(expected_units, alpha / 2.0)
    return sqrt((1.0 + rho / units) * log((units + rho) / (alpha * alpha * rho)))


def _spread(tally: ArmTally, arms: list[int], quantity: Sequence[Ratio]) -> float | None:
    """Standard error of a quantity of some arms, by the spread between buckets."""
    rows, rest = tally.bucket_rows[arms], tally.bucket_rest[arms]
    if ((rows > 0.0).sum(axis=1) < FEWEST_BUCKETS).any():
        return None
    places = range(len(arms))
    names = ["one", *(f"rows_{place}" for place in places), *(f"rest_{place}" for place in places)]
    table = BucketTable(tuple(names), np.concatenate([rows.sum(axis=0, keepdims=True), rows, rest]))
    found = normal(table, quantity, 0.95)
    if found is None:
        return None
    groups = int((table["one"] > 0.0).sum())
    return float((found[1] - found[0]) / 2.0 / stdtrit(groups - 1, 0.975))
