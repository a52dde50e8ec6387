"""How long a caller can wait for its answer."""

from __future__ import annotations

from http import HTTPStatus

from service.api.problems import FieldError, Problem

HEADER = "X-Deadline-Ms"

_FIELD = f"header {HEADER}"
_EXPECTED = "expected a whole number of milliseconds, at least 1"


def deadline_s(given: str | None, most_s: float) -> float:
    """The deadline that a header asks for, in seconds; it can be shortened, not lengthened.

    Parameters
    ----------
    given
        the header's value.
    most_s
        where there is none.

    Raises
    ------
    Problem
        422 if the value is none.
    """
    if given is None:
        return most_s
    text = given.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < 1:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{_FIELD}: {_EXPECTED}",
            FieldError(_FIELD, _EXPECTED),
        )
    return min(int(text) / 1000.0, most_s)
