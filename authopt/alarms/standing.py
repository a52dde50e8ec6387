"""Firing or clear, without flapping: how long each lasts at least.

An alarm that comes back soon after it was cleared is held twice as long as the time before, as
route flap damping does it in routers (RFC 2439): who is told of it is told ever less often.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from authopt.errors import UserError

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Holding:
    """How long an alarm stays as it is.

    Attributes
    ----------
    least_firing_s
        an alarm fires for at least so long.
    least_clear_s
        it is clear for at least so long before it fires again.
    again_within_s
        an alarm that fires again within so long after it was cleared fires for twice as long as the
        time before, at least.
    most_firing_s
        no alarm has to fire longer than this.

    Raises
    ------
    UserError
        If a time is negative, or they contradict each other.
    """

    least_firing_s: int = 600
    least_clear_s: int = 300
    again_within_s: int = 7_200
    most_firing_s: int = 14_400

    def __post_init__(self) -> None:
        if min(self.least_firing_s, self.least_clear_s, self.again_within_s) < 0:
            raise UserError("holding: times must be 0 or more")
        if self.most_firing_s < self.least_firing_s:
            raise UserError("holding: most_firing_s must be at least least_firing_s")


class Standing(msgspec.Struct):
    """Whether an alarm fires.

    Attributes
    ----------
    firing_since_us
        None while it is clear; microseconds since 1970.
    cleared_us
        when it was cleared the last time; None before.
    hold_s
        for how long it fires at least, this time or the last.
    """

    firing_since_us: int | None = None
    cleared_us: int | None = None
    hold_s: int = 0

    @property
    def firing(self) -> bool:
        """Whether it fires."""
        return self.firing_since_us is not None

    def fire(self, now_us: int, holding: Holding) -> bool:
        """Fire, if it may: whether it does now and did not before."""
        if self.firing:
            return False
        since_s = None if self.cleared_us is None else (now_us - self.cleared_us) / SECOND_US
        if since_s is not None and since_s < holding.least_clear_s:
            return False
        again = since_s is not None and since_s <= holding.again_within_s
        self.hold_s = (
            min(2 * self.hold_s, holding.most_firing_s) if again else holding.least_firing_s
        )
        self.firing_since_us = now_us
        return True

    def ease(self, now_us: int) -> bool:
        """Clear, if it may: whether it is now and was not before."""
        if self.firing_since_us is None:
            return False
        if now_us - self.firing_since_us < self.hold_s * SECOND_US:
            return False
        self.firing_since_us, self.cleared_us = None, now_us
        return True
