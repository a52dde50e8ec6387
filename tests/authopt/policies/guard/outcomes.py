"""Streams of outcomes for a guard: who answers what, a second at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, LoggedBatch
from authopt.policies.protocol import Policy
from authopt.sampling import sample

START = np.datetime64("2026-03-04T12:00:00", "us")
ROUTES = ("adyen", "braintree", "checkout", "stop")
CODES = ("00", "05", "51", "96", "91")
USUAL = (0.90, 0.05, 0.04, 0.005, 0.005)
"""Chances of the codes on a route that is well."""

FAILS = (0.0, 0.0, 0.0, 1.0, 0.0)
DECLINES = (0.10, 0.86, 0.03, 0.005, 0.005)

Chances = Callable[[str, str], tuple[float, ...]]
"""Of the codes, by route and network."""


def second(
    policy: Policy,
    at_s: float,
    chances: Chances,
    *,
    payments: int = 50,
    seed: int = 0,
    lost: Mapping[str, float] | None = None,
    networks: tuple[str, ...] = ("visa", "mastercard"),
    merchants: tuple[str, ...] = ("m1", "m2", "m3"),
) -> LoggedBatch:
    """First attempts of one second as a policy decides them, with the answers that came.

    ``lost`` is the share of a route's answers that stay away.
    """
    rng = np.random.default_rng([seed, round(at_s * 1_000)])
    n, k = payments, len(ROUTES)
    context = {
        "network": Categorical(rng.integers(0, len(networks), n).astype(np.int32), networks),
        "merchant_id": Categorical(rng.integers(0, len(merchants), n).astype(np.int32), merchants),
    }
    batch = LoggedBatch(
        decision_id=pa.array([f"d{at_s}-{number}" for number in range(n)]),
        payment_id=pa.array([f"p{at_s}-{number}" for number in range(n)]),
        attempt=np.ones(n, np.int32),
        decided_at=START + ((at_s + np.sort(rng.random(n))) * 1e6).astype("m8[us]"),
        context=context,
        routes=ROUTES,
        action_route=np.tile(np.arange(k, dtype=np.int32), n),
        action_delay_s=np.zeros(n * k, np.int64),
        offsets=np.arange(0, n * k + 1, k, dtype=np.int64),
        chosen=np.zeros(n, np.int64),
        propensity=np.ones(n),
        reward=np.zeros(n),
    )
    probability = policy.probabilities(batch.decisions())
    chosen = sample(batch, probability, rng.random(n))
    edges = np.cumsum([[chances(route, of) for of in networks] for route in ROUTES], axis=2)
    met = edges[chosen, context["network"].codes]
    code = (rng.random(n)[:, None] >= met).sum(axis=1).clip(0, len(CODES) - 1).astype(np.int32)
    approved = (code == 0).astype(np.float64)
    batch = replace(
        batch,
        chosen=chosen,
        propensity=probability[batch.offsets[:-1] + chosen],
        probability=probability,
        reward=approved,
        outcome={
            "approved": approved,
            "response_code": Categorical(code, CODES),
            "outcome_at": batch.decided_at + np.timedelta64(500, "ms"),
        },
    )
    stays_away = np.array([(lost or {}).get(ROUTES[each], 0.0) for each in chosen])
    return batch.take(np.flatnonzero(rng.random(n) >= stays_away))


def well(route: str, network: str) -> tuple[float, ...]:
    """Every route is as usual."""
    return USUAL


def down(name: str, chances: tuple[float, ...] = FAILS, network: str | None = None) -> Chances:
    """One route is down, for one network or for all."""
    return lambda route, of: chances if route == name and network in (None, of) else USUAL


def share_of(policy: Policy, route: str, network: str = "visa") -> float:
    """Probability of a route in a decision between all of them."""
    batch = second(policy, 0.0, well, payments=1, networks=(network,)).decisions()
    return float(policy.probabilities(batch)[ROUTES.index(route)])
