"""The chance of approval by gradient-boosted trees, those of every route by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.policies.best_time.best_time import BestTime


@dataclass(frozen=True, slots=True, eq=False)
class RouteTrees:
    """A model for every route with enough attempts, and one for all others together.

    Attributes
    ----------
    pooled
        for routes without a model of their own.
    by_route
        the models of routes.
    """

    pooled: BestTime
    by_route: Mapping[str, BestTime]

    @property
    def trees(self) -> int:
        """How many there are together."""
        return sum(len(each.trees) for each in (self.pooled, *self.by_route.values()))

    def approval(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the predicted chance of approval; 0 at ``stop``."""
        chance = np.zeros(batch.m)
        groups = [
            (self.by_route[route], [route]) for route in batch.routes if route in self.by_route
        ]
        rest = [route for route in batch.routes if route not in self.by_route]
        groups.append((self.pooled, [route for route in rest if route != STOP_ROUTE]))
        plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
        for model, routes in groups:
            wanted = np.array([route in routes for route in batch.routes], np.bool_)
            keep = wanted[batch.action_route]
            if not keep.any():
                continue
            there = batch.sum_by_decision(keep.astype(np.float64)) > 0.0
            some = plain.take(np.flatnonzero(there))
            chance[keep] = model.approval(some.keep_actions(keep[np.repeat(there, batch.counts)]))
        return chance
