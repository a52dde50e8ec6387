"""The columns that a best-time model may read: of a decision, and of each action's attempt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.batch import Categorical, DecisionBatch, IntArray
from authopt.features.attempt_time import DAY_S, HOUR_S, attempt_times
from authopt.features.tabular import Table, action_table, decision_table


def decision_columns(batch: DecisionBatch) -> Table:
    """The columns of ``decision_table`` that can be features: no references and no times."""
    return {
        name: column
        for name, column in decision_table(batch).items()
        if isinstance(column, Categorical | np.ndarray)
    }


def attempt_columns(batch: DecisionBatch, actions: IntArray | slice = slice(None)) -> Table:
    """Those of ``action_table``, and when the attempt would be made: hour, weekday, day of the
    month, and the time since the payment's first and last attempt.

    The clock is the cardholder's; that of UTC where no decision has a ``local_hour``.

    Parameters
    ----------
    batch
        n decisions with m actions.
    actions
        which of the m actions; all by default.
    """
    clocked = batch if "local_hour" in batch.context else _at_utc(batch)
    times = {name: column[actions] for name, column in attempt_times(clocked).items()}
    return {**action_table(batch, actions), **times}


def _at_utc(batch: DecisionBatch) -> DecisionBatch:
    utc_s = batch.decided_at.astype("M8[s]").astype(np.int64)
    # 1970-01-01 was a Thursday, day 4.
    clock = {"local_hour": utc_s // HOUR_S % 24, "local_day": (utc_s // DAY_S + 3) % 7 + 1}
    columns = {name: column.astype(np.float64) for name, column in clock.items()}
    return replace(batch, context={**batch.context, **columns})
