"""What the guard takes for failing, how sure it wants to be, and how it probes."""

from __future__ import annotations

import math

import msgspec

from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, Kind


class GuardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a guard.

    Attributes
    ----------
    outcomes_between_false_alarms
        mean number of a route's outcomes from one false alarm of a test to the next, at least, by
        Lorden's bound (1971, Theorem 2): a likelihood-ratio CUSUM with threshold h has an average
        run length of exp(h) or more. A route with 50 outcomes a second has 4.3 million a day, so
        1e8 is a false alarm of a test every 23 days at most. The bound is for independent outcomes.
    outcomes_between_false_returns
        the same for the probes of a route that is down.
    failing
        share of technical failures of a route that is down.
    unreachable
        share of answers 'issuer or switch inoperative' of a route that is down. High, because
        issuers have outages of their own.
    approvals_left
        share of its usual approvals that a route that is down still gets.
    silent
        share of answers that stay away from a route that is down.
    memory
        outcomes over which the usual rates of a route are averaged.
    probes_per_minute
        attempts a minute by which a route that is down is probed.
    least_share, most_share
        bounds of the share of its usual traffic that a route that is down gets. The smaller one
        bounds the weights of what is logged.
    horizon_s
        actions with a longer delay are left alone: by then the route may be up again.
    late_ms
        an answer that took this long counts as a technical failure.
    dimension
        context column of names; a route can be down for one of its values alone. None: for all or
        for none.
    """

    outcomes_between_false_alarms: float = 1e8
    outcomes_between_false_returns: float = 1e3
    failing: float = 0.5
    unreachable: float = 0.8
    approvals_left: float = 0.4
    silent: float = 0.9
    memory: int = 2_000
    probes_per_minute: float = 10.0
    least_share: float = 0.002
    most_share: float = 0.1
    horizon_s: int = 3_600
    late_ms: float = 20_000.0
    dimension: str | None = "network"

    def __post_init__(self) -> None:
        for name in ("outcomes_between_false_alarms", "outcomes_between_false_returns"):
            self._check(name, 1.0 < getattr(self, name) < math.inf, "a number above 1")
        for name in ("failing", "unreachable", "silent"):
            self._check(name, 0.1 <= getattr(self, name) < 1.0, "at least 0.1, below 1")
        self._check("approvals_left", 0.0 < self.approvals_left <= 0.95, "above 0, at most 0.95")
        self._check("memory", self.memory >= 10, "10 or more")
        self._check("probes_per_minute", 0.0 < self.probes_per_minute < math.inf, "above 0")
        self._check("least_share", 0.0 < self.least_share <= 1.0, "above 0, at most 1")
        self._check("most_share", self.least_share <= self.most_share <= 1.0, "least_share to 1")
        self._check("horizon_s", self.horizon_s >= 0, "0 or more")
        self._check("late_ms", self.late_ms > 0.0, "above 0")
        known = CONTEXT_BY_NAME.get(self.dimension or "network")
        self._check("dimension", known is not None and known.kind == Kind.CATEGORY, "a category")

    @property
    def alarm(self) -> float:
        """Threshold of a test on a route that is up, as a log likelihood ratio."""
        return math.log(self.outcomes_between_false_alarms)

    @property
    def back(self) -> float:
        """Threshold of the test on a route that is down."""
        return math.log(self.outcomes_between_false_returns)

    def _check(self, name: str, sound: bool, expected: str) -> None:
        if not sound:
            raise UserError(f"guard: {name} is {getattr(self, name)!r}; expected {expected}")
