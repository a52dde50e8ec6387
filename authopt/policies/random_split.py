"""Random split by weights: every route gets its share of the traffic, whatever the payment.

The volume split of payment orchestrators: the algorithm ``volume_split`` of Juspay's
decision-engine (api-reference.hyperswitch.io, "Volume Split Example").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.policies.best_route import is_shortest_delay
from authopt.policies.family import EPSILON, Family, Options, SpecError

FORM = "random-split:weights=a:3+b:1"

WEIGHTED, OTHER, STOP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class RandomSplit:
    """Probabilities in proportion to weights among the eligible routes, at their shortest delay.

    Where no route with a weight is eligible, the other routes share alike; ``stop`` is taken where
    there is nothing else.

    Attributes
    ----------
    weights
        by route, not negative; a weight of 0 is none.
    """

    weights: Mapping[str, float]
    name: str = "random-split"

    def __post_init__(self) -> None:
        for route, weight in self.weights.items():
            if not 0.0 <= weight < math.inf:
                raise UserError(
                    f"the weight of {route!r} in random-split is {weight:g}; expected 0 or more"
                )
        if STOP_ROUTE in self.weights:
            raise UserError(f"random-split cannot weigh {STOP_ROUTE!r}: it is the last resort")
        if not any(self.weights.values()):
            raise UserError(f"random-split needs a weight above 0: {FORM}")

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], exact."""
        if not batch.n:
            return np.zeros(0)
        given = [self.weights.get(route, 0.0) for route in batch.routes]
        kinds = [
            STOP if route == STOP_ROUTE else WEIGHTED if weight else OTHER
            for route, weight in zip(batch.routes, given, strict=True)
        ]
        kind = np.array(kinds)[batch.action_route]
        first = np.minimum.reduceat(kind, batch.offsets[:-1])
        taken = (kind == np.repeat(first, batch.counts)) & is_shortest_delay(batch)
        weight = np.where(kind == WEIGHTED, np.array(given)[batch.action_route], 1.0)
        share = np.where(taken, weight, 0.0)
        return np.asarray(share / np.repeat(batch.sum_by_decision(share), batch.counts))


def _make(_: Path | None, options: Options) -> RandomSplit:
    weights: dict[str, float] = {}
    for part in options.list("weights", "+") or ():
        route, colon, text = part.rpartition(":")
        try:
            weight = float(text)
        except ValueError:
            weight = math.nan
        if not (colon and route) or math.isnan(weight):
            raise SpecError(
                f"policy {options.spec!r}: {part!r} is no route with its weight. Expected {FORM}"
            )
        if route in weights:
            raise SpecError(f"policy {options.spec!r}: {route} is given twice")
        weights[route] = weight
    if not weights:
        raise SpecError(f"policy {options.spec!r} needs weights. Expected {FORM}")
    return RandomSplit(weights)


FAMILY = Family(f"{FORM}[,epsilon=0.05]", _make, ("weights", EPSILON))
