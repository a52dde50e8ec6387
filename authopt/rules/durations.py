"""Lengths of time as people write them: ``90s``, ``30m``, ``6h``, ``2d``."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FORM = re.compile(r"(?P<number>[0-9]+)(?P<unit>[smhd]?)", re.ASCII)

EXPECTED = "expected such as 90s, 30m, 6h or 2d"


def seconds_of(text: str) -> int | None:
    """Seconds; a number without a unit is of seconds. None where the text is no length of time."""
    match = _FORM.fullmatch(text.strip())
    return None if match is None else int(match["number"]) * _SECONDS[match["unit"] or "s"]


def duration(seconds: int) -> str:
    """The shortest exact form of a length of time: 93,600 seconds are ``1d 2h``."""
    sign = "-" if seconds < 0 else ""
    left = abs(seconds)
    pieces = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _SECONDS[unit])
        if count:
            pieces.append(f"{count}{unit}")
    return sign + (" ".join(pieces) or "0s")
