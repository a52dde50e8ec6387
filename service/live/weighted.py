"""Weights that an operator gives to routes, on top of whatever the policy says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.protocol import Policy
from authopt.sampling import normalise

SMALLEST, LARGEST = 0.001, 1000.0
"""Of a weight. Never 0: a route without any traffic is one that is taken down."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """A policy whose probabilities are multiplied by a weight of the route, and made to sum to 1.

    What comes out is what the draw uses and the log keeps, so propensities stay exact. A floor of
    the policy is multiplied too. Where the policy gives one route everything, a weight changes
    nothing; ``stop`` has the weight 1.

    Attributes
    ----------
    policy
        whose probabilities.
    weights
        by route; 1 where a route has none.
    """

    policy: Policy
    weights: Mapping[str, float]

    @property
    def name(self) -> str:
        """The policy's own name."""
        return self.policy.name

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], summing to 1 within each decision."""
        own = self.policy.probabilities(batch)
        weight = np.array([self.weights.get(route, 1.0) for route in batch.routes])
        return normalise(batch, own * weight[batch.action_route])
