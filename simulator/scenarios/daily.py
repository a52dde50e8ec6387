"""A merchant who tries every day: a static order of routes, and retries once a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.priority import by_priority, first_of_each

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class DailyRetries:
    """The first route of an order at once; after a decline, the same a day later.

    Where no action waits for a day, the one whose delay is nearest to that is taken.

    Attributes
    ----------
    routes
        best first.
    """

    routes: tuple[str, ...]
    name: str = "daily"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision."""
        rank = {route: place for place, route in enumerate(self.routes)}
        last = len(self.routes)
        order = np.array([rank.get(route, last) for route in batch.routes], np.float64)
        off = np.abs(batch.action_delay_s - DAY_S) / DAY_S
        retry = first_of_each(batch, np.where(batch.is_stop, 1e6, off * 1_000.0)
                              + order[batch.action_route])  # fmt: skip
        again = np.repeat(batch.attempt > 1, batch.counts)
        return np.where(again, retry, by_priority(batch, self.routes))
