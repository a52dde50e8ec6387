"""When the retries of a payment are made: waits after each decline.

The waits of 1, 3, 5 and 7 days are those that Stripe's billing offers between retries
(help.heymarvelous.com, "Stripe Retry Schedule"; the custom schedule of
docs.stripe.com/billing/revenue-recovery/smart-retries). Others are written the same way: Yuno's 5
and 60 minutes, 5, 24, 48 and 96 hours after the first attempt (docs.y.uno/reference/retries), or
one retry a day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.policies.family import Options, SpecError
from authopt.rules.durations import duration, seconds_of

DAY_S = 86_400.0

Then = Literal["stop", "repeat"]
Since = Literal["decline", "first"]


@dataclass(frozen=True, slots=True)
class Timetable:
    """When the retries of a payment are made.

    Attributes
    ----------
    days
        wait before the first retry, the second and so on, in days; not negative.
    then
        after the last of them, ``stop`` gives the payment up where that is eligible, and
        ``repeat`` goes on with the last wait.
    since
        whether a wait counts from the ``decline`` before it or from the payment's ``first``
        attempt (the context's ``seconds_since_first_attempt``; 0 where it is missing).
    same_hour
        whether a retry falls a whole number of days after the first attempt, and so on the same
        hour of the day (but for the change to summer time). With it, waits count in whole days
        from the day of the decline.
    """

    days: tuple[float, ...] = (1.0, 3.0, 5.0, 7.0)
    then: Then = "stop"
    since: Since = "decline"
    same_hour: bool = False

    def __post_init__(self) -> None:
        if not self.days or not all(0.0 <= day < math.inf for day in self.days):
            given = "+".join(f"{day:g}" for day in self.days) or "nothing"
            raise UserError(f"the days of a schedule are {given}; expected numbers from 0 up")
        for name, kinds in (("then", Then), ("since", Since)):
            if (value := getattr(self, name)) not in get_args(kinds):
                expected = " or ".join(get_args(kinds))
                raise UserError(f"{name!r} of a schedule is {value!r}; expected {expected}")
        if self.same_hour and self.since == "first":
            raise UserError("a schedule of the same hour counts days from each decline")
        if self.then == "repeat" and self.since == "first":
            raise UserError("a schedule that counts from the first attempt cannot repeat its last")

    def __str__(self) -> str:
        when = "+".join(duration(round(day * DAY_S)) for day in self.days)
        when += "+..." if self.then == "repeat" else ""
        when += " after the first attempt" if self.since == "first" else ""
        return when + (" at the same hour" if self.same_hour else "")

    def is_over(self, batch: DecisionBatch) -> BoolArray:
        """bool[n], whether all retries of the payment were made and it is to be given up."""
        spent = batch.attempt > len(self.days) + 1
        return np.asarray(spent if self.then == "stop" else np.zeros(batch.n, np.bool_))

    def wanted_s(self, batch: DecisionBatch) -> FloatArray:
        """float64[n], seconds from the decision to the attempt; 0 or less at first attempts."""
        last = len(self.days) - 1
        waits = np.array(self.days)[np.clip(batch.attempt - 2, 0, last)] * DAY_S
        if self.same_hour:
            elapsed = _elapsed_s(batch)
            waits = np.round(elapsed / DAY_S) * DAY_S + waits - elapsed
        elif self.since == "first":
            waits = waits - _elapsed_s(batch)
        return np.where(batch.attempt > 1, waits, 0.0)


WEEKS = Timetable((1.0, 3.0, 5.0, 7.0), "repeat")
DAILY = Timetable((1.0,), "repeat")
SAME_HOUR = Timetable((1.0,), "repeat", same_hour=True)
NAMED = {"daily": DAILY, "same-hour": SAME_HOUR}


def _elapsed_s(batch: DecisionBatch) -> FloatArray:
    column = batch.context.get("seconds_since_first_attempt")
    if not isinstance(column, np.ndarray):
        return np.zeros(batch.n)
    return np.nan_to_num(np.asarray(column, np.float64), nan=0.0)


def on_time(batch: DecisionBatch, timetable: Timetable) -> BoolArray:
    """bool[m], the actions that a timetable leaves; all of them at first attempts.

    At least one of each decision is left.
    """
    starts, counts = batch.offsets[:-1], batch.counts
    stop = batch.is_stop
    attempts = np.add.reduceat((~stop).astype(np.int64), starts)
    stops = timetable.is_over(batch) & (attempts < counts)
    off = np.abs(batch.action_delay_s - np.repeat(timetable.wanted_s(batch), counts))
    off[stop] = np.inf
    near = off == np.repeat(np.minimum.reduceat(off, starts), counts)
    delay = np.where(near, batch.action_delay_s, np.iinfo(np.int64).max)
    near &= delay == np.repeat(np.minimum.reduceat(delay, starts), counts)
    keep = np.where(np.repeat(stops | (attempts == 0), counts), stop, near)
    return np.asarray(keep | np.repeat(batch.attempt <= 1, counts))


def timetable_of(options: Options) -> Timetable:
    """The timetable of a spec: ``days``, ``then`` and ``since``.

    Raises
    ------
    SpecError
        If a value is not understood.
    """
    text = options.text("days") or "1+3+5+7"
    table = NAMED.get(text)
    try:
        if table is None:
            table = Timetable(tuple(_days(part) for part in text.split("+")))
        return replace(
            table,
            then=cast(Then, options.text("then") or table.then),
            since=cast(Since, options.text("since") or table.since),
        )
    except ValueError:
        raise SpecError(
            f"policy {options.spec!r}: days is {text!r}; expected days such as 1+3+5+7, waits such "
            "as 5m+24h, daily or same-hour"
        ) from None
    except UserError as error:
        raise SpecError(f"policy {options.spec!r}: {error}") from None


def _days(text: str) -> float:
    """A number of days, or a length of time with its unit."""
    seconds = seconds_of(text) if text[-1:].isalpha() else None
    return float(text) if seconds is None else seconds / DAY_S
