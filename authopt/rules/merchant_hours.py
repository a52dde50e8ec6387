"""Hours in which the merchant lets the cardholder sleep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch
from authopt.payments import Initiator
from authopt.rules.merchant_context import PER_HOUR, Found, found, number, place

HOURS = 24
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """No attempt in some hours of the cardholder's day, judged at the time of the attempt.

    The hour of the attempt is the context's ``local_hour`` moved on by the delay, from the minute
    of ``decided_at``: exact where the cardholder's clock is whole hours apart from UTC and is not
    put forward or back meanwhile, and for delays of whole hours everywhere else.

    Attributes
    ----------
    start, end
        hours 0-23 and 1-24: from the start's first minute to just before the end. A start after the
        end spans midnight.
    initiators
        whose payments are concerned.
    days
        ISO days of the week on which they hold (1 Monday - 7 Sunday), by the day of the attempt
        itself; all by default.
    keep_unknown
        what happens where the hour, the day or the initiator is missing.
    """

    start: int
    end: int
    initiators: tuple[str, ...] = (Initiator.MIT,)
    days: tuple[int, ...] = ()
    keep_unknown: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden: the hour, or that it is not known."""
        said = f"merchant's quiet hours: {self._span()} where the cardholder is"
        return said, f"{said}; the payment's hour, day or initiator is not known"

    @property
    def sentence(self) -> str:
        """What the rule does."""
        whose = " or ".join(name.upper() for name in self.initiators)
        unknown = "kept" if self.keep_unknown else "removed"
        return (
            f"No {whose} attempt is sent {self._span()} where the cardholder is; where the hour, "
            f"the day or the initiator is not known, the attempt is {unknown}."
        )

    def _span(self) -> str:
        days = f" on {', '.join(DAYS[day - 1] for day in self.days)}" if self.days else ""
        return f"from {self.start:02d}:00 to {self.end:02d}:00{days}"

    def broken(self, batch: DecisionBatch) -> Found:
        """int8[m], 0 where the attempt falls into the hours, 1 where that is not known."""
        initiator = np.repeat(place(batch, "initiator", self.initiators), batch.counts)
        past_hour = (batch.decided_at - batch.decided_at.astype("M8[h]")) / PER_HOUR
        passed = np.floor(np.repeat(past_hour, batch.counts) + batch.action_delay_s / 3_600)
        at = np.repeat(number(batch, "local_hour"), batch.counts) + passed
        hour = at % HOURS
        if self.start < self.end:
            quiet = (hour >= self.start) & (hour < self.end)
        else:
            quiet = (hour >= self.start) | (hour < self.end)
        may_be_quiet = quiet | np.isnan(hour)
        if self.days:
            local_day = np.repeat(number(batch, "local_day"), batch.counts)
            day = (local_day - 1 + at // HOURS) % len(DAYS) + 1
            on_day = np.isin(day, self.days)
            quiet &= on_day
            may_be_quiet &= on_day | np.isnan(day)
        broken = quiet & (initiator >= 0)
        not_known = may_be_quiet & (initiator != -1) & ~broken & (not self.keep_unknown)
        return found(broken, not_known)
