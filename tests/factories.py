"""Random batches for tests: real arrays in the one shape, seeded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, LoggedBatch
from authopt.sampling import normalise, sample, uniforms

START = np.datetime64("2026-01-01T00:00:00", "us")


def logged_batch(
    n: int = 200,
    routes: tuple[str, ...] = ("adyen", "braintree", "checkout"),
    seed: int = 0,
    attempts_per_payment: int = 2,
    uniform_logging: bool = False,
    with_stop: bool = False,
) -> LoggedBatch:
    """A log with exact propensities: each route has its own success rate per network.

    Every decision has all routes at delay 0 (and ``stop`` where asked); the logging policy is a
    softmax of random scores, or uniform.
    """
    rng = np.random.default_rng(seed)
    vocabulary = (*routes, "stop") if with_stop else routes
    k = len(vocabulary)
    m = n * k
    offsets = np.arange(0, m + 1, k, dtype=np.int64)
    scores = np.zeros(m) if uniform_logging else rng.normal(size=m)
    payment = np.arange(n) // attempts_per_payment
    network = Categorical(rng.integers(0, 2, n).astype(np.int32), ("visa", "mastercard"))
    batch = LoggedBatch(
        decision_id=pa.array([f"d{seed}-{i}" for i in range(n)]),
        payment_id=pa.array([f"p{seed}-{i}" for i in payment]),
        attempt=(np.arange(n) % attempts_per_payment + 1).astype(np.int32),
        decided_at=START + np.arange(n) * np.timedelta64(60, "s"),
        context={
            "network": network,
            "amount_minor": rng.integers(100, 100_000, n).astype(np.float64),
            "currency": Categorical(np.zeros(n, np.int32), ("EUR",)),
        },
        routes=vocabulary,
        action_route=np.tile(np.arange(k, dtype=np.int32), n),
        action_delay_s=np.zeros(m, np.int64),
        offsets=offsets,
        chosen=np.zeros(n, np.int64),
        propensity=np.ones(n),
        reward=np.zeros(n),
    )
    probability = normalise(batch, np.exp(scores))
    chosen = sample(batch, probability, uniforms(batch.decision_id, "factory"))
    success = 0.3 + 0.5 * np.random.default_rng(7).random((2, k))
    if with_stop:
        success[:, -1] = 0.0
    approved = (rng.random(n) < success[network.codes, chosen]).astype(np.float64)
    return replace(
        batch,
        chosen=chosen,
        propensity=probability[batch.offsets[:-1] + chosen],
        probability=probability,
        reward=approved,
        outcome={"approved": approved},
    )
