"""How a merchant without a learner retries: published recoveries are held against this policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray
from authopt.durations import DAY_S
from authopt.payments import Initiator
from authopt.sampling import normalise

WAITS_S = (DAY_S, 2 * DAY_S)
"""Before the first and before each further retry of a subscription: on days 1, 3, 5, 7, 9, 11 and
13. First retries are made within 48 hours (dunningcompare.com), most recoveries fall between
day 2 and day 12 (Recurly 2018). Between the two, the spacing is ours."""

PREFERENCE = 0.7
"""How much less (log) each further route of the order is taken."""


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Fixed waits, whatever the decline said; routes in a softened order.

    A checkout is tried again at once, a subscription after ``WAITS_S`` or the offered delay that
    is nearest to it. It gives up only where nothing else is eligible.

    Attributes
    ----------
    routes
        best first.
    """

    routes: tuple[str, ...]
    name: str = "fixed retry schedule"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], summing to 1 within each decision."""
        order = {route: place for place, route in enumerate(self.routes)}
        place = np.array([order.get(route, len(order)) for route in batch.routes], np.float64)
        weight = np.exp(-PREFERENCE * place)[batch.action_route]
        off = np.abs(batch.action_delay_s - np.repeat(_wanted_s(batch), batch.counts))
        stop = batch.is_stop
        distance = np.where(stop, np.iinfo(np.int64).max, off)
        nearest = np.minimum.reduceat(distance, batch.offsets[:-1])
        weight[off != np.repeat(nearest, batch.counts)] = 0.0
        weight[stop] = 0.0
        weight[stop & (np.repeat(batch.sum_by_decision(weight), batch.counts) == 0)] = 1.0
        return normalise(batch, weight)


def _wanted_s(batch: DecisionBatch) -> IntArray:
    """int64[n], the wait before each decision's attempt."""
    initiator = batch.context["initiator"]
    assert isinstance(initiator, Categorical)
    subscription = initiator.recode((Initiator.MIT.value,)) == 0
    waits = np.array([0, 0, *WAITS_S], np.int64)
    return np.where(subscription, waits[np.minimum(batch.attempt, len(waits) - 1)], 0)
