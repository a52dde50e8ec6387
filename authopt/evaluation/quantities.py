"""What an evaluation is made of: intervals, estimates, and remarks that a reader must know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Guarantee(StrEnum):
    """How far an interval can be relied on."""

    COVERS = "covers"
    """Holds with few rows and heavy weights; counts what the log cannot know as worst and best."""

    ANYTIME = "anytime"
    """Covers at all times at once: it may be looked at as often as one likes."""

    ASYMPTOTIC = "asymptotic"
    """Right in the limit of many rows; too narrow when few rows carry the weight."""


class Level(StrEnum):
    """How much a remark matters."""

    NOTE = "note"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a reader must know before trusting a figure."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval.

    Attributes
    ----------
    method
        short name, such as ``cressie-read``, ``betting`` or ``normal``.
    lower, upper
        the limits, finite.
    confidence
        nominal coverage, such as 0.95.
    guarantee
        whether it covers with few rows, or only in the limit.
    vetoed
        why this interval must not be relied on here, or None.
    """

    method: str
    lower: float
    upper: float
    confidence: float
    guarantee: Guarantee
    vetoed: str | None = None

    @property
    def width(self) -> float:
        """Upper less lower limit."""
        return self.upper - self.lower


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one estimator says of one quantity.

    Attributes
    ----------
    estimator
        short name: ``on-policy``, ``ips``, ``snips``, ``dm``, ``dr`` and so on.
    title, source
        name in words, and where the estimator was published.
    value
        the estimate, or None where the log holds nothing to estimate from (no overlap).
    intervals
        the recommended one first.
    note
        what the estimator's intervals do not cover (such as the bias of a reward model), or None.
    parameter
        how far weights are cut, for an estimator that cuts them; chosen from the data.
    """

    estimator: str
    title: str
    source: str
    value: float | None
    intervals: tuple[Interval, ...]
    note: str | None = None
    parameter: float | None = None

    @property
    def interval(self) -> Interval:
        """The recommended interval."""
        return self.intervals[0]

    def by(self, method: str) -> Interval | None:
        """The interval of this method, if there is one."""
        return next((each for each in self.intervals if each.method == method), None)
