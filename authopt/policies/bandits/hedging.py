"""Exploration as Juspay's decision engine does it: each other route gets the same small share."""

from __future__ import annotations

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray
from authopt.policies.best_route import is_shortest_delay


def standing(batch: DecisionBatch) -> BoolArray:
    """bool[m], the actions that routes stand for: the shortest delay; ``stop`` only if alone."""
    stop = batch.is_stop
    alone = batch.sum_by_decision((~stop).astype(np.float64)) == 0.0
    return np.asarray(is_shortest_delay(batch) & (~stop | np.repeat(alone, batch.counts)))


def hedge_others(
    batch: DecisionBatch, hedging: float, head: FloatArray, best: FloatArray, out: BoolArray
) -> FloatArray:
    """The chosen actions, and a share of the traffic for each of the routes behind the head.

    ``route_random_traffic`` in juspay/decision-engine (``src/decider/gatewaydecider/
    gw_scoring.rs``): with probability ``hedging`` times the number of routes behind the one of the
    highest rate, all of those get the score 1 and the head 0.5. What is out has its score divided
    by five afterwards (``update_score_with_log`` there), so it gets no share while another route is
    in; if all routes behind the head are out, the head is taken; if the head is out as well, the
    others are.

    Parameters
    ----------
    batch
        n decisions with m actions.
    hedging
        share of each route behind the head, in [0, 1]; together they get 1 at most.
    head
        float64[m], the route of the highest rate, shared between equal ones.
    best
        float64[m], what is taken without hedging.
    out
        bool[m], the routes that are eliminated.

    Returns
    -------
    float64[m]
    """

    def total(values: FloatArray | BoolArray) -> FloatArray:
        sums = batch.sum_by_decision(np.asarray(values, np.float64))
        return np.repeat(sums, batch.counts)

    stands = standing(batch)
    remain = stands & ~out
    routes, left = total(stands), total(remain)
    head_in = total(head * remain)
    behind = np.where(
        left > 1.0,
        remain
        * (
            (head_in - head) / np.maximum(left - 1.0, 1.0) + (1.0 - head_in) / np.maximum(left, 1.0)
        ),
        np.where(left == 1.0, remain, stands * (1.0 - head) / np.maximum(routes - 1.0, 1.0)),
    )
    share = np.where(routes > 1.0, np.minimum(hedging * (routes - 1.0), 1.0), 0.0)
    return np.asarray((1.0 - share) * best + share * behind)
