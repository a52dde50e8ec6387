"""From expected costs to probabilities, exactly and in float64."""

from __future__ import annotations

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, LoggedBatch
from authopt.policies.timetable import WEEKS, on_time
from authopt.policies.uniform import uniform

WAITS_FIRST = 1_000
"""Outcomes of attempts that waited for a day or more, before retries are timed by what was learned.
"""


def greedy(batch: DecisionBatch, cost: FloatArray) -> FloatArray:
    """float64[m], 1 on each decision's action of least cost; equal ones share."""
    starts = batch.offsets[:-1]
    least = np.minimum.reduceat(cost, starts)
    best = (cost == np.repeat(least, batch.counts)).astype(np.float64)
    return np.asarray(best / np.repeat(batch.sum_by_decision(best), batch.counts))


def by_gap(batch: DecisionBatch, cost: FloatArray, gamma: float) -> FloatArray:
    """float64[m], inverse gap weighting: the more an action seems to cost, the rarer it is.

    p(a) = 1 / (k + gamma (cost(a) - least cost)) for all but the best of k actions, which gets what
    is left (Foster and Rakhlin, "Beyond UCB", ICML 2020, algorithm 1).

    Parameters
    ----------
    batch
        n decisions with m actions.
    cost
        float64[m].
    gamma
        0 is uniform; greedy as it grows.
    """
    counts = batch.counts
    gap = cost - np.repeat(np.minimum.reduceat(cost, batch.offsets[:-1]), counts)
    best = greedy(batch, cost)
    others = np.where(best > 0.0, 0.0, 1.0 / (np.repeat(counts, counts) + gamma * gap))
    left = np.repeat(1.0 - batch.sum_by_decision(others), counts)
    return np.asarray(np.where(best > 0.0, best * left, others))


def alternatives(batch: DecisionBatch, cost: FloatArray) -> BoolArray:
    """bool[m], the actions that are worth a try: those that differ from the best in one thing.

    Any route at the delay of the best action, and any delay of its route. ``stop`` is among them
    only where it is the best.
    """
    if not batch.n:
        return np.zeros(0, np.bool_)
    best = np.flatnonzero(greedy(batch, cost) > 0.0)
    first = best[np.searchsorted(best, batch.offsets[:-1])]
    stops = batch.is_stop
    near = batch.action_delay_s == np.repeat(batch.action_delay_s[first], batch.counts)
    near |= batch.action_route == np.repeat(batch.action_route[first], batch.counts)
    return np.asarray(np.where(np.repeat(stops[first], batch.counts), stops, near & ~stops))


def spread(batch: DecisionBatch, among: BoolArray) -> FloatArray:
    """float64[m], alike over the actions where ``among`` holds; at least one of each decision."""
    weight = among.astype(np.float64)
    return np.asarray(weight / np.repeat(batch.sum_by_decision(weight), batch.counts))


def scheduled_evenly(batch: DecisionBatch) -> FloatArray:
    """float64[m], all routes alike at first attempts; at retries those of the scheduled wait."""
    return np.asarray(scheduled(batch).astype(np.float64) * uniform(batch))


def scheduled(batch: DecisionBatch) -> BoolArray:
    """bool[m], all actions of first attempts; at retries those of the scheduled wait."""
    if isinstance(batch, LoggedBatch):
        batch = batch.decisions()
    return on_time(batch, WEEKS)
