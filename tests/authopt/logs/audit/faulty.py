"""Logs without a fault, and ways to plant one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, LoggedBatch
from tests.factories import logged_batch

HOUR = np.timedelta64(3600, "s")


def clean(n: int = 2_000, seed: int = 0, uniform_logging: bool = True) -> LoggedBatch:
    """One attempt per payment, with response codes that fit."""
    batch = logged_batch(n, seed=seed, attempts_per_payment=1, uniform_logging=uniform_logging)
    code = np.where(batch.reward == 1, 0, 1).astype(np.int32)
    return with_outcome(batch, response_code=Categorical(code, ("00", "51")))


def with_retries(payments: int = 500, seed: int = 0) -> LoggedBatch:
    """Two attempts per payment: a decline 51, and an hour later a retry that is approved."""
    batch = logged_batch(2 * payments, seed=seed, uniform_logging=True)
    retry = batch.attempt == 2
    codes = np.where(retry, 0, -1).astype(np.int32)
    approved = retry.astype(np.float64)
    batch = with_context(
        batch,
        previous_response_code=Categorical(codes, ("51",)),
        previous_route=Categorical(codes, ("adyen",)),
        seconds_since_first_attempt=np.where(retry, 3600.0, np.nan),
        seconds_since_last_attempt=np.where(retry, 3600.0, np.nan),
    )
    batch = with_outcome(
        batch,
        approved=approved,
        response_code=Categorical((1 - retry).astype(np.int32), ("00", "51")),
    )
    decided_at = batch.decided_at[(np.arange(batch.n) // 2) * 2] + np.where(retry, 1, 0) * HOUR
    return replace(batch, decided_at=decided_at, reward=approved)


def with_context(batch: LoggedBatch, **columns: Column) -> LoggedBatch:
    return replace(batch, context={**batch.context, **columns})


def with_outcome(batch: LoggedBatch, **columns: Column) -> LoggedBatch:
    return replace(batch, outcome={**batch.outcome, **columns})


def approved_where(batch: LoggedBatch, rows: Sequence[int], value: float) -> LoggedBatch:
    """The same log with another outcome in some rows; the codes stay as they are."""
    approved = np.array(batch.outcome["approved"])
    approved[list(rows)] = value
    return replace(with_outcome(batch, approved=approved), reward=approved)


def coded(batch: LoggedBatch, rows: Sequence[int], code: str, column: str) -> LoggedBatch:
    """The same log with another code in some rows."""
    table = batch.context if column.startswith("previous_") else batch.outcome
    before = table.get(column)
    values = before.values() if isinstance(before, Categorical) else [None] * batch.n
    for row in rows:
        values[row] = code
    change = with_context if column.startswith("previous_") else with_outcome
    return change(batch, **{column: Categorical.from_values(values)})


def renamed(batch: LoggedBatch, column: str, rows: Sequence[int], like: int) -> LoggedBatch:
    """The same log in which some rows have the id of another row."""
    ids = getattr(batch, column).to_pylist()
    for row in rows:
        ids[row] = ids[like]
    return replace(batch, **{column: pa.array(ids)})


def numbered(batch: LoggedBatch, rows: Sequence[int], attempt: int) -> LoggedBatch:
    """The same log with another attempt number in some rows."""
    attempts = batch.attempt.copy()
    attempts[list(rows)] = attempt
    return replace(batch, attempt=attempts)


def only(batch: LoggedBatch, route: int) -> LoggedBatch:
    """The same log, had one route been taken always, as it wrote down itself."""
    probability = (batch.action_route == route).astype(np.float64)
    chosen = np.full(batch.n, route, np.int64)
    return replace(batch, chosen=chosen, probability=probability, propensity=np.ones(batch.n))
