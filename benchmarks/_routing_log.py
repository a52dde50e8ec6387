"""A log of the size and kind that payment routing has, for benchmarks: seeded, nothing learned."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, LoggedBatch

ROUTES = tuple(f"psp{number}" for number in range(5))

_VALUES: dict[str, tuple[str, ...]] = {
    "merchant_id": tuple(f"merchant-{number}" for number in range(20)),
    "bin": tuple(f"{400_000 + 7 * number}" for number in range(2000)),
    "issuer": tuple(f"bank-{number:03d}" for number in range(200)),
    "network": ("visa", "mastercard", "amex", "discover"),
    "funding": ("credit", "debit", "prepaid"),
    "issuer_country": ("DE", "FR", "GB", "US", "IT", "ES", "NL", "PL", "SE", "BR"),
    "merchant_country": ("DE", "GB", "US"),
    "currency": ("EUR", "GBP", "USD"),
    "mcc": tuple(f"{5000 + 11 * number}" for number in range(40)),
    "initiator": ("cit", "mit"),
    "previous_route": ROUTES,
    "previous_response_code": ("05", "51", "61", "65", "91", "96", "57", "N7"),
    "previous_advice_code": ("01", "02", "24", "25"),
}


def routing_log(n: int, seed: int = 0) -> LoggedBatch:
    """n decisions, 5 routes, all context columns; every third is a retry of the one before."""
    rng = np.random.default_rng(seed)
    k = len(ROUTES)
    retry = np.arange(n) % 3 == 1
    context: dict[str, Column] = {}
    for name, values in _VALUES.items():
        codes = rng.integers(0, len(values), n)
        if name.startswith("previous"):
            codes = np.where(retry, codes, -1)
        context[name] = Categorical(codes.astype(np.int32), values)
    for name in ("seconds_since_first_attempt", "seconds_since_last_attempt"):
        context[name] = np.where(retry, rng.exponential(86_400.0, n).round(), np.nan)
    context["amount_minor"] = rng.lognormal(8.0, 1.0, n).round()
    context["local_hour"] = rng.integers(0, 24, n).astype(np.float64)
    context["local_day"] = rng.integers(1, 8, n).astype(np.float64)
    context["token"] = rng.integers(0, 2, n).astype(np.float64)
    context["three_ds"] = rng.integers(0, 2, n).astype(np.float64)
    chosen = rng.integers(0, k, n)
    approved = (rng.random(n) < 0.7 + 0.04 * chosen).astype(np.float64)
    start = np.datetime64("2026-01-01T00:00:00", "us")
    return LoggedBatch(
        decision_id=pa.array([f"decision-{seed}-{row}" for row in range(n)]),
        payment_id=pa.array([f"payment-{seed}-{row - (row % 3 == 1)}" for row in range(n)]),
        attempt=np.where(retry, 2, 1).astype(np.int32),
        decided_at=start + np.arange(n) * np.timedelta64(1, "s"),
        context=context,
        routes=ROUTES,
        action_route=np.tile(np.arange(k, dtype=np.int32), n),
        action_delay_s=np.zeros(n * k, np.int64),
        offsets=np.arange(n + 1, dtype=np.int64) * k,
        chosen=chosen,
        propensity=np.full(n, 1.0 / k),
        probability=np.full(n * k, 1.0 / k),
        reward=approved,
        outcome={"approved": approved},
    )
