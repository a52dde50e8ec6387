"""The value of a change, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LEFT_OUT = frozenset({"salt", "since_us", "figures", "links"})
"""What tells a reader nothing, or stands elsewhere."""

_LONGEST = 400


def in_words(value: Mapping[str, Any]) -> str:
    """Names with their values, without those that say nothing."""
    said = [
        f"{name.replace('_', ' ')} {_word(each)}"
        for name, each in value.items()
        if name not in _LEFT_OUT and each not in (None, "", [], {})
    ]
    text = "; ".join(said)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and len(value) == 64 and all(c in "0123456789abcdef" for c in value):
        return value[:12]
    if isinstance(value, Mapping):
        inner = (f"{name} {_word(each)}" for name, each in value.items() if each is not None)
        return f"({', '.join(inner)})"
    if isinstance(value, list):
        return ", ".join(_word(each) for each in value)
    return str(value)
