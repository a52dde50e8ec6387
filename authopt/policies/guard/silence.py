"""Answers that stay away: a route that answers less often than it is taken.

Who sends an attempt by a route with probability p, and hears only of those that were answered,
hears of the route in a share p(1 - s) / (1 - p s) of the answers where a share s of the route's own
is lost, and in a share p where none is. The log likelihood ratio of the two is summed up (a CUSUM,
as in :mod:`authopt.policies.guard.monitor`). It needs no list of open attempts, only the logged
probabilities; a route that is always taken with certainty it cannot judge.
"""

from __future__ import annotations

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch

CERTAIN = 0.999


def silence_ratios(batch: LoggedBatch, rows: IntArray, silent: float) -> FloatArray:
    """float64[len(rows), routes]: log likelihood ratio of a silent route; 0 where it is no action.

    Only attempts that were sent at once are looked at: answers to others are not due yet.

    Parameters
    ----------
    batch
        n decisions with the probabilities of all their actions; without them every ratio is 0.
    rows
        the answered decisions.
    silent
        share of the answers that are lost, below 1.
    """
    k = len(batch.routes)
    if batch.probability is None or not len(rows):
        return np.zeros((len(rows), k))
    chosen = batch.chosen_action
    now = batch.action_delay_s == 0
    place = batch.decision_of_action * k + batch.action_route
    taken = np.bincount(place, batch.probability * (now & ~batch.is_stop), batch.n * k)
    taken = taken.reshape(batch.n, k)[rows]
    whole = taken.sum(axis=1, keepdims=True)
    share = np.divide(taken, whole, out=np.zeros_like(taken), where=whole > 0.0)
    # The policy had no choice: that it was answered elsewhere cannot be.
    share = np.where(share > CERTAIN, 0.0, share)
    heard = np.zeros((len(rows), k), np.bool_)
    heard[np.arange(len(rows)), batch.action_route[chosen[rows]]] = True
    ratio = np.where(heard, np.log1p(-silent), 0.0) - np.log1p(-silent * share)
    return np.where((share > 0.0) & now[chosen[rows]][:, None], ratio, 0.0)
