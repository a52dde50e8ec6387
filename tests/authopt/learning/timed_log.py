"""A log in which an attempt's hour decides: at night almost all are approved, by day few."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, LoggedBatch

HOUR_S = 3_600
DELAYS_S = (0, 6 * HOUR_S, 12 * HOUR_S, 18 * HOUR_S)
ROUTES = ("adyen", "braintree", "stop")
NIGHT, DAY = 0.9, 0.3


def timed_log(n: int, seed: int) -> LoggedBatch:
    """First attempts and retries, sent now or in six, twelve or eighteen hours, or given up."""
    rng = np.random.default_rng(seed)
    k = 2 * len(DELAYS_S) + 1
    route = np.array([0] * len(DELAYS_S) + [1] * len(DELAYS_S) + [2], np.int32)
    delay = np.array([*DELAYS_S, *DELAYS_S, 0], np.int64)
    retry = rng.random(n) < 0.5
    passed = np.where(retry, rng.integers(0, 10 * 86_400, n), np.nan)
    decided_s = np.sort(rng.integers(0, 40 * 86_400, n))
    batch = DecisionBatch(
        decision_id=pa.array([f"d{seed}-{row}" for row in range(n)]),
        payment_id=pa.array([f"p{seed}-{row}" for row in range(n)]),
        attempt=np.where(retry, 2, 1).astype(np.int32),
        decided_at=np.datetime64("2026-01-01", "us") + decided_s * np.timedelta64(1, "s"),
        context={
            "network": Categorical(rng.integers(-1, 2, n).astype(np.int32), ("visa", "mastercard")),
            "previous_route": Categorical(
                np.where(retry, rng.integers(0, 2, n), -1).astype(np.int32), ROUTES
            ),
            "amount_minor": rng.integers(100, 100_000, n).astype(np.float64),
            "seconds_since_first_attempt": passed,
            "seconds_since_last_attempt": np.where(retry, 1.0, np.nan),
        },
        routes=ROUTES,
        action_route=np.tile(route, n),
        action_delay_s=np.tile(delay, n),
        offsets=np.arange(n + 1, dtype=np.int64) * k,
    )
    chosen = rng.integers(0, k, n)
    at = batch.offsets[:-1] + chosen
    chance = np.where(at_night(batch)[at], NIGHT, DAY)
    reward = (rng.random(n) < chance).astype(np.float64)
    return LoggedBatch(
        **{name: getattr(batch, name) for name in DecisionBatch.__dataclass_fields__},
        chosen=chosen,
        propensity=np.full(n, 1 / k),
        reward=np.where(batch.is_stop[at], 0.0, reward),
    )


def at_night(batch: DecisionBatch) -> BoolArray:
    """bool[m], whether an action's attempt falls between midnight and six (UTC)."""
    decided_s = batch.decided_at.astype("M8[s]").astype(np.int64)
    hour = (decided_s[batch.decision_of_action] + batch.action_delay_s) // HOUR_S % 24
    return np.asarray(hour < 6)


def share_at_night(batch: DecisionBatch, probability: FloatArray) -> float:
    """The probability of an attempt at night, on average over the decisions."""
    return float(probability[at_night(batch) & ~batch.is_stop].sum() / batch.n)


@cache
def training_log() -> LoggedBatch:
    """The log that tests train on."""
    return timed_log(4_000, seed=1)
