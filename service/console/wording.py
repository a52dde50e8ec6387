"""Values as the console shows them. Every page uses these, so that a rate looks the same twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

NONE = "—"
"""Where there is no value."""

MINUS = "−"

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def count(value: float) -> str:
    """A number of things, with its thousands apart."""
    return f"{value:,.0f}".replace("-", MINUS)


def number(value: float) -> str:
    """A measure, with four figures that count."""
    return f"{value:,.4g}".replace("-", MINUS)


def rate(value: float) -> str:
    """A share as per cent."""
    return f"{100.0 * value:.2f}%"


def points(value: float) -> str:
    """A difference of shares, in percentage points."""
    return f"{100.0 * value:+.2f}".replace("-", MINUS)


def chance(value: float) -> str:
    """A probability as it was recorded."""
    return f"{value:.4f}"


def moment(value: datetime) -> Markup:
    """A time, to the minute."""
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M}"
    )


def moment_s(value: datetime) -> Markup:
    """A time, to the second."""
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds"), f"{utc:%Y-%m-%d %H:%M:%S}"
    )


def span(seconds: float) -> str:
    """A length of time in its two largest units: ``2 d 4 h``."""
    left, said = round(abs(seconds)), []
    for size, unit in _STEPS:
        if left >= size:
            said.append(f"{left // size} {unit}")
            left %= size
        elif said:
            break
        if len(said) == 2:
            break
    return " ".join(said) or "0 s"


def code(value: object) -> Markup:
    """A name of the machine's."""
    return Markup("<code>{}</code>").format(value)


def sha(value: str) -> Markup:
    """The beginning of a sha256, which tells it apart; the whole stands in its title."""
    return Markup('<code title="{}">{}</code>').format(value, value[:12])


SHOWN: Mapping[str, Callable[[Any], str | Markup]] = MappingProxyType(
    {
        "text": str,
        "code": code,
        "sha": sha,
        "count": count,
        "number": number,
        "rate": rate,
        "points": points,
        "chance": chance,
        "moment": moment,
        "moment_s": moment_s,
        "span": span,
    }
)
"""By kind of a value, how it is shown."""


def shown(value: Any, kind: str) -> str | Markup:
    """A value of a kind; ``NONE`` where there is none."""
    return NONE if value is None else SHOWN[kind](value)
