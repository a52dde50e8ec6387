"""Moments that clients name: UTC, and within the range that the attempt log takes."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from service.api.problems import FieldError, Problem

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EXPECTED = "is out of range; expected the years 2000 to 2099"


def in_utc(field: str, moment: datetime) -> datetime:
    """A moment in UTC.

    Raises
    ------
    Problem
        422, if it is not within the range.
    """
    # Compared as it is: a moment in year 1 or 9999 may have no equal in UTC.
    if not _EARLIEST <= moment < _LATEST:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{field} {_EXPECTED}", FieldError(field, _EXPECTED)
        )
    return moment.astimezone(UTC)
