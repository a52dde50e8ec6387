"""Alarms by fixed thresholds, as they are set by hand in a monitoring system."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from authopt.alarms.alarm import Alarm
from authopt.alarms.counts import ALL, READ, Minute, Stream

MINUTE_US = 60_000_000
SHORT, LONG = 5, 15
"""Minutes over which failures of a route, and all else, are taken."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """By how much a share may be worse than the mean of all before, and of how many outcomes.

    Attributes
    ----------
    name
        for tables.
    points
        of any share but failures.
    failures
        largest share of technical failures of a route.
    least
        outcomes in the window, below which nothing is said.
    """

    name: str
    points: float
    failures: float
    least: int


TIGHT = Thresholds("fixed, 5 points", 0.05, 0.1, 50)
LOOSE = Thresholds("fixed, 10 points", 0.1, 0.3, 100)
_LEARNT = 1_000


@dataclass(slots=True)
class _Share:
    minutes: int
    window: deque[tuple[int, float, float]] = field(default_factory=deque)
    n: float = 0.0
    bad: float = 0.0
    firing: bool = False

    def step(
        self, at: int, n: float, bad: float, thresholds: Thresholds, is_failures: bool
    ) -> bool | None:
        """Whether it begins to fire, or ends; None: neither."""
        self.window.append((at, n, bad))
        while self.window[0][0] <= at - self.minutes:
            self.window.popleft()
        now = sum(each[1] for each in self.window)
        known = self.n >= _LEARNT
        if now >= thresholds.least and (known or is_failures):
            most = thresholds.failures if is_failures else self.bad / self.n + thresholds.points
            was, self.firing = self.firing, sum(each[2] for each in self.window) / now > most
            if was != self.firing:
                return self.firing
        if not self.firing:
            self.n, self.bad = self.n + n, self.bad + bad
        return None


_WATCHED = {
    "all": {
        "declines": "rate",
        "fallbacks": "fallback",
        "overdue": "outcomes-missing",
        "less sure": "propensity",
        "surer": "propensity",
        "charged": "rule-fees",
    },
    "route": {"failures": "route-down"},
    "issuer": {"declines": "rate:issuer"},
    "country": {"declines": "rate:country"},
    "network": {"declines": "rate:network"},
}


@dataclass(slots=True)
class FixedAlarms:
    """All of them."""

    thresholds: Thresholds
    shares: dict[tuple[Stream, str], _Share] = field(default_factory=dict)

    def step(self, minute: Minute) -> list[Alarm]:
        """Take in the next minute: what begins to fire, and what ends."""
        said = []
        at = minute.start_us // MINUTE_US
        for stream, counts in minute.streams.items():
            for test, name in _WATCHED[stream[0]].items():
                n, bad = READ[test](counts)
                is_failures = test == "failures"
                key = stream, test
                if key not in self.shares:
                    self.shares[key] = _Share(SHORT if is_failures else LONG)
                turned = self.shares[key].step(at, n, bad, self.thresholds, is_failures)
                if turned is not None:
                    at_us = minute.start_us + MINUTE_US
                    subject = name if stream == ALL else f"{name}:{stream[1]}"
                    said.append(Alarm(subject, turned, at_us, at_us, "", {}, name, *stream))
        return said
