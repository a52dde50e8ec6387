"""A test of one share against what is usual for it, and of its way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from authopt.alarms.evidence import Evidence, log_ratio
from authopt.alarms.usual import Usual
from authopt.alarms.week import HOUR_US
from authopt.errors import UserError

ERRORS = 3.0
"""Standard errors by which the usual share may be mistaken."""

DOUBTED_US = 24 * HOUR_US
"""For how long outcomes that may be the beginning of an alarm are kept from what is usual."""

_HIGHEST = 1.0 - 1e-4


@dataclass(frozen=True, slots=True)
class ShareTest:
    """What a share has to do to be out of the usual.

    Attributes
    ----------
    name
        what the share is of, such as ``declines``.
    tolerated
        how far above its usual value it may be at any time: a number of points (0-1).
    tolerated_of_room
        the same as a share of what is left up to 1; the larger of both counts.
    most_of_room
        the points tolerated are never more than this share of what is left up to 1, so that a
        share close to 1 can still rise.
    looked_for
        rises above that, each as a share of what is left up to 1; the evidence for them is
        averaged.
    least_seen
        outcomes that must have been seen before anything is judged, with their weights.
    least_ever
        the same without weights: few outcomes a day reach it in the end, too.
    by_hour
        whether each hour of the day has a usual value of its own.
    half_life_days
        after which outcomes have half their weight in what is usual.

    Raises
    ------
    UserError
        If a value is out of its range.
    """

    name: str
    tolerated: float = 0.01
    tolerated_of_room: float = 0.0
    most_of_room: float = 1.0
    looked_for: tuple[float, ...] = (0.02, 0.05, 0.15, 0.5)
    least_seen: int = 1_000
    least_ever: int = 0
    by_hour: bool = True
    half_life_days: float = 7.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.tolerated < 1.0 and 0.0 <= self.tolerated_of_room < 1.0):
            raise UserError(f"{self.name}: what is tolerated must be at least 0 and below 1")
        if not 0.0 < self.most_of_room <= 1.0:
            raise UserError(f"{self.name}: most_of_room must be above 0 and at most 1")
        if not self.looked_for or not all(0.0 < each < 1.0 for each in self.looked_for):
            raise UserError(f"{self.name}: looked_for must hold shares above 0 and below 1")
        if self.least_seen < 1 or self.half_life_days <= 0.0:
            raise UserError(f"{self.name}: least_seen and half_life_days must be above 0")


class Doubted(msgspec.Struct):
    """Outcomes of an hour that may belong to an alarm yet to come.

    Attributes
    ----------
    start_us
        of the hour, microseconds since 1970.
    n, bad
        outcomes, and the sum of them that is bad.
    """

    start_us: int
    n: float = 0.0
    bad: float = 0.0


class ShareTally(msgspec.Struct):
    """What a :class:`ShareTest` has seen.

    Attributes
    ----------
    usual, evidence
        what is usual, and what speaks against it.
    doubted
        what may be the beginning of an alarm, by the hour: it becomes usual once the evidence is
        gone, and never if the alarm is raised. To leave it out for good would teach the good
        minutes alone.
    bad_share, usual_share
        of the alarm: how bad it was when it was raised, and what was usual.
    recovery
        while the alarm fires, log likelihood ratio of "as usual" against "as bad".
    """

    usual: Usual = msgspec.field(default_factory=Usual)
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    doubted: list[Doubted] = []
    bad_share: float = 0.0
    usual_share: float = 0.0
    recovery: float = 0.0

    def ready(self, test: ShareTest) -> bool:
        """Whether enough is known to judge."""
        return self.usual.seen >= test.least_seen and self.usual.ever >= test.least_ever

    def learn(self, start_us: int, n: float, bad: float, test: ShareTest) -> None:
        """Take outcomes for usual ones, and those that were in doubt."""
        for each in self.doubted:
            self._usual(each.start_us, each.n, each.bad, test)
        self.doubted.clear()
        self._usual(start_us, n, bad, test)

    def doubt(self, start_us: int, n: float, bad: float, test: ShareTest) -> None:
        """Keep outcomes of a minute from what is usual for now."""
        hour_us = start_us - start_us % HOUR_US
        if not self.doubted or self.doubted[-1].start_us < hour_us:
            self.doubted.append(Doubted(hour_us))
        self.doubted[-1].n += n
        self.doubted[-1].bad += bad
        while self.doubted[0].start_us <= hour_us - DOUBTED_US:
            old = self.doubted.pop(0)
            self._usual(old.start_us, old.n, old.bad, test)

    def _usual(self, start_us: int, n: float, bad: float, test: ShareTest) -> None:
        self.usual.learn(start_us, n, bad, by_hour=test.by_hour, half_life_days=test.half_life_days)

    def judge(self, start_us: int, n: float, bad: float, test: ShareTest, threshold: float) -> bool:
        """Take in a minute while the alarm is clear: whether it should fire."""
        if n <= 0.0 or not self.ready(test):
            return False
        usual = self.usual.share(start_us)
        left = 1.0 - usual
        room = max(min(test.tolerated, test.most_of_room * left), test.tolerated_of_room * left)
        room += ERRORS * self.usual.error(start_us, usual)
        bound = min(usual + room, _HIGHEST)
        others = [bound + each * (1.0 - bound) for each in test.looked_for]
        self.evidence.add(start_us, n, bad, usual, bound, others, math.log(threshold) / 2.0)
        if self.evidence.total < threshold:
            return False
        since = self.evidence.since
        self.usual_share = since.usual / since.n
        # Half way to what is looked for, at least, so that the way back can be told from it.
        self.bad_share = min(max(since.bad / since.n, others[0]), _HIGHEST)
        self.recovery = 0.0
        return True

    def recovered(self, start_us: int, n: float, bad: float, sure: float) -> bool:
        """Take in a minute while the alarm fires: whether it looks as usual again.

        Parameters
        ----------
        start_us, n, bad
            of the minute.
        sure
            outcomes' worth of evidence: the ratio of likelihoods that is asked for.
        """
        good = self.usual.share(start_us) if self.usual.n else self.usual_share
        if n > 0.0 and good < self.bad_share:
            ratio = log_ratio(n, bad, self.bad_share, good)
            self.recovery = max(self.recovery + min(ratio, math.log(sure) / 2.0), 0.0)
        return self.recovery >= math.log(sure)
