"""By what the sums are told apart, and over which spans of time."""

from __future__ import annotations

from enum import IntEnum, StrEnum

SECOND_US = 1_000_000

OTHER = "other"
"""All values of a cut together that came after ``MOST_VALUES`` different ones."""

MOST_VALUES = 1_000
"""Different values of a cut, for each merchant."""

LONGEST_VALUE = 260
"""Characters of a value; the rest is cut off."""


class Cut(StrEnum):
    """What is told apart. All are told apart by route as well; a missing value is empty."""

    ALL = "all"
    ROUTE = "route"
    ISSUER = "issuer"
    COUNTRY = "country"
    NETWORK = "network"
    ATTEMPT = "attempt"
    MERCHANT = "merchant"
    CURRENCY = "currency"
    POLICY = "policy"
    ARM = "arm"
    RESPONSE_CODE = "response_code"
    FALLBACK = "fallback"


VALUED: tuple[Cut, ...] = tuple(cut for cut in Cut if cut not in (Cut.ALL, Cut.ROUTE))
"""The cuts that have values of their own, in the order in which they are counted."""

STORED: tuple[Cut, ...] = (Cut.ALL, *VALUED)
"""The cuts that are kept: ``route`` is ``all``, by route."""

BY_THE_MINUTE: tuple[Cut, ...] = (
    Cut.ALL,
    Cut.ISSUER,
    Cut.COUNTRY,
    Cut.NETWORK,
    Cut.ARM,
    Cut.RESPONSE_CODE,
    Cut.FALLBACK,
)
"""Those that alarms need, and so are kept by the minute."""


class Span(IntEnum):
    """Lengths of the spans of time, seconds; they begin at multiples of it since 1970, UTC."""

    MINUTE = 60
    HOUR = 3_600
    DAY = 86_400

    @property
    def us(self) -> int:
        """Its length in microseconds."""
        return int(self) * SECOND_US

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The cuts that are kept for it."""
        return BY_THE_MINUTE if self is Span.MINUTE else STORED


KEPT_US = {Span.MINUTE: 6 * Span.HOUR.us, Span.HOUR: 35 * Span.DAY.us}
"""For how long before the newest decision the spans are kept; days are kept for good."""


def floor_to(us: int, span: Span) -> int:
    """The start of the span of time that a moment lies in."""
    return us - us % span.us
