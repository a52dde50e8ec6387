"""Small logs and policies for the gate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch
from authopt.policies.mixed import Mixed, mixed
from authopt.sampling import sample, uniforms
from tests.factories import logged_batch

ROUTES = ("adyen", "braintree", "checkout")


@dataclass(frozen=True, slots=True)
class ByNetwork:
    """One route for visa, one for mastercard."""

    visa: str
    mastercard: str
    name: str = "by-network"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        network = batch.context["network"]
        assert isinstance(network, Categorical)
        names = np.array(
            [self.visa if name == "visa" else self.mastercard for name in network.values()]
        )
        routes = np.array(batch.routes)[batch.action_route]
        return (routes == np.repeat(names, batch.counts)).astype(np.float64)


def exploring(visa: str, mastercard: str, epsilon: float = 0.1) -> Mixed:
    """The same, with exploration."""
    return mixed(ByNetwork(visa, mastercard), epsilon)


def log_with(
    chances: dict[str, tuple[float, float, float]], n: int = 3_000, seed: int = 0
) -> LoggedBatch:
    """A log of uniform routing, one attempt a payment; chances of the routes by network."""
    batch = logged_batch(n, ROUTES, seed, attempts_per_payment=1, uniform_logging=True)
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    table = np.array([chances[name] for name in network.categories])
    chosen = sample(batch, np.full(batch.m, 1.0 / 3.0), uniforms(batch.decision_id, f"case{seed}"))
    chance = table[network.codes, chosen]
    approved = (uniforms(batch.decision_id, f"luck{seed}") < chance).astype(np.float64)
    return replace(
        batch,
        chosen=chosen,
        propensity=np.full(batch.n, 1.0 / 3.0),
        probability=np.full(batch.m, 1.0 / 3.0),
        reward=approved,
        outcome={"approved": approved},
    )


BETTER = {"visa": (0.5, 0.6, 0.9), "mastercard": (0.5, 0.6, 0.9)}
"""checkout is the best for all."""

MIXED = {"visa": (0.3, 0.3, 0.95), "mastercard": (0.8, 0.5, 0.2)}
"""checkout is the best for visa, and the worst for mastercard."""

CHECKOUT = exploring("checkout", "checkout")
ADYEN = exploring("adyen", "adyen")

LOG = log_with(BETTER)
