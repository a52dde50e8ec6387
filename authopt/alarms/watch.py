"""One alarm: its tests, whether it fires, and what its share is while it does."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from authopt.alarms.counts import READ, Counts
from authopt.alarms.kinds import AlarmSettings, Kind
from authopt.alarms.share_test import ShareTally
from authopt.alarms.standing import SECOND_US, Standing

MINUTE_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class Turn:
    """That an alarm has been raised or cleared.

    Attributes
    ----------
    firing
        which of the two.
    test
        that raised it.
    since_us
        firing: about when it began; clear: since when it fired.
    share, usual, n
        bad share by that test, what is usual, and outcomes: of the time since it began, or since
        the alarm was raised.
    why
        how it ended: ``recovered``, ``accepted`` or ``forgotten``; ``raised`` while it fires.
    """

    firing: bool
    test: str
    since_us: int
    share: float
    usual: float
    n: float
    why: str


class Watch(msgspec.Struct):
    """What is known for one alarm.

    Attributes
    ----------
    tallies
        by test.
    standing
        whether it fires.
    cause
        test that raised it last.
    n, bad
        outcomes of that test since it was raised.
    seen_us
        end of the last minute with any outcome since then.
    """

    tallies: dict[str, ShareTally] = {}
    standing: Standing = msgspec.field(default_factory=Standing)
    cause: str = ""
    n: float = 0.0
    bad: float = 0.0
    seen_us: int = 0

    def learn(self, kind: Kind, start_us: int, counts: Counts) -> None:
        """Take the counts of a span of time for usual ones."""
        for test in kind.tests:
            n, bad = READ[test.name](counts)
            if n > 0.0:
                tally = self._tally(test.name)
                tally.usual.see(start_us, n, bad)
                tally.learn(start_us, n, bad, test)

    def step(
        self, kind: Kind, start_us: int, counts: Counts, threshold: float, settings: AlarmSettings
    ) -> Turn | None:
        """Take in a minute: whether the alarm is raised or cleared by it."""
        if self.standing.firing:
            return self._firing(kind, start_us, counts, settings)
        raised = None
        doubtful = False
        seen = []
        for test in kind.tests:
            n, bad = READ[test.name](counts)
            if n <= 0.0:
                continue
            tally = self._tally(test.name)
            tally.usual.see(start_us, n, bad)
            out = tally.judge(start_us, n, bad, test, threshold)
            if (
                out
                and raised is None
                and self.standing.fire(start_us + MINUTE_US, settings.holding)
            ):
                raised = test.name
            doubtful |= tally.evidence.total >= threshold**0.25
            seen.append((tally, test, n, bad))
        # What one test finds strange is not usual for the others either.
        for tally, test, n, bad in seen:
            (tally.doubt if doubtful else tally.learn)(start_us, n, bad, test)
        if raised is None:
            return None
        for each in self.tallies.values():
            each.doubted.clear()
        self.cause, self.n, self.bad, self.seen_us = raised, 0.0, 0.0, start_us + MINUTE_US
        tally = self.tallies[raised]
        since = tally.evidence.since
        return Turn(
            True,
            raised,
            since.start_us,
            since.bad / since.n,
            tally.usual_share,
            since.n,
            "raised",
        )

    def _firing(
        self, kind: Kind, start_us: int, counts: Counts, settings: AlarmSettings
    ) -> Turn | None:
        end_us = start_us + MINUTE_US
        tally = self._tally(self.cause)
        for test in kind.tests:
            n, bad = READ[test.name](counts)
            if n > 0.0:
                self._tally(test.name).usual.see(start_us, n, bad)
        n, bad = READ[self.cause](counts)
        if n > 0.0:
            self.n, self.bad, self.seen_us = self.n + n, self.bad + bad, end_us
        why = None
        since_us = self.standing.firing_since_us
        assert since_us is not None
        if tally.recovered(start_us, n, bad, settings.sure):
            why = "recovered"
        elif end_us - since_us >= settings.accept_after_s * SECOND_US:
            why = "accepted"
        elif end_us - self.seen_us >= settings.forget_after_s * SECOND_US:
            why = "forgotten"
        if why is None or not self.standing.ease(end_us):
            return None
        turn = Turn(
            False,
            self.cause,
            since_us,
            self.bad / self.n if self.n else 0.0,
            tally.usual_share,
            self.n,
            why,
        )
        if why == "accepted":
            self._accept(kind, start_us)
        for each in self.tallies.values():
            each.evidence.clear()
            each.recovery = 0.0
        return turn

    def _accept(self, kind: Kind, start_us: int) -> None:
        """What was seen since the alarm is what is usual from now on."""
        for test in kind.tests:
            if test.name == self.cause:
                tally = self.tallies[test.name] = ShareTally()
                tally.learn(start_us, self.n, self.bad, test)

    def _tally(self, test: str) -> ShareTally:
        return self.tallies.setdefault(test, ShareTally())
