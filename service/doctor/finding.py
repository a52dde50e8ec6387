"""What the doctor says of one point of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How well it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One point.

    Attributes
    ----------
    point
        what was looked at.
    state
        how well it is.
    found
        what was seen.
    mend
        what to do about it; empty where nothing is to be done.
    """

    point: str
    state: State
    found: str
    mend: str = ""


def ok(point: str, found: str) -> Finding:
    """A point that is well."""
    return Finding(point, State.OK, found)


def warn(point: str, found: str, mend: str) -> Finding:
    """A point that works and should be looked after."""
    return Finding(point, State.WARN, found, mend)


def fail(point: str, found: str, mend: str) -> Finding:
    """A point that does not work, or endangers what is recorded."""
    return Finding(point, State.FAIL, found, mend)
