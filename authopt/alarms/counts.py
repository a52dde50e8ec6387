"""What is counted of a minute, and what each test reads of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


class Counts(NamedTuple):
    """Sums over the decisions of a minute, all of them or those of one route, issuer, ...

    Attributes
    ----------
    decisions
        made.
    attempts
        of them, those that were not to stop.
    firsts
        of them, the first attempts of their payments.
    answered, approved
        of the first attempts: with a known outcome by now, and approved.
    replies, failed
        attempts with a known outcome, and those of them at which the route or the network's switch
        failed.
    fallbacks
        decisions that were made without the policy.
    propensity
        sum of the probabilities of what was done.
    retries, charged
        retries that were looked at, and those of them for which a network charges a fee because
        they break its rules.
    due, overdue
        first attempts of an earlier minute whose outcome should be known by now, and those of them
        without one.
    """

    decisions: float = 0.0
    attempts: float = 0.0
    firsts: float = 0.0
    answered: float = 0.0
    approved: float = 0.0
    replies: float = 0.0
    failed: float = 0.0
    fallbacks: float = 0.0
    propensity: float = 0.0
    retries: float = 0.0
    charged: float = 0.0
    due: float = 0.0
    overdue: float = 0.0


ALL = ("all", "")
Stream: TypeAlias = tuple[str, str]
"""A dimension, such as ``issuer``, and a value of it."""


@dataclass(frozen=True, slots=True)
class Minute:
    """The counts of a minute.

    Attributes
    ----------
    start_us
        microseconds since 1970.
    streams
        by dimension and value; ``ALL`` is everything.
    """

    start_us: int
    streams: Mapping[Stream, Counts]


READ: dict[str, Callable[[Counts], tuple[float, float]]] = {
    "declines": lambda of: (of.answered, of.answered - of.approved),
    "failures": lambda of: (of.replies, of.failed),
    "silence": lambda of: (of.firsts, of.firsts - of.answered),
    "fallbacks": lambda of: (of.decisions, of.fallbacks),
    "overdue": lambda of: (of.due, of.overdue),
    "surer": lambda of: (of.decisions, of.propensity),
    "less sure": lambda of: (of.decisions, of.decisions - of.propensity),
    "charged": lambda of: (of.retries, of.charged),
}
"""By the name of a test: outcomes, and the sum of them that is bad."""
