"""Payments as paths: the rows of each in order, and the weight of each path up to every step.

With w_t the weight of a payment's t-th decision, rho_t = w_1 ... w_t says how much more often the
evaluation policy would have come along this path. A path can also end where the log cannot follow:

- The evaluation policy gives up where the logging policy never does. What that brings is known
  (nothing), so this mass counts, with what was earned so far.
- It takes another action that the logging policy never takes. What would have followed is not
  known.

With the mass of both, the weights of whole paths have mean 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.spilled_rows import Rows, SpilledRows

HEAVIEST = 1e50
"""Products of weights are kept below it: nothing is learnt beyond, and fourth powers overflow."""


AT_A_TIME = 1 << 16
"""Rows whose columns are held at a time: 0.5 MB each."""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """P payments with n rows, all rows of a payment one below the other, in order.

    Attributes
    ----------
    rows
        ``payment_rows.ROW``, n of them.
    start
        int64[P], where each payment begins.
    payment
        int64[n], the payment (0 to P - 1) of each row.
    step
        int64[n], place of each row within its payment, from 0.
    before, after
        float64[n], weight of the path before and after each decision.
    ended
        float64[n], what of the path's weight has ended before each decision because the policy gave
        up where the logging policy never does.
    """

    rows: Rows
    start: IntArray
    payment: IntArray
    step: IntArray
    before: FloatArray
    after: FloatArray
    ended: FloatArray

    @classmethod
    def of(cls, rows: Rows) -> Paths:
        """From rows that are sorted by payment and, within it, in order."""
        n = len(rows)
        first = np.ones(n, np.bool_)
        np.not_equal(rows["payment"][1:], rows["payment"][:-1], out=first[1:])
        start = np.flatnonzero(first).astype(np.int64)
        payment = np.cumsum(first) - 1
        step = np.arange(n, dtype=np.int64) - start[payment] if n else np.zeros(0, np.int64)
        before, ended = np.ones(n), np.zeros(n)
        after = np.minimum(rows["w"], HEAVIEST)
        unseen = rows["stopping_unseen"]
        for place, some in _steps(step):
            if place:
                before[some] = after[some - 1]
                ended[some] = ended[some - 1] + before[some - 1] * unseen[some - 1]
                after[some] = np.minimum(before[some] * after[some], HEAVIEST)
        return cls(rows, start, payment, step, before, after, ended)

    @property
    def payments(self) -> int:
        """Number of payments."""
        return len(self.start)

    @property
    def last(self) -> IntArray:
        """int64[P], the last row of each payment."""
        return np.append(self.start[1:], len(self.rows)) - 1

    @property
    def follows(self) -> BoolArray:
        """bool[n], whether the row after it is of the same payment."""
        follows = np.ones(len(self.rows), np.bool_)
        follows[self.last] = False
        return follows

    @property
    def bucket(self) -> IntArray:
        """int64[P], the bucket of each payment: that of its first decision."""
        return self.rows["bucket"][self.start].astype(np.int64)

    @property
    def longest(self) -> int:
        """Most decisions of a payment; 0 where there are none."""
        return int(self.step.max(initial=-1)) + 1

    def steps(self) -> Iterator[tuple[int, IntArray]]:
        """Each step's number, from 0, with its rows."""
        return _steps(self.step)

    def total(self, values: FloatArray) -> FloatArray:
        """float64[P], sums over each payment of a value per row (float64[n])."""
        return np.asarray(np.add.reduceat(values, self.start)) if self.payments else np.zeros(0)

    def per_decision(self, values: FloatArray) -> FloatArray:
        """float64[P], sums of values, each weighted by the path up to its own decision."""
        return self.total(self.after * values)

    def whole(self, values: FloatArray) -> FloatArray:
        """float64[P], total value of each payment weighted by the whole path.

        Where a part of the path's weight ended with giving up, that part has what was earned until
        then.
        """
        weighted = self.after[self.last] * self.total(values)
        unseen = self.rows["stopping_unseen"]
        if unseen.any():
            earned = np.zeros(len(values))
            for place, some in self.steps():
                if place:
                    earned[some] = earned[some - 1] + values[some - 1]
            weighted += self.total(self.before * unseen * earned)
        return weighted

    @property
    def stopped_unseen(self) -> FloatArray:
        """float64[P], weight of the paths that ended with giving up where the log never does."""
        return self.total(self.before * self.rows["stopping_unseen"])

    @property
    def unsupported(self) -> FloatArray:
        """float64[P], weight of the paths that left the log: what follows is not known."""
        return self.total(self.before * self.rows["unsupported"])

    @property
    def is_open(self) -> BoolArray:
        """bool[P], whether the log ends the payment with a decline and without giving it up.

        Then the payer left, the rules allowed no more, or someone else gave up; a policy that goes
        on where that is possible would have gone on.
        """
        last = self.last
        return np.asarray((self.rows["made"][last] == 1) & (self.rows["approved"][last] == 0))


def paths_of(store: SpilledRows, at_a_time: int = AT_A_TIME) -> Iterator[Paths]:
    """All payments, some at a time: about as many rows, and never a part of a payment."""
    for rows in store.parts():
        payment = rows["payment"]
        start = 0
        while start < len(rows):
            end = min(start + at_a_time, len(rows))
            end = int(np.searchsorted(payment, payment[end - 1], side="right"))
            yield Paths.of(rows[start:end])
            start = end


def _steps(step: IntArray) -> Iterator[tuple[int, IntArray]]:
    order = np.argsort(step, kind="stable")
    ends = np.cumsum(np.bincount(step)) if len(step) else np.zeros(0, np.int64)
    for place, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        yield place, order[start:end]
