"""Drift of features: whether the mix of a feature's values has become another one.

The population stability index, sum over the values of (p - q) ln(p / q), of the last day against
the weeks before. Without drift it is not 0 but (1/n + 1/m) times a chi-squared variable with one
degree of freedom less than there are values (Yurdakul, "Statistical properties of population
stability index", 2018, theorem 1), which is added to the limit. It is looked at once an hour, over
a whole day, so that the course of a day does not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from scipy.special import chdtri

from authopt.errors import UserError

HOUR_US = 3_600_000_000
HOURS = 24
OTHER = "other"


@dataclass(frozen=True, slots=True)
class MixTest:
    """When a mix has become another one.

    Attributes
    ----------
    limit
        index from which on the alarm is raised, beyond what is chance; 0.1 to 0.25 is commonly
        called a moderate change.
    clear
        index below which it is cleared, likewise.
    false_alarm
        chance of one at a look, where the index would be ``limit`` without it by chance.
    least_seen
        decisions of the weeks before, and least_days of them, before anything is judged.
    least_now
        decisions of the last day.
    half_life_days
        after which the weeks before have half their weight.
    most_values
        that are told apart; the rest counts as one.

    Raises
    ------
    UserError
        If a value is out of its range.
    """

    limit: float = 0.2
    clear: float = 0.1
    false_alarm: float = 1e-5
    least_seen: int = 2_000
    least_days: int = 7
    least_now: int = 500
    half_life_days: float = 14.0
    most_values: int = 50

    def __post_init__(self) -> None:
        if not 0.0 < self.clear <= self.limit:
            raise UserError("mix: clear must be above 0 and at most the limit")
        if not 0.0 < self.false_alarm < 1.0:
            raise UserError("mix: false_alarm must be above 0 and below 1")


@dataclass(frozen=True, slots=True)
class MixJudgement:
    """How far a mix is from the usual one.

    Attributes
    ----------
    index
        population stability index.
    chance
        how large it may be by chance.
    drifted, settled
        whether it is above the limit, or below where it counts as settled.
    value, share, usual
        the value that adds most to the index, and its shares.
    n
        decisions of the last day.
    """

    index: float
    chance: float
    drifted: bool
    settled: bool
    value: str
    share: float
    usual: float
    n: float


class MixTally(msgspec.Struct):
    """Counts of values.

    Attributes
    ----------
    hours
        of the last day, oldest first; the last one is not complete.
    hour
        number of the last one, hours since 1970.
    usual
        before that, weighted.
    first_hour
        the first that was seen.
    """

    hours: list[dict[str, float]] = []
    hour: int = 0
    usual: dict[str, float] = {}
    first_hour: int = 0

    def add(self, start_us: int, counts: Mapping[str, float], test: MixTest) -> MixJudgement | None:
        """Take in the counts of a span of time: the judgement, where an hour was completed."""
        hour = start_us // HOUR_US
        judged = None
        if not self.hours:
            self.hours, self.hour, self.first_hour = [{}], hour, hour
        if hour > self.hour:
            judged = self._judge(test)
            for _ in range(min(hour - self.hour, HOURS)):
                self._turn(test)
            self.hour = hour
        last = self.hours[-1]
        for value, count in counts.items():
            last[value] = last.get(value, 0.0) + count
        return judged

    def _turn(self, test: MixTest) -> None:
        self.hours.append({})
        if len(self.hours) <= HOURS:
            return
        left = 0.5 ** (1.0 / (24.0 * test.half_life_days))
        leaving = self.hours.pop(0)
        for value in self.usual:
            self.usual[value] *= left
        for value, count in leaving.items():
            known = value in self.usual or len(self.usual) < test.most_values
            name = value if known else OTHER
            self.usual[name] = self.usual.get(name, 0.0) + count

    def _judge(self, test: MixTest) -> MixJudgement | None:
        m = sum(self.usual.values())
        now: dict[str, float] = {}
        for each in self.hours:
            for value, count in each.items():
                known = value in self.usual or len(self.usual) < test.most_values
                name = value if known else OTHER
                now[name] = now.get(name, 0.0) + count
        n = sum(now.values())
        days = (self.hour - self.first_hour) / 24.0
        if m < test.least_seen or n < test.least_now or days < test.least_days + 1:
            return None
        values = sorted({*now, *self.usual})
        added = {}
        for value in values:
            p = (now.get(value, 0.0) + 0.5) / (n + 0.5 * len(values))
            q = (self.usual.get(value, 0.0) + 0.5) / (m + 0.5 * len(values))
            added[value] = (p - q) * math.log(p / q)
        index = sum(added.values())
        chance = float(chdtri(max(len(values) - 1, 1), test.false_alarm)) * (1.0 / n + 1.0 / m)
        most = max(values, key=lambda value: added[value])
        return MixJudgement(
            index,
            chance,
            index >= test.limit + chance,
            index < test.clear + chance,
            most,
            now.get(most, 0.0) / n,
            self.usual.get(most, 0.0) / m,
            n,
        )
