"""The router of a merchant that explores: the policy that makes the sample log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.sampling import normalise

PREFERENCE = 0.7
"""How much less (log) each further route of the order is taken."""

PREVIOUS_ROUTE = 1.0
"""How much less (log) the route is taken that has just declined."""

DELAY_WEIGHTS = {0: 0.6, 120: 0.4, 3_600: 0.6, 86_400: 1.0, 3 * 86_400: 0.7}
OTHER_DELAY_WEIGHT = 0.5
STOP_WEIGHT = 0.12
EXPLORATION = 0.10


@dataclass(frozen=True, slots=True)
class MerchantRouter:
    """An order of routes, softened, with some of the traffic spread evenly.

    Attributes
    ----------
    routes
        best first.
    exploration
        share of the decisions that take any eligible action with equal probability; so no
        propensity is below ``exploration`` / number of actions.
    """

    routes: tuple[str, ...]
    exploration: float = EXPLORATION
    name: str = "merchant's router"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], summing to 1 within each decision."""
        order = {route: place for place, route in enumerate(self.routes)}
        place = np.array([order.get(route, len(order)) for route in batch.routes], np.float64)
        weight = np.exp(-PREFERENCE * place)[batch.action_route]
        weight *= _delay_weights(batch)
        previous = batch.context.get("previous_route")
        if isinstance(previous, Categorical):
            before = np.repeat(previous.recode(batch.routes), batch.counts)
            weight[before == batch.action_route] *= np.exp(-PREVIOUS_ROUTE)
        weight[batch.is_stop] = STOP_WEIGHT
        even = np.repeat(1.0 / batch.counts, batch.counts)
        preferred = normalise(batch, weight)
        return (1.0 - self.exploration) * preferred + self.exploration * even


def _delay_weights(batch: DecisionBatch) -> FloatArray:
    known = np.array(sorted(DELAY_WEIGHTS), np.int64)
    weights = np.array([DELAY_WEIGHTS[delay] for delay in known.tolist()])
    at = np.minimum(np.searchsorted(known, batch.action_delay_s), len(known) - 1)
    return np.where(known[at] == batch.action_delay_s, weights[at], OTHER_DELAY_WEIGHT)


DEFAULT_ORDER = ("everywhere", "atlas", "borealis", "delta", "cordillera")
