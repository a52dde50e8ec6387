"""Where somebody goes after the sign-in: to a page of the console, and nowhere else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from service.people.admission import CONSOLE

_LONGEST = 2048
# A browser reads a backslash as a slash, and leaves control characters out.
_SOUND = re.compile(r"/[!-\[\]-~]*")


def way_back(asked: str | None, otherwise: str) -> str:
    """The address that was asked for, if it is one of the console's."""
    if asked is None or len(asked) > _LONGEST or not _SOUND.fullmatch(asked):
        return otherwise
    try:
        parts = urlsplit(asked)
    except ValueError:
        return otherwise
    inside = parts.path == CONSOLE or parts.path.startswith(f"{CONSOLE}/")
    elsewhere = parts.scheme or parts.netloc or ".." in parts.path or "//" in parts.path
    return asked if inside and not elsewhere else otherwise
