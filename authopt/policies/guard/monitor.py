"""The health of one route: sequential tests on its outcomes, one by one as they come.

Each test is Page's CUSUM of log likelihood ratios ("Continuous inspection schemes", Biometrika 41,
1954) of a route that is down against one that is as usual: it starts again from 0 wherever that is
above the sum, and raises the alarm at a threshold set by Lorden's bound. While the route is down,
the same ratio with its sign turned tests its probes for the way back. A route that has just come
back starts half way to the alarm (Lucas and Crosier, "Fast initial response for CUSUM quality-
control schemes", Technometrics 24, 1982), so that coming back too soon costs little.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import msgspec

from authopt.policies.guard.settings import GuardSettings
from authopt.policies.guard.signs import Sign

MINUTE_US = 60_000_000
RECENT = 50
"""Answers over which a route's traffic is measured before it goes down."""

USUAL_FAILURES = 0.01
USUAL_UNREACHABLE = 0.03
LOWEST_USUAL = {"failures": 0.005, "unreachable": 0.02}
"""Rarer than this is not believed of a route: it would make one failure weigh too much."""

HIGHEST_USUAL = 0.1
USUAL_APPROVALS = 0.7
STRENGTH = 20.0
"""Outcomes' worth of the wider rate that a new one starts from."""

ELSEWHERE = 2.0
"""Log likelihood ratio that must be left without the merchant, or issuer, that adds most."""

HEALTHY = 1.0
"""Log likelihood ratio by which the rest of a route must look well for a part alone to be down."""

Cause = Literal["failures", "unreachable", "approvals", "silence"]


class Seen(NamedTuple):
    """One outcome.

    Attributes
    ----------
    sign
        a :class:`Sign`.
    at_us
        when it came, microseconds since 1970.
    retry
        whether it is not the payment's first attempt.
    merchant, issuer, value
        whose payment it is, and its value in the guard's dimension, where known.
    several
        whether the guard has seen several merchants.
    """

    sign: int
    at_us: int
    retry: bool
    merchant: str | None
    issuer: str | None
    value: str | None
    several: bool


class Rate(msgspec.Struct):
    """A mean that forgets: exponential weights once ``memory`` outcomes are in."""

    value: float
    seen: float = STRENGTH

    def add(self, outcome: float, memory: int) -> None:
        """Take in one outcome."""
        self.seen = min(self.seen + 1.0, float(memory))
        self.value += (outcome - self.value) / self.seen


class Evidence(msgspec.Struct):
    """A test's sum of log likelihood ratios, where it started from, and who added to it."""

    total: float = 0.0
    since_us: int = 0
    merchants: dict[str, float] = {}
    issuers: dict[str, float] = {}
    values: dict[str, float] = {}

    def add(self, ratio: float, seen: Seen) -> None:
        """Add the log likelihood ratio of one outcome."""
        if self.total <= 0.0:
            if ratio <= 0.0:
                return
            self.since_us = seen.at_us
        self.total += ratio
        if self.total <= 0.0:
            self.clear()
            return
        for parts, name in (
            (self.merchants, seen.merchant),
            (self.issuers, seen.issuer),
            (self.values, seen.value),
        ):
            if name is not None:
                parts[name] = parts.get(name, 0.0) + ratio

    def clear(self, total: float = 0.0) -> None:
        """Start again."""
        self.total = total
        for parts in (self.merchants, self.issuers, self.values):
            parts.clear()

    def is_widespread(self, several: bool) -> bool:
        """Whether it does not rest on one merchant or one issuer, where there are several."""
        return all(
            (len(parts) < 2 and not several) or _without_largest(parts) >= ELSEWHERE
            for parts in (self.merchants, self.issuers)
            if parts
        )

    def lone_value(self) -> str | None:
        """The value that it rests on, where all others together speak against it."""
        if len(self.values) < 2 or _without_largest(self.values) > -HEALTHY:
            return None
        return max(self.values, key=self.values.__getitem__)


class Down(msgspec.Struct):
    """That a route is down: since when, by which test, and how it is probed."""

    since_us: int
    cause: Cause
    share: float
    recovery: float = 0.0
    probes: int = 0
    counted_from_us: int = 0
    counted: int = 0


