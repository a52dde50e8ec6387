"""What is usual: a share by hour of the day, over the last weeks, with less weight the older."""

from __future__ import annotations

import math

import msgspec

DAY_US = 86_400_000_000
STRENGTH = 300.0
"""Outcomes' worth of the whole day's share that an hour's own starts from."""

_LEAST = 1e-4


class Usual(msgspec.Struct):
    """Sums of outcomes by hour of the day (UTC), or of the whole day together.

    Attributes
    ----------
    n, bad
        by cell: outcomes, and the sum of them that is bad, both weighted.
    seen, seen_bad
        the same of all cells.
    day
        up to which the weights are reckoned, days since 1970.
    """

    n: list[float] = []
    bad: list[float] = []
    seen: float = 0.0
    seen_bad: float = 0.0
    day: int = 0

    def learn(
        self, start_us: int, n: float, bad: float, *, by_hour: bool, half_life_days: float
    ) -> None:
        """Take in outcomes of a span of time that lies within an hour."""
        day = start_us // DAY_US
        if not self.n:
            self.n, self.bad = [0.0] * (24 if by_hour else 1), [0.0] * (24 if by_hour else 1)
            self.day = day
        if day > self.day:
            left = 0.5 ** ((day - self.day) / half_life_days)
            self.n = [each * left for each in self.n]
            self.bad = [each * left for each in self.bad]
            self.seen, self.seen_bad, self.day = sum(self.n), sum(self.bad), day
        cell = self._cell(start_us)
        self.n[cell] += n
        self.bad[cell] += bad
        self.seen += n
        self.seen_bad += bad

    def share(self, start_us: int) -> float:
        """The usual share at a time, in (0, 1); something must have been seen."""
        found = self.seen_bad / self.seen
        if len(self.n) > 1:
            cell = self._cell(start_us)
            found = (self.bad[cell] + STRENGTH * found) / (self.n[cell] + STRENGTH)
        return min(max(found, _LEAST), 1.0 - _LEAST)

    def error(self, start_us: int, share: float) -> float:
        """Standard error of the usual share at a time."""
        n = self.seen
        if len(self.n) > 1:
            n = min(self.n[self._cell(start_us)] + STRENGTH, n)
        return math.sqrt(share * (1.0 - share) / n)

    def _cell(self, start_us: int) -> int:
        return start_us % DAY_US // 3_600_000_000 if len(self.n) > 1 else 0
