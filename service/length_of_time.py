"""Lengths of time on the command line, such as ``36h`` or ``7d``."""

from __future__ import annotations

from authopt.errors import UserError

_LONGEST_S = 100 * 366 * 86_400
_SHOWN = 32


def seconds_in(option: str, text: str) -> int:
    """Seconds.

    Raises
    ------
    UserError
        If the text is no length of time, or more than a hundred years.
    """
    from authopt.rules.durations import EXPECTED, seconds_of

    seconds = seconds_of(text)
    if seconds is None:
        raise UserError(f"{option}: {text[:_SHOWN]!r} is no length of time; {EXPECTED}")
    if seconds > _LONGEST_S:
        raise UserError(f"{option}: {text[:_SHOWN]!r} is more than a hundred years")
    return seconds
