"""An alarm that was raised or cleared, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

Figure = float | str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One change of an alarm.

    Attributes
    ----------
    subject
        name, such as ``route-down:adyen``.
    firing
        whether it fires from now on, or is clear again.
    at_us
        end of the minute that decided it, microseconds since 1970.
    since_us
        firing: about when what it reports began. Clear: since when it had fired.
    what
        a sentence.
    figures
        the numbers behind it.
    kind, dimension, value
        of which family it is, and what of.
    """

    subject: str
    firing: bool
    at_us: int
    since_us: int
    what: str
    figures: dict[str, Figure]
    kind: str
    dimension: str
    value: str


_SAID = {
    "declines": ("{share} of the first attempts{of} are approved", "first attempts"),
    "failures": ("{share} of the attempts{of} fail technically", "attempts"),
    "silence": ("{share} of the first attempts{of} get no answer", "first attempts"),
    "fallbacks": ("{share} of the decisions{of} are made without the policy", "decisions"),
    "overdue": ("the outcomes of {share} of the first attempts{of} are overdue", "first attempts"),
    "surer": ("the policy does what it does{of} with a mean probability of {share}", "decisions"),
    "less sure": (
        "the policy does what it does{of} with a mean probability of {share}",
        "decisions",
    ),
    "charged": ("{share} of the retries{of} break a network's rule that costs a fee", "retries"),
}
"""By test: what is said of a share, and of what."""

_TURNED = {"declines", "less sure"}
"""Tests whose share is the complement of what people speak of."""

_OF = {"route": "by the route {}", "all": ""}


def place_of(dimension: str, value: str) -> str:
    """What an alarm is about, with a space before it; empty for everything."""
    if dimension == "all":
        return ""
    return " " + _OF.get(dimension, "of the " + dimension + " {}").format(value)


def raised(
    test: str, dimension: str, value: str, share: float, usual: float, n: float, since_us: int
) -> str:
    """A sentence for an alarm that fires."""
    said, of = _SAID[test]
    if test in _TURNED:
        share, usual = 1.0 - share, 1.0 - usual
    told = said.format(share=percent(share), of=place_of(dimension, value))
    return (
        f"{told[0].upper()}{told[1:]}, where {percent(usual)} are usual "
        f"({n:,.0f} {of} since {clock(since_us)})."
    )


def percent(share: float) -> str:
    """A share with a figure after the point."""
    return f"{share:.1%}"


def clock(at_us: int) -> str:
    """A time, UTC, to the minute."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
