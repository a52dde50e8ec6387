"""What is found of a trial, as the endpoints and the console show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

MOST_POINTS = 200
"""Of a history; then every other one is left out."""


class Point(msgspec.Struct, frozen=True):
    """How the trial stood at a time.

    Attributes
    ----------
    at_us
        microseconds since 1970, UTC, of the last payment that counted.
    payments
        that counted.
    arms
        by arm, but for the first: estimate of the difference to it, and its limits; null where
        they are not known.
    """

    at_us: int
    payments: int
    arms: dict[str, tuple[float | None, float | None, float | None]]


class Adjustment(msgspec.Struct, frozen=True):
    """What was known of an experiment's units from before it began, by which it is adjusted.

    Attributes
    ----------
    covariates
        columns of the context whose past foretells; none where there were too few payments, and
        nothing is adjusted.
    payments
        of the pre-period.
    since_us, until_us
        when its first and its last decision were made; microseconds since 1970, UTC.
    units
        cards or merchants of the experiment, as far as they are remembered, or its payments.
    without_past
        of these, cards or merchants that had no payment in the pre-period, or payments that shared
        nothing that foretells with one.
    """

    covariates: list[str]
    payments: int
    since_us: int
    until_us: int
    units: int
    without_past: int


class TrialFinding(msgspec.Struct, frozen=True):
    """A trial as it stood when its watcher last looked.

    Attributes
    ----------
    salt
        of the trial that it is about: another canary has the same subject.
    arms
        the first one is what others are held against.
    counted
        payments that count.
    until_us
        when the last of them was decided; microseconds since 1970, UTC.
    left_out
        payments that do not count, by why.
    reading
        :class:`authopt.experiments.reading.Reading`: of a canary, since its share was last changed.
    canary
        :class:`authopt.rollout.canary.CanaryVerdict`, of its whole life; null for an experiment.
    why
        the verdict in one sentence.
    history
        at most 200 points.
    complete
        whether the trial is over and every payment of it counts.
    adjustment
        by the pre-period, of the differences that decide; null for a canary, which has none.
    """

    salt: str
    arms: list[str]
    counted: int
    until_us: int | None
    left_out: dict[str, int]
    reading: dict[str, Any] | None
    canary: dict[str, Any] | None
    why: str
    history: list[Point]
    complete: bool
    adjustment: Adjustment | None = None


def with_point(history: Sequence[Point], point: Point) -> list[Point]:
    """The history with one point more, thinned out where it is long."""
    made = [*history, point]
    if len(made) <= MOST_POINTS:
        return made
    # The newest one stays.
    return made[len(made) % 2 == 0 :: 2]
