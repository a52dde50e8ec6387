"""What the hour of the week adds to the hour of the day, as far as it comes back every week.

Each hour of a week deviates from what is usual for its hour of the day. Of the deviations that an
hour of the week had in k weeks, the mean counts for k / (k + s / t): s is their variance from one
week to the next, t the variance between the hours of the week beyond that, both estimated over all
168 hours (the credibility model of Buehlmann and Straub, "Glaubwuerdigkeit fuer Schadensaetze",
1970, with its unbiased estimators). So a weekend that differs counts ever more the more weekends
have shown it, and a single odd Tuesday for next to nothing: then the hour of the day is all there
is.
"""

from __future__ import annotations

import msgspec

HOUR_US = 3_600_000_000
HOURS = 168
FULL = 100.0
"""Outcomes from which on an hour counts as a whole one, and less with fewer."""

MOST = 0.15
"""Deviation beyond which it counts no more: one outage must not hide what comes back every week."""

LONGER = 4.0
"""How much longer the week is remembered than the level is."""

LEAST_HOURS = HOURS / 2
"""Hours of the week that must have been seen twice before any counts."""


class Week(msgspec.Struct):
    """Deviations by hour of the week, the first of which begins on Monday at 00:00 UTC.

    Attributes
    ----------
    start_us, n, bad
        the hour that is running: its start, outcomes, and the sum of them that is bad.
    weeks, sums, squares
        168 each, once there is any: weight of the hours seen, sum of their deviations, and of the
        squares of these.
    shift
        what each adds to the usual share.
    """

    start_us: int = 0
    n: float = 0.0
    bad: float = 0.0
    weeks: list[float] = []
    sums: list[float] = []
    squares: list[float] = []
    shift: list[float] = []

    def at(self, start_us: int) -> float:
        """What the hour of a time adds."""
        return self.shift[hour_of_week(start_us)] if self.shift else 0.0

    def add(self, n: float, bad: float) -> None:
        """Count outcomes of the running hour."""
        self.n += n
        self.bad += bad

    def begin(self, start_us: int) -> None:
        """Begin an hour; the one before is forgotten unless it was taken in."""
        self.start_us, self.n, self.bad = start_us, 0.0, 0.0

    def take_in(self, usual: float) -> None:
        """Remember by how much the running hour, with any outcome, deviates.

        Parameters
        ----------
        usual
            share for the hour of the day.
        """
        if not self.weeks:
            self.weeks, self.sums, self.squares = ([0.0] * HOURS for _ in range(3))
        cell, weight = hour_of_week(self.start_us), min(self.n / FULL, 1.0)
        deviation = min(max(self.bad / self.n - usual, -MOST), MOST)
        self.weeks[cell] += weight
        self.sums[cell] += weight * deviation
        self.squares[cell] += weight * deviation**2

    def turn(self, left: float) -> None:
        """Give what was seen less weight, and say anew what each hour adds."""
        for each in (self.weeks, self.sums, self.squares):
            # Shorter numbers keep what is stored readable.
            each[:] = [round(value * left, 7) for value in each]
        self.shift = _credible(self.weeks, self.sums, self.squares)


def _credible(weeks: list[float], sums: list[float], squares: list[float]) -> list[float]:
    """168 deviations, each as far as it is to be believed; none where nothing can be said."""
    again = [cell for cell, seen in enumerate(weeks) if seen > 1.0]
    if len(again) < LEAST_HOURS:
        return []
    seen = sum(weeks[cell] for cell in again)
    centre = sum(sums[cell] for cell in again) / seen
    squared = sum(squares[cell] - sums[cell] ** 2 / weeks[cell] for cell in again)
    within = max(squared / (seen - len(again)), 1e-12)
    apart = sum(weeks[cell] * (sums[cell] / weeks[cell] - centre) ** 2 for cell in again)
    spread = seen - sum(weeks[cell] ** 2 for cell in again) / seen
    between = max((apart - (len(again) - 1) * within) / spread, 0.0)
    return [
        round(between * (sums[cell] - weeks[cell] * centre) / (between * weeks[cell] + within), 6)
        for cell in range(HOURS)
    ]


def hour_of_week(start_us: int) -> int:
    """0 to 167, hours since Monday 00:00 UTC."""
    # 1 January 1970 was a Thursday.
    return (start_us // HOUR_US + 72) % HOURS
