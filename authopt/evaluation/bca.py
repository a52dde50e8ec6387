"""Bootstrap intervals that correct for bias and for an error that varies with the value."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from authopt.batch import FloatArray
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.intervals import (
    Limits,
    Quantity,
    estimate,
    leaving_out,
    occupied,
    replicate_values,
)


def bca(
    table: BucketTable, replicates: FloatArray, quantity: Quantity, confidence: float
) -> Limits | None:
    """Bias-corrected and accelerated percentiles of the same replicates.

    Efron, 'Better Bootstrap Confidence Intervals', JASA 82, 1987. The bias correction is the share
    of replicates below the estimate; the acceleration, a sixth of the skewness of the jackknife's
    values, is here taken over buckets, the units that are resampled (Efron & Tibshirani, 'An
    Introduction to the Bootstrap', 1993, equations 14.10, 14.14 and 14.15).

    Parameters
    ----------
    table
        of the decisions that the replicates are of.
    replicates
        float64[replicates, columns] as of :func:`resample`.
    quantity, confidence
        what is asked.

    Returns
    -------
    (float, float) or None
        None where :func:`bootstrap` or :func:`jackknife` is None, or where the estimate is below or
        above all replicates.
    """
    table = occupied(table)
    values = replicate_values(table.columns, replicates, quantity)
    value, without = estimate(table, quantity), leaving_out(table, quantity)
    if values is None or value is None or without is None:
        return None
    below = float(((values < value).sum() + 0.5 * (values == value).sum()) / len(values))
    spread = without.mean() - without
    variance = float(spread @ spread)
    if not 0.0 < below < 1.0 or variance <= 0.0:
        return None
    shift = float(ndtri(below))
    skew = float((spread**3).sum()) / (6.0 * variance**1.5)
    tails = shift + ndtri([0.5 - confidence / 2, 0.5 + confidence / 2])
    stretch = 1.0 - skew * tails
    if not (stretch > 0.0).all():
        return None
    lower, upper = np.quantile(values, ndtr(shift + tails / stretch))
    return float(lower), float(upper)
