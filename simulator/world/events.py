"""What can happen to a world at fixed times, on top of what it does by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from authopt.errors import UserError


@dataclass(frozen=True, slots=True)
class RouteDown:
    """Attempts by ``route`` from ``start`` to before ``end`` (UTC) are lost with chance ``share``.

    A lost attempt does not reach the issuer; it ends with response code 96.
    """

    route: str
    start: np.datetime64
    end: np.datetime64
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_times(self.start, self.end)
        if not 0.0 < self.share <= 1.0:
            raise UserError(f"RouteDown: share is {self.share}; expected above 0, at most 1")


@dataclass(frozen=True, slots=True)
class RouteDegraded:
    """Attempts by ``route`` from ``start`` to before ``end`` (UTC) get ``log_odds`` added.

    Attributes
    ----------
    log_odds
        of approval; negative is worse. They add to those of each payment, which differ much between
        payments: -1 costs about 3 points of approvals, -2 about 6, -4 about 18.
    issuer
        by name: only this issuer's cards are concerned; all where None.
    ramp_s
        seconds from ``start`` over which the change grows linearly to its full size; 0 = at once.
    """

    route: str
    start: np.datetime64
    end: np.datetime64
    log_odds: float
    issuer: str | None = None
    ramp_s: int = 0

    def __post_init__(self) -> None:
        _check_times(self.start, self.end)
        if not np.isfinite(self.log_odds):
            raise UserError(f"RouteDegraded: log_odds is {self.log_odds}; expected a number")
        if self.ramp_s < 0:
            raise UserError(f"RouteDegraded: ramp_s is {self.ramp_s}; expected at least 0")


@dataclass(frozen=True, slots=True)
class RouteAdded:
    """``route`` is offered at decisions made at ``at`` (UTC) or later, and not before."""

    route: str
    at: np.datetime64

    def __post_init__(self) -> None:
        if np.isnat(self.at):
            raise UserError("RouteAdded: at is not a time")


@dataclass(frozen=True, slots=True)
class FraudAttack:
    """About ``payments`` of the traffic from ``start`` to before ``end`` are made by card testers.

    They take the place of other arrivals (a traffic has a fixed number of payments): small amounts
    at ``merchant``, every payment with another card. Their payment ids begin with ``f`` where those
    of other payments begin with ``p``; ids are opaque to policies.

    Attributes
    ----------
    bins
        of the cards that are tested; all where it is empty.
    """

    merchant: str
    start: np.datetime64
    end: np.datetime64
    payments: int
    bins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_times(self.start, self.end)
        if self.payments < 1:
            raise UserError(f"FraudAttack: payments is {self.payments}; expected at least 1")


Event: TypeAlias = "RouteDown | RouteDegraded | RouteAdded | FraudAttack"


def seconds_of(time: np.datetime64) -> int:
    """Seconds since 1970, UTC."""
    return int(time.astype("M8[s]").astype(np.int64))


def _check_times(start: np.datetime64, end: np.datetime64) -> None:
    if not start < end:
        raise UserError(f"an event from {start} to {end}: expected an end after its start")
