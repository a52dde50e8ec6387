"""The alarms there are: what each watches, by which tests, and how it is worded."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.alarms.share_test import ShareTest
from authopt.alarms.standing import Holding
from authopt.errors import UserError

DAY_MINUTES = 1_440
LEARNT = 20_000
"""Decisions that a policy which starts from nothing becomes surer with, as it should."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of alarms: one for everything, or one for each value of a dimension.

    Attributes
    ----------
    name
        such as ``route-down``.
    dimension
        ``all``, or what is told apart, such as ``issuer``.
    tests
        any of which raises the alarm.
    part
        whether it says where something happens that another alarm reports as a whole: it is held
        while one of those fires, so that one outage is not told a hundred times.
    """

    name: str
    dimension: str
    tests: tuple[ShareTest, ...]
    part: bool = False

    @property
    def family(self) -> str:
        """Beginning of the names of its alarms."""
        if self.dimension == "all" or self.name == "route-down":
            return self.name
        return f"{self.name}:{self.dimension}"

    def subject(self, value: str) -> str:
        """Name of the alarm for a value."""
        return f"{self.family}:{value}" if value else self.family


def _rate(dimension: str) -> Kind:
    declines = ShareTest(
        "declines", tolerated=0.05, looked_for=(0.1, 0.3, 0.8), least_seen=500, by_hour=False
    )
    return Kind("rate", dimension, (declines,), part=True)


KINDS = (
    Kind(
        "route-down",
        "route",
        (
            ShareTest("failures", 0.08, looked_for=(0.2, 0.5, 0.9), least_seen=200, by_hour=False),
            ShareTest("declines", tolerated_of_room=0.3, looked_for=(0.4, 0.9), least_seen=200),
            ShareTest("silence", 0.1, looked_for=(0.3, 0.9), least_seen=200, by_hour=False),
        ),
    ),
    Kind("rate", "all", (ShareTest("declines", tolerated=0.02),)),
    Kind("fallback", "all", (ShareTest("fallbacks", 0.01, by_hour=False),)),
    Kind(
        "outcomes-missing",
        "all",
        (ShareTest("overdue", 0.02, looked_for=(0.05, 0.2, 0.8), by_hour=False),),
    ),
    Kind(
        "propensity",
        "all",
        (
            ShareTest(
                "surer",
                tolerated=0.05,
                most_of_room=0.5,
                looked_for=(0.2, 0.6),
                least_ever=LEARNT,
                half_life_days=2.0,
            ),
            ShareTest(
                "less sure",
                tolerated=0.05,
                looked_for=(0.1, 0.3, 0.6),
                least_ever=LEARNT,
                half_life_days=2.0,
            ),
        ),
    ),
    Kind(
        "rule-fees",
        "all",
        (ShareTest("charged", 0.002, looked_for=(0.01, 0.05, 0.3), by_hour=False),),
    ),
    *(_rate(dimension) for dimension in ("route", "issuer", "country", "network")),
)
"""In the order in which they are judged: the whole before its parts."""

MIXES = ("issuer", "country", "network")
"""Dimensions whose mix is watched for drift."""


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """How sure alarms want to be, and how long they stay.

    Attributes
    ----------
    days_between_false_alarms
        mean time from one false alarm of a family to the next, at least, over all values together.
        The bound holds while the conditional mean of what is counted stays within what each test
        tolerates.
    sure
        ratio of likelihoods of "as usual" against "as bad" from which on an alarm is cleared.
    holding
        so that nothing flaps.
    accept_after_s
        what has lasted so long is what is usual from then on.
    forget_after_s
        an alarm without any outcome for so long is cleared: there is nothing left to judge.
    most_values
        of a dimension that are watched one by one; the rest is watched together, as ``other``.
    kinds, mixes
        what is watched.

    Raises
    ------
    UserError
        If a value is out of its range.
    """

    days_between_false_alarms: float = 90.0
    sure: float = 1e3
    holding: Holding = Holding()  # noqa: RUF009
    accept_after_s: int = 7 * 86_400
    forget_after_s: int = 86_400
    most_values: int = 200
    kinds: tuple[Kind, ...] = KINDS
    mixes: tuple[str, ...] = MIXES

    def __post_init__(self) -> None:
        if not (self.days_between_false_alarms > 0.0 and self.sure > 1.0):
            raise UserError("alarms: days_between_false_alarms must be above 0, sure above 1")
        if min(self.accept_after_s, self.forget_after_s, self.most_values) < 1:
            raise UserError(
                "alarms: accept_after_s, forget_after_s and most_values must be at least 1"
            )

    def threshold(self, tests: int) -> float:
        """Of the evidence, in minutes, where so many tests share a family's false alarms."""
        return self.days_between_false_alarms * DAY_MINUTES * max(tests, 1)
