"""A log whose payments are followed one by one: rows of a payment together, payments by time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from authopt.batch import BoolArray, IntArray, LoggedBatch, TimeArray
from authopt.errors import UserError
from authopt.logs.files import read_log


@dataclass(frozen=True, eq=False)
class LoggedPayments:
    """A log in memory, ready to be followed.

    Attributes
    ----------
    batch
        n decisions: payments in the order of their first decision, the decisions of a payment
        together and in their order. Its reward is the outcome ``approved``.
    start
        int64[payments + 1], the rows of payment ``p`` are ``start[p]:start[p + 1]``.
    """

    batch: LoggedBatch
    start: IntArray

    @property
    def payments(self) -> int:
        """How many payments there are."""
        return len(self.start) - 1

    @cached_property
    def payment(self) -> IntArray:
        """int64[n], the payment of each row."""
        return np.repeat(np.arange(self.payments), np.diff(self.start))

    @cached_property
    def place_of_payment(self) -> dict[str, int]:
        """The place of a payment by its id."""
        ids = self.batch.payment_id.take(self.start[:-1])
        return {name: place for place, name in enumerate(ids.to_pylist())}

    @cached_property
    def sent_at(self) -> TimeArray:
        """datetime64[us][n], when the attempt that the log decided on was sent."""
        return sent_at(self.batch)

    @cached_property
    def declined(self) -> BoolArray:
        """bool[n], an attempt was made and is known to have been declined."""
        made = ~self.batch.is_stop[self.batch.chosen_action]
        return np.asarray(made & (self.batch.reward == 0))

    def next_row(self, row: IntArray) -> IntArray:
        """int64[k], the row of the same payment after each row; -1 where there is none."""
        following = row + 1
        known = (row >= 0) & (following < self.batch.n)
        at = np.where(known, following, 0)
        return np.where(known & (self.payment[at] == self.payment[row]), at, -1)

    def first(self, payments: int) -> LoggedBatch:
        """The decisions of the first payments."""
        return self.batch.take(slice(0, int(self.start[min(payments, self.payments)])))


def sent_at(batch: LoggedBatch) -> TimeArray:
    """datetime64[us][n], when the attempts decided on are sent."""
    delay = batch.action_delay_s[batch.chosen_action].astype("m8[s]")
    return np.asarray(batch.decided_at + delay)


def in_payments(batch: LoggedBatch) -> LoggedPayments:
    """The rows of a log by payment.

    Raises
    ------
    UserError
        If the log knows no outcome at all.
    """
    approved = batch.outcome.get("approved")
    if not isinstance(approved, np.ndarray) or not np.isfinite(approved).any():
        raise UserError(
            "the log has no outcome (its column approved is missing or empty), so there is nothing "
            "that a replay could give back"
        )
    code = np.asarray(batch.payment_id.dictionary_encode().indices)
    first = np.full(int(code.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, code, batch.decided_at.astype(np.int64))
    order = np.lexsort((batch.decided_at, batch.attempt, code, first[code]))
    code = code[order]
    start = np.flatnonzero(np.diff(code, prepend=-1))
    ordered = replace(batch.take(order), reward=np.asarray(approved, np.float64)[order])
    return LoggedPayments(ordered, np.append(start, batch.n).astype(np.int64))


def read_payments(path: Path) -> LoggedPayments:
    """A log file, whole in memory.

    Raises
    ------
    UserError
        If the file is not an attempt log, has an unsound row, or knows no outcome.
    """
    batch = read_log(path)
    try:
        return in_payments(batch)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