class Monitor(msgspec.Struct):
    """What is known of one route, or of one route for one value of the guard's dimension.

    Attributes
    ----------
    failures, unreachable
        usual share of technical failures, and of issuers that are out of reach.
    first, retry
        usual share of approvals among first attempts and retries; answers about the card alone do
        not count.
    evidence
        by test.
    recent_us
        when the last answers came, microseconds since 1970.
    down
        None while the route is up.
    """

    first: Rate
    retry: Rate
    failures: Rate = msgspec.field(default_factory=lambda: Rate(USUAL_FAILURES))
    unreachable: Rate = msgspec.field(default_factory=lambda: Rate(USUAL_UNREACHABLE))
    evidence: dict[Cause, Evidence] = {}
    recent_us: list[int] = []
    down: Down | None = None

    def observe(self, seen: Seen, settings: GuardSettings) -> Cause | None:
        """Take in one outcome: the test that raises the alarm, if any; the route may come back."""
        ratios = self._ratios(seen, settings)
        self._learn(seen, settings.memory)
        if self.down is not None:
            self._probed(self.down, ratios, settings)
            return None
        self._note_time(seen.at_us)
        for cause, ratio in ratios.items():
            evidence = self.evidence.setdefault(cause, Evidence())
            evidence.add(ratio, seen)
            if evidence.total < settings.alarm:
                continue
            if cause != "approvals" or evidence.is_widespread(seen.several):
                return cause
            evidence.total = settings.alarm
        return None

    def go_down(self, cause: Cause, at_us: int, settings: GuardSettings) -> None:
        """The route is down from now on, by a test."""
        wanted = settings.probes_per_minute / max(self._per_minute(at_us), 1e-9)
        share = min(max(wanted, settings.least_share), settings.most_share)
        self.down = Down(at_us, cause, share, counted_from_us=at_us)

    def started_us(self) -> int:
        """When what made the route go down began: the change point by Page's estimate."""
        assert self.down is not None
        evidence = self.evidence.get(self.down.cause)
        return self.down.since_us if evidence is None else evidence.since_us

    def adapt(self, now_us: int, settings: GuardSettings) -> None:
        """Once a minute, set the share of a route that is down by the probes that it got."""
        down = self.down
        if down is None or now_us - down.counted_from_us < MINUTE_US:
            return
        expected = settings.probes_per_minute * (now_us - down.counted_from_us) / MINUTE_US
        change = min(max(expected / max(down.counted, 0.5), 0.5), 2.0)
        down.share = min(max(down.share * change, settings.least_share), settings.most_share)
        down.counted_from_us, down.counted = now_us, 0

    def _probed(self, down: Down, ratios: dict[Cause, float], settings: GuardSettings) -> None:
        down.probes += 1
        down.counted += 1
        if down.cause == "silence":
            # Whatever it says, it is an answer.
            ratio = -math.log1p(-settings.silent)
        else:
            ratio = -ratios.get(down.cause, 0.0)
        down.recovery = max(down.recovery + ratio, 0.0)
        if down.recovery >= settings.back:
            self.down = None
            self.recent_us.clear()
            for evidence in self.evidence.values():
                evidence.clear()
            self.evidence.setdefault(down.cause, Evidence()).clear(settings.alarm / 2)

    def _ratios(self, seen: Seen, settings: GuardSettings) -> dict[Cause, float]:
        sign = seen.sign
        ratios: dict[Cause, float] = {
            "failures": _ratio(
                sign == Sign.FAILED, _usual(self.failures, "failures"), settings.failing
            ),
            "unreachable": _ratio(
                sign == Sign.UNREACHABLE,
                _usual(self.unreachable, "unreachable"),
                settings.unreachable,
            ),
        }
        if sign in (Sign.APPROVED, Sign.DECLINED):
            usual = min(max((self.retry if seen.retry else self.first).value, 0.02), 0.995)
            ratios["approvals"] = _ratio(
                sign == Sign.APPROVED, usual, usual * settings.approvals_left
            )
        return ratios

    def _learn(self, seen: Seen, memory: int) -> None:
        sign = seen.sign
        if sign in (Sign.APPROVED, Sign.DECLINED):
            (self.retry if seen.retry else self.first).add(float(sign == Sign.APPROVED), memory)
        if self.down is None:
            self.failures.add(float(sign == Sign.FAILED), memory)
            self.unreachable.add(float(sign == Sign.UNREACHABLE), memory)

    def _note_time(self, at_us: int) -> None:
        self.recent_us.append(at_us)
        if len(self.recent_us) > RECENT:
            del self.recent_us[0]

    def _per_minute(self, at_us: int) -> float:
        if not self.recent_us:
            return 0.0
        return len(self.recent_us) * MINUTE_US / max(at_us - self.recent_us[0], 1)


def new_monitor(wider: Monitor | None = None) -> Monitor:
    """A monitor that starts from the usual rates of a wider one, where there is one."""
    if wider is None:
        return Monitor(Rate(USUAL_APPROVALS), Rate(USUAL_APPROVALS / 2))
    return Monitor(
        Rate(wider.first.value),
        Rate(wider.retry.value),
        Rate(wider.failures.value),
        Rate(wider.unreachable.value),
    )


def _without_largest(parts: dict[str, float]) -> float:
    return sum(parts.values()) - max(parts.values())


def _usual(rate: Rate, which: str) -> float:
    return min(max(rate.value, LOWEST_USUAL[which]), HIGHEST_USUAL)


def _ratio(happened: bool, usual: float, down: float) -> float:
    """Log likelihood ratio of a Bernoulli outcome."""
    return math.log(down / usual) if happened else math.log((1.0 - down) / (1.0 - usual))
