"""What an evaluation per payment keeps of every decision: a compact row, to be brought together.

The attempts of a payment stand far apart in a log that is in order of time, and they may even be
read by different processes. So a pass keeps 96 bytes per decision and policy: in memory up to
``IN_MEMORY`` rows, beyond that in a temporary file (4.8 GB for 50 M decisions) that is read back by
hash partition (:mod:`authopt.spilled_rows`). Payments are told apart by 64-bit hashes of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from authopt.batch import Categorical, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.block import Block, State
from authopt.evaluation.buckets import UIntArray
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import Terms
from authopt.hashing import hash_text, salted
from authopt.spilled_rows import SpilledRows

IN_MEMORY = 1 << 18
"""Rows kept in memory per policy: 25 MB."""

ROW = np.dtype(
    [
        ("payment", "u8"),
        ("attempt", "i4"),
        ("decided_at", "i8"),
        ("w", "f8"),
        ("r", "f8"),
        ("bucket", "i2"),
        ("made", "i1"),
        ("approved", "i1"),
        ("q", "f8"),
        ("v", "f8"),
        ("unsupported", "f8"),
        ("stopping", "f8"),
        ("stopping_unseen", "f8"),
        ("cost", "f8"),
        ("state", "u8"),
    ]
)
"""One decision. ``made`` is 0 where the logged action gives the payment up; ``stopping`` is the
evaluation policy's probability of giving up (NaN: not known), ``stopping_unseen`` the part of it
where the logging policy never gives up; ``unsupported`` the mass on all other actions that the
logging policy never takes; ``cost`` is NaN where it is not known; ``state`` a hash of what the
marginalised estimator takes for the state."""

PARTITIONS = 256
"""Of 50 M rows, 0.2 M are read back at a time: 19 MB."""

ORDER_BY = 5
"""Payment, attempt, time; then weight and reward, so that not even a duplicate's place is left to
the order of the log."""

STATE_COLUMNS = ("previous_response_code",)
"""What the marginalised estimator takes for the state, beside the number of the attempt."""

COST = "fee_minor"


@dataclass(slots=True, eq=False)
class PaymentSums:
    """The decisions of a log under one policy, to be brought together by payment.

    Attributes
    ----------
    rows
        of ``ROW``.
    largest_weight
        that any eligible action of any decision could have had; infinite where the log does not
        say.
    currencies
        hashes of the currencies seen: costs in minor units of different ones do not add up.
    state_columns
        context columns, beside the number of the attempt, that are the state.
    cost
        outcome column that is the cost of an attempt.
    """

    rows: SpilledRows = field(
        default_factory=lambda: SpilledRows(ROW, IN_MEMORY, ORDER_BY, PARTITIONS)
    )
    largest_weight: float = 0.0
    currencies: UIntArray = field(default_factory=lambda: np.empty(0, np.uint64))
    state_columns: tuple[str, ...] = STATE_COLUMNS
    cost: str = COST

    def add(self, block: Block, terms: Terms) -> None:
        """Add the decisions of a block.

        Parameters
        ----------
        block
            n decisions of an attempt log.
        terms
            the policy's terms for them. Without its probability of giving up (``stopping``) the
            doubly robust estimators know less, and the mass of giving up where the logging policy
            never did counts as unknown.

        Raises
        ------
        UserError
            If the log came as plain arrays, which have no payments.
        """
        batch, arrays, stopping = block.batch, block.arrays, terms.stopping
        if batch is None or block.payment is None:
            raise UserError(
                "values per payment need an attempt log with payment_id and attempt; plain arrays "
                "have neither"
            )
        n = arrays.n
        unsupported = np.zeros(n) if terms.unsupported is None else terms.unsupported
        unseen = _stopping_unseen(batch, arrays, stopping)
        rows = np.empty(n, ROW)
        rows["payment"] = block.payment
        rows["attempt"] = batch.attempt
        rows["decided_at"] = batch.decided_at.astype("M8[us]").astype(np.int64)
        rows["w"] = 1.0 if terms.w is None else terms.w
        rows["r"] = terms.r
        rows["bucket"] = block.bucket
        made = ~batch.is_stop[batch.chosen_action]
        rows["made"] = made
        rewarded = (terms.r > 0.0).astype(np.float64)
        rows["approved"] = made & (_outcome(batch, "approved", rewarded) == 1.0)
        rows["q"], rows["v"] = _predicted(batch, arrays, terms)
        rows["stopping"] = np.nan if stopping is None else stopping
        rows["stopping_unseen"] = unseen
        rows["unsupported"] = np.maximum(unsupported - unseen, 0.0)
        rows["cost"] = np.where(made, _outcome(batch, self.cost, np.full(n, np.nan)), 0.0)
        rows["state"] = _states(batch, self.state_columns)
        self.rows.add(rows)
        self.largest_weight = max(self.largest_weight, terms.largest_weight)
        self.currencies = np.union1d(self.currencies, _currencies(batch))

    def __add__(self, other: PaymentSums) -> PaymentSums:
        together = PaymentSums(
            largest_weight=max(self.largest_weight, other.largest_weight),
            currencies=np.union1d(self.currencies, other.currencies),
            state_columns=self.state_columns,
            cost=self.cost,
        )
        together.rows.extend(self.rows)
        together.rows.extend(other.rows)
        return together

    def __iadd__(self, other: PaymentSums) -> Self:
        self.largest_weight = max(self.largest_weight, other.largest_weight)
        self.currencies = np.union1d(self.currencies, other.currencies)
        self.rows.extend(other.rows)
        return self

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`.

        The array ``rows`` is memory-mapped where the rows were spilled: write it to a file as it
        is, and it takes no memory.
        """
        return {
            "rows": self.rows.everything(),
            "largest_weight": np.array(self.largest_weight),
            "currencies": self.currencies,
            "columns": np.array([self.cost, *self.state_columns]),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        cost, *columns = state["columns"].tolist()
        sums = cls(
            largest_weight=float(state["largest_weight"]),
            currencies=np.asarray(state["currencies"], np.uint64),
            state_columns=tuple(columns),
            cost=cost,
        )
        rows = state["rows"]
        for start in range(0, len(rows), IN_MEMORY):
            sums.rows.add(np.array(rows[start : start + IN_MEMORY], ROW))
        return sums


def stopping_mass(batch: LoggedBatch, probabilities: FloatArray) -> FloatArray:
    """float64[n], a policy's probability (float64[m]) of giving each payment up."""
    return batch.sum_by_decision(np.where(batch.is_stop, probabilities, 0.0))


def _stopping_unseen(
    batch: LoggedBatch, arrays: LoggedArrays, stopping: FloatArray | None
) -> FloatArray:
    if stopping is None or arrays.probability is None:
        return np.zeros(batch.n)
    taken = batch.is_stop[batch.chosen_action]
    never = stopping_mass(batch, arrays.probability) <= 0.0
    return np.where(never & ~taken, stopping, 0.0)


def _predicted(
    batch: LoggedBatch, arrays: LoggedArrays, terms: Terms
) -> tuple[FloatArray, FloatArray]:
    """Predicted reward of the logged action and of the policy: float64[n] each, NaN if unknown.

    Giving up is worth 0, whatever a model says: that needs no data, and where the logging policy
    never gives up there is none to correct the model by.
    """
    if arrays.q is None or terms.q is None or terms.v is None:
        return np.full(batch.n, np.nan), np.full(batch.n, np.nan)
    if terms.stopping is None:
        return terms.q, terms.v
    is_stop = batch.is_stop
    said = batch.sum_by_decision(np.where(is_stop, arrays.q, 0.0))
    ways = batch.sum_by_decision(is_stop.astype(np.float64))
    value = terms.v - terms.stopping * said / np.maximum(ways, 1.0)
    return np.where(is_stop[batch.chosen_action], 0.0, terms.q), value


def _outcome(batch: LoggedBatch, name: str, otherwise: FloatArray) -> FloatArray:
    column = batch.outcome.get(name)
    if not isinstance(column, np.ndarray) or column.dtype != np.float64:
        return otherwise
    return np.asarray(column, np.float64)


def _currencies(batch: LoggedBatch) -> UIntArray:
    column = batch.context.get("currency")
    if not isinstance(column, Categorical):
        return np.empty(0, np.uint64)
    seen = np.unique(column.codes)
    return np.array([hash_text(column.categories[code]) for code in seen if code >= 0], np.uint64)


def _states(batch: LoggedBatch, columns: Sequence[str]) -> UIntArray:
    """uint64[n], a hash of the values of context columns; those that are missing are left out."""
    state = np.zeros(batch.n, np.uint64)
    for name in columns:
        column = batch.context.get(name)
        if isinstance(column, Categorical):
            hashes = [hash_text(category) for category in column.categories]
            values = np.array([*hashes, 0], np.uint64)[column.codes]
        elif isinstance(column, np.ndarray) and column.dtype == np.float64:
            values = np.nan_to_num(np.asarray(column, np.float64)).view(np.uint64)
        else:
            continue
        state = salted(state ^ values, name)
    return state
