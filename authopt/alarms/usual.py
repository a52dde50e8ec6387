"""What is usual: a share by hour of the day and of the week, with less weight the older."""

from __future__ import annotations

import math

import msgspec

from authopt.alarms.week import HOUR_US, LONGER, Week

DAY_US = 24 * HOUR_US
STRENGTH = 300.0
"""Outcomes' worth of the whole day's share that an hour's own starts from."""

_LEAST = 1e-4


class Usual(msgspec.Struct):
    """Sums of outcomes by hour of the day (UTC), or of the whole day together.

    Attributes
    ----------
    n, bad
        by cell: outcomes, and the sum of them that is bad less what the hours of the week add; both
        weighted.
    seen, seen_bad
        the same of all cells.
    ever
        outcomes, without weights.
    day
        up to which the weights are reckoned, days since 1970.
    week
        what the hours of the week add; None without hours.
    """

    n: list[float] = []
    bad: list[float] = []
    seen: float = 0.0
    seen_bad: float = 0.0
    ever: float = 0.0
    day: int = 0
    week: Week | None = None

    def learn(
        self, start_us: int, n: float, bad: float, *, by_hour: bool, half_life_days: float
    ) -> None:
        """Take in outcomes of a span of time that lies within an hour."""
        day = start_us // DAY_US
        if not self.n:
            self.n, self.bad = [0.0] * (24 if by_hour else 1), [0.0] * (24 if by_hour else 1)
            self.day, self.week = day, Week() if by_hour else None
        if day > self.day:
            self._turn(day - self.day, half_life_days)
            self.day = day
        if self.week is not None:
            bad -= n * self.week.at(start_us)
        cell = self._cell(start_us)
        self.n[cell] += n
        self.bad[cell] += bad
        self.seen += n
        self.seen_bad += bad
        self.ever += n

    def _turn(self, days: int, half_life_days: float) -> None:
        left = 0.5 ** (days / half_life_days)
        self.n = [each * left for each in self.n]
        self.bad = [each * left for each in self.bad]
        self.seen, self.seen_bad = sum(self.n), sum(self.bad)
        if self.week is not None:
            self.week.turn(left ** (1.0 / LONGER))

    def see(self, start_us: int, n: float, bad: float) -> None:
        """Take outcomes, usual or not, for what the hours of the week are like.

        What comes back every week is usual even where an alarm is raised each time.
        """
        week = self.week
        if week is None:
            return
        hour_us = start_us - start_us % HOUR_US
        if hour_us != week.start_us:
            # Against an hour of the day that is hardly known, everything deviates.
            if 0.0 < 2.0 * week.n <= self.n[self._cell(week.start_us)]:
                week.take_in(self._of_day(week.start_us))
            week.begin(hour_us)
        week.add(n, bad)

    def share(self, start_us: int) -> float:
        """The usual share at a time, in (0, 1); something must have been seen."""
        found = self._of_day(start_us)
        if self.week is not None:
            found += self.week.at(start_us)
        return min(max(found, _LEAST), 1.0 - _LEAST)

    def _of_day(self, start_us: int) -> float:
        found = self.seen_bad / self.seen
        if len(self.n) > 1:
            cell = self._cell(start_us)
            found = (self.bad[cell] + STRENGTH * found) / (self.n[cell] + STRENGTH)
        return found

    def error(self, start_us: int, share: float) -> float:
        """Standard error of the usual share at a time."""
        n = self.seen
        if len(self.n) > 1:
            n = min(self.n[self._cell(start_us)] + STRENGTH, n)
        return math.sqrt(share * (1.0 - share) / n)

    def _cell(self, start_us: int) -> int:
        return start_us % DAY_US // HOUR_US if len(self.n) > 1 else 0
