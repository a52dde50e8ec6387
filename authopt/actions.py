"""What can be done at a decision point: send the attempt to a route after a delay, or stop."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.errors import UserError

STOP_ROUTE = "stop"
"""Reserved route name: give the payment up. Its delay is always 0."""

MAX_DELAY_S = 60 * 24 * 3600
"""Longest delay that an action may have: 60 days, the longest published retry schedule."""


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """One action: ``route`` and ``delay_s`` (seconds from the decision to the attempt, 0 = now)."""

    route: str
    delay_s: int = 0

    def __post_init__(self) -> None:
        if not self.route:
            raise UserError("an action needs a route name; got an empty one")
        if not 0 <= self.delay_s <= MAX_DELAY_S:
            raise UserError(
                f"delay of route {self.route!r} is {self.delay_s} s; expected 0 to {MAX_DELAY_S} s"
            )
        if self.route == STOP_ROUTE and self.delay_s:
            raise UserError(f"the action 'stop' has no delay; got {self.delay_s} s")

    @property
    def is_stop(self) -> bool:
        """Whether this action gives the payment up."""
        return self.route == STOP_ROUTE

    def __str__(self) -> str:
        return self.route if not self.delay_s else f"{self.route}+{self.delay_s}s"


STOP = Action(STOP_ROUTE)
