"""Small attempt logs of experiments, written out by hand or made from drawn payments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, LoggedBatch
from authopt.logs.files import write_log
from authopt.logs.schema import PropensitySource

START = np.datetime64("2026-05-01T00:00:00", "us")


@dataclass(frozen=True, slots=True)
class Row:
    """A decision: ``at`` in seconds; ``route`` may be ``stop``."""

    payment: str
    at: int
    arm: str | None = None
    approved: float = np.nan
    attempt: int = 1
    route: str = "a"
    fee: float = np.nan
    latency: float = np.nan
    card: str | None = None
    network: str = "visa"
    currency: str = "EUR"
    experiment: str | None = None
    reward: float = np.nan


def batch_of(rows: Sequence[Row]) -> LoggedBatch:
    """The rows as a batch; every decision had the routes a and stop."""
    n = len(rows)

    def numbers(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([getattr(row, name) for row in rows], np.float64)

    def names(name: str) -> Categorical:
        return Categorical.from_values(getattr(row, name) for row in rows)

    return LoggedBatch(
        decision_id=pa.array([f"{row.payment}-{row.attempt}" for row in rows]),
        payment_id=pa.array([row.payment for row in rows]),
        attempt=np.array([row.attempt for row in rows], np.int32),
        decided_at=START + np.array([row.at for row in rows]).astype("m8[s]"),
        context={
            "card_ref": pa.array([row.card for row in rows], pa.string()),
            "network": names("network"),
            "currency": names("currency"),
            "x_arm": names("arm"),
            "x_experiment": names("experiment"),
        },
        routes=("a", "stop"),
        action_route=np.tile(np.array([0, 1], np.int32), n),
        action_delay_s=np.zeros(2 * n, np.int64),
        offsets=np.arange(0, 2 * n + 1, 2),
        chosen=np.array([int(row.route == "stop") for row in rows], np.int64),
        propensity=np.full(n, 0.5),
        reward=numbers("reward"),
        outcome={
            "approved": numbers("approved"),
            "fee_minor": numbers("fee"),
            "latency_ms": numbers("latency"),
            "reward": numbers("reward"),
        },
    )


def written(path: Path, rows: Sequence[Row]) -> Path:
    """A log of these rows."""
    write_log(path, [batch_of(rows)], PropensitySource.LOGGED)
    return path


def experiment_rows(n: int, rates: tuple[float, float], seed: int = 1) -> list[Row]:
    """n payments of ``live`` and ``new``, one decision each, a minute apart; n / 4 before them
    have no arm, and are paid at 0.8. A card is paid always or seldom."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(-(n // 4), n):
        arm = int(rng.integers(0, 2)) if number >= 0 else None
        rate = 0.8 if arm is None else rates[arm]
        card = int(rng.integers(0, 50))
        chance = min(1.0, rate + (0.1 if card < 25 else -0.1))
        rows.append(
            Row(
                f"p{number}",
                60 * (number + n // 4),
                None if arm is None else ("live", "new")[arm],
                float(rng.random() < chance),
                fee=30.0,
                card=f"c{card}",
                network="visa" if rng.random() < 0.7 else "amex",
                experiment=None if arm is None else "spring",
            )
        )
    return rows
