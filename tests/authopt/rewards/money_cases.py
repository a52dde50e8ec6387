"""Rewards in money and batches for their tests: a decision is a dict of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, LoggedBatch
from authopt.rewards import MoneyReward
from authopt.rewards.money_file import load_money_reward

PRICES = """
currency = "EUR"

[[fees]]
route = "adyen"
approved = { fixed = 20, bps = 100 }
declined = { fixed = 10 }

[[rates]]
currency = "USD"
from = 2026-01-01
rate = 0.8

[[rates]]
currency = "JPY"
from = 2026-01-01
rate = 0.006
"""

REWARD = """
currency = "EUR"
prices = "prices.toml"

[margin]
share = 0.10

[largest]
amount_minor = 100_000
fees_minor = 2_000
"""

OUTCOME = ("approved", "fee_minor", "outcome_at", "refunded_minor", "charged_back", "response_code")


def money_reward(folder: Path, text: str = REWARD, prices: str = PRICES) -> MoneyReward:
    """The reward of a file with this text."""
    (folder / "prices.toml").write_text(prices, "utf-8")
    (folder / "reward.toml").write_text(text, "utf-8")
    return load_money_reward(folder / "reward.toml")


def decisions(*rows: dict[str, Any]) -> LoggedBatch:
    """Attempts of 100.00 EUR by ``adyen`` on 2026-03-01, approved, unless a row says otherwise.

    A row's ``route`` is what was taken, of adyen, other and stop.
    """
    n = len(rows)
    base = {"amount_minor": 10_000.0, "currency": "EUR", "approved": 1.0}
    filled = [base | row for row in rows]
    names = dict.fromkeys(name for row in filled for name in row)
    columns = {name: _column([row.get(name) for row in filled]) for name in names}
    routes = ("adyen", "other", "stop")
    special = ("route", "attempt", "payment_id", "delay_s")
    return LoggedBatch(
        decision_id=pa.array([f"d{i}" for i in range(n)]),
        payment_id=pa.array([str(row.get("payment_id", f"p{i}")) for i, row in enumerate(rows)]),
        attempt=np.array([row.get("attempt", 1) for row in rows], np.int32),
        decided_at=np.full(n, np.datetime64("2026-03-01", "us")),
        context={
            name: column
            for name, column in columns.items()
            if name not in OUTCOME and name not in special
        },
        routes=routes,
        action_route=np.tile(np.arange(3, dtype=np.int32), n),
        action_delay_s=np.repeat([row.get("delay_s", 0) for row in rows], 3).astype(np.int64),
        offsets=np.arange(0, 3 * n + 1, 3, dtype=np.int64),
        chosen=np.array([routes.index(row.get("route", "adyen")) for row in rows], np.int64),
        propensity=np.full(n, 1 / 3),
        reward=np.full(n, np.nan),
        outcome={name: column for name, column in columns.items() if name in OUTCOME},
    )


def _column(values: list[Any]) -> Column:
    known = [value for value in values if value is not None]
    if known and isinstance(known[0], str):
        return Categorical.from_values(values)
    if known and isinstance(known[0], np.datetime64):
        return np.array([np.datetime64("NaT") if v is None else v for v in values], "M8[us]")
    return np.array([np.nan if value is None else value for value in values], np.float64)
