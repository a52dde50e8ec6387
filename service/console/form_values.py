"""Numbers and choices of a form or an address, checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from http import HTTPStatus

from service.api.problems import FieldError, Problem

LARGEST = 2**53


def number(
    values: Mapping[str, str], name: str, least: float, most: float, usual: float | None = None
) -> float:
    """A number from ``least`` to ``most``; ``usual``, where nothing is filled in.

    Raises
    ------
    Problem
        422, where it is none.
    """
    text = values.get(name, "").strip()
    if not text and usual is not None:
        return usual
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not least <= found <= most:
        raise refused(name, f"expected a number from {least:g} to {most:g}")
    return found


def whole(
    values: Mapping[str, str], name: str, least: int, most: int, usual: int | None = None
) -> int:
    """A whole number; as :func:`number` is."""
    found = number(values, name, least, most, usual)
    if found != int(found):
        raise refused(name, "expected a whole number")
    return int(found)


def one_of(values: Mapping[str, str], name: str, allowed: Collection[str]) -> str:
    """One of some words.

    Raises
    ------
    Problem
        422, where it is none of them.
    """
    found = values.get(name, "")
    if found not in allowed:
        raise refused(name, f"expected one of {', '.join(allowed)}")
    return found


def refused(name: str, message: str) -> Problem:
    """What to raise for a value that will not do."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}: {message}", FieldError(name, message))
