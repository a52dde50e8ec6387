"""What chargebacks cost: the real loss once one came, and the expected one while it may come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, FloatArray, LoggedBatch

WINDOW_DAYS = 120
"""By default; the networks' own limits differ by reason of the dispute."""


@dataclass(frozen=True, slots=True)
class Chargebacks:
    """How losses by chargeback are counted.

    The loss is the amount that was not paid back, and the fee. It is whole where ``charged_back``
    says so, 0 where it says no or where the window has passed, and else expected: the fraud score's
    share of it.

    Attributes
    ----------
    fee_minor
        of one chargeback, minor units of the reward's currency.
    window_days
        days after the outcome in which one may come.
    as_of
        when the log was written, UTC; None: the window never passes.
    fraud_score
        that counts where a row has none; None where every row must have one.
    """

    fee_minor: int
    window_days: int = WINDOW_DAYS
    as_of: np.datetime64 | None = None
    fraud_score: float | None = None

    def share_of(self, batch: LoggedBatch, approved: BoolArray) -> FloatArray:
        """float64[n], the share of the loss that counts; NaN where it needs a missing score."""
        charged = batch.outcome.get("charged_back")
        known = np.full(batch.n, np.nan)
        if isinstance(charged, np.ndarray):
            known = np.asarray(charged, np.float64)
        score = np.full(batch.n, np.nan)
        column = batch.context.get("fraud_score")
        if isinstance(column, np.ndarray):
            score = np.asarray(column, np.float64)
        if self.fraud_score is not None:
            score = np.where(np.isnan(score), self.fraud_score, score)
        open_ = np.isnan(known) & ~self._passed(batch)
        share = np.where(open_, score, np.where(known == 1.0, 1.0, 0.0))
        return np.where(approved, share, 0.0)

    def _passed(self, batch: LoggedBatch) -> BoolArray:
        if self.as_of is None:
            return np.zeros(batch.n, np.bool_)
        delay = batch.action_delay_s[batch.chosen_action].astype("timedelta64[s]")
        at = batch.decided_at + delay
        told = batch.outcome.get("outcome_at")
        if isinstance(told, np.ndarray):
            at = np.where(np.isnat(told), at, told)
        return np.asarray(self.as_of - at > np.timedelta64(self.window_days, "D"), np.bool_)
