"""How often a payment is tried, and until when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch
from authopt.rules.durations import duration
from authopt.rules.merchant_context import Found, found, number


@dataclass(frozen=True, slots=True)
class MaxAttempts:
    """At most so many attempts of one payment, the first included."""

    most: int

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden."""
        return (f"merchant's limit: {self.most} attempts of one payment",)

    @property
    def sentence(self) -> str:
        """What the rule does."""
        return f"A payment is tried at most {self.most} times."

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], 0 where the attempt is beyond the limit."""
        if int(batch.attempt.max(initial=0)) <= self.most:
            return None
        return found(np.repeat(batch.attempt > self.most, batch.counts))


@dataclass(frozen=True, slots=True)
class AttemptsInWindow:
    """At most so many attempts of one payment within any stretch of ``within_s`` seconds.

    The context tells the times of the payment's first and last attempt, not of those between, so
    the rule counts every attempt that may lie in the window: none before the first, and none at all
    once the last is older than the window. It is never broken, and where more than two attempts
    were made it may wait longer than it had to. An unknown time counts as now.
    """

    most: int
    within_s: int

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden."""
        attempts = "1 attempt" if self.most == 1 else f"{self.most} attempts"
        return (f"merchant's limit: {attempts} of one payment in {duration(self.within_s)}",)

    @property
    def sentence(self) -> str:
        """What the rule does."""
        times = "once" if self.most == 1 else f"{self.most} times"
        return f"A payment is tried at most {times} within {duration(self.within_s)}."

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], 0 where too many attempts may lie in the window that ends with this one."""
        if int(batch.attempt.max(initial=0)) <= self.most:
            return None
        made = np.repeat(batch.attempt.astype(np.int64) - 1, batch.counts)
        inside = [
            np.repeat(np.nan_to_num(number(batch, name)), batch.counts) + batch.action_delay_s
            < self.within_s
            for name in ("seconds_since_first_attempt", "seconds_since_last_attempt")
        ]
        earlier = np.where(inside[0], made, np.where(inside[1], made - 1, 0))
        return found(earlier >= self.most)


@dataclass(frozen=True, slots=True)
class Deadline:
    """No attempt after the payment's deadline, where its context has one.

    ``seconds_to_deadline`` that is missing means that there is none.
    """

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden."""
        return ("merchant's deadline: the attempt would come after it",)

    @property
    def sentence(self) -> str:
        """What the rule does."""
        return "No attempt is sent after the payment's deadline, where it has one."

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], 0 where the delay is longer than the seconds to the deadline."""
        if "seconds_to_deadline" not in batch.context:
            return None
        left = np.repeat(number(batch, "seconds_to_deadline"), batch.counts)
        return found(batch.action_delay_s > left)
