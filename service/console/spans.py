"""The spans of time that pages look at, by their names in addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from flask import request

from service.api.problems import FieldError, Problem
from service.summaries.cuts import Span, floor_to


@dataclass(frozen=True, slots=True)
class Lately:
    """A span of time that ends now.

    Attributes
    ----------
    name, text
        in an address, and as it is read.
    length_us
        how long it is.
    finest
        to which it is widened.
    """

    name: str
    text: str
    length_us: int
    finest: Span

    def since(self, now_us: int) -> int:
        """Its first moment, microseconds since 1970, UTC: of days as many as it says, today one."""
        start_us = floor_to(now_us - self.length_us, self.finest)
        return start_us + self.finest.us if self.finest is Span.DAY else start_us


SPANS: Mapping[str, Lately] = {
    each.name: each
    for each in (
        Lately("6h", "6 hours", 6 * Span.HOUR.us, Span.HOUR),
        Lately("24h", "24 hours", Span.DAY.us, Span.HOUR),
        Lately("7d", "7 days", 7 * Span.DAY.us, Span.DAY),
        Lately("28d", "28 days", 28 * Span.DAY.us, Span.DAY),
    )
}
"""By name; those of days are whole days of UTC, today among them."""


def chosen(name: str, options: Mapping[str, object], usual: str) -> str:
    """What the query asks for among some options.

    Raises
    ------
    Problem
        422, where it is none of them.
    """
    given = request.args.get(name) or usual
    if given not in options:
        message = f"expected one of {', '.join(options)}"
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"query {name}: {message}",
            FieldError(f"query {name}", message),
        )
    return given
