"""Rules that change from one day to another: each action is judged by the day of its attempt."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

import numpy as np

from authopt.batch import DecisionBatch, IntArray, TimeArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Dated(Generic[T]):
    """What holds in each of k periods that follow each other without a gap.

    Attributes
    ----------
    days
        first day (UTC) of each period, rising; the first is the first of all days.
    starts
        datetime64[us][k], the same as instants.
    values
        what holds from then on.
    """

    days: tuple[date, ...]
    starts: TimeArray
    values: tuple[T, ...]

    @property
    def newest(self) -> T:
        """What holds in the last period."""
        return self.values[-1]

    def on(self, day: date) -> T:
        """What holds on a day."""
        return self.values[bisect_right(self.days, day) - 1]

    def pinned(self, day: date) -> Dated[T]:
        """What holds on a day, for ever."""
        return dated([date.min], lambda _: self.on(day))

    def per_action(
        self, batch: DecisionBatch, judge: Callable[[DecisionBatch, T], IntArray]
    ) -> IntArray:
        """Judge every action by what holds on the day of its attempt.

        Parameters
        ----------
        batch
            n decisions, m actions; an attempt is at ``decided_at`` plus the action's delay.
        judge
            gives one number for every action of the decisions handed to it.

        Returns
        -------
        int64[m]
        """
        # Delays are never negative: what is decided in the last period is attempted in it.
        if len(self.values) == 1 or not batch.m or batch.decided_at.min() >= self.starts[-1]:
            return judge(batch, self.newest)
        attempted_at = batch.decided_at[batch.decision_of_action] + batch.action_delay_s.astype(
            "m8[s]"
        )
        period = np.searchsorted(self.starts, attempted_at, side="right") - 1
        answer = np.empty(batch.m, np.int64)
        for place in np.unique(period).tolist():
            of_period = period == place
            rows = np.flatnonzero(np.logical_or.reduceat(of_period, batch.offsets[:-1]))
            # Logs are in the order of time: a slice copies nothing.
            first, last = int(rows[0]), int(rows[-1])
            actions = slice(int(batch.offsets[first]), int(batch.offsets[last + 1]))
            judged = judge(batch.take(slice(first, last + 1)), self.values[place])
            answer[actions][of_period[actions]] = judged[of_period[actions]]
        return answer


def dated(days: list[date], value_on: Callable[[date], T]) -> Dated[T]:
    """What holds in the periods that begin on the days given, and before the first of them."""
    first = sorted({date.min, *days})
    starts = np.array([day.isoformat() for day in first], "M8[us]")
    return Dated(tuple(first), starts, tuple(value_on(day) for day in first))
