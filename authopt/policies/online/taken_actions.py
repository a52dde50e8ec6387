"""What became of the action that was taken, as the learner reads it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from authopt.batch import BoolArray, LoggedBatch, take_column
from authopt.durations import DAY_S


def ended(batch: LoggedBatch) -> BoolArray:
    """bool[n], whether the attempt got the payment paid."""
    approved = batch.outcome.get("approved")
    if isinstance(approved, np.ndarray):
        return np.asarray(np.asarray(approved) == 1.0)
    return np.asarray(batch.reward > 0.0)


def waited(batch: LoggedBatch) -> BoolArray:
    """bool[n], whether the attempt was made a day or more after the decision."""
    return np.asarray(batch.action_delay_s[batch.chosen_action] >= DAY_S)


def taken_alone(batch: LoggedBatch) -> LoggedBatch:
    """The decisions with the action that was taken as the only one."""
    at = batch.chosen_action
    kept: dict[str, Any] = {
        "action_route": batch.action_route[at],
        "action_delay_s": batch.action_delay_s[at],
        "offsets": np.arange(batch.n + 1, dtype=np.int64),
        "action_features": {
            name: take_column(column, at) for name, column in batch.action_features.items()
        },
        "chosen": np.zeros(batch.n, np.int64),
        "probability": None,
    }
    same = {item.name: getattr(batch, item.name) for item in fields(LoggedBatch)}
    return LoggedBatch(**(same | kept))
