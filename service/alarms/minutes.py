"""The summaries as the minutes, or hours, that alarms judge and learn from."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection

from authopt.actions import STOP_ROUTE
from authopt.alarms.counts import ALL, Counts, Minute, Stream
from authopt.policies.guard.signs import FAILURES
from authopt.rules.tables import canonical
from service.alarms.rule_fees import NO_RETRIES, Charged, charged_by_minute
from service.summaries.cuts import Cut, Span
from service.summaries.reading import Point, over_time, over_time_by
from service.summaries.sums import Sums

_CUTS = {Cut.ROUTE: "route", Cut.ISSUER: "issuer", Cut.COUNTRY: "country", Cut.NETWORK: "network"}
_MILLION = 1e6
_NOTHING = Sums()


def minutes_between(
    connection: Connection,
    tenant: str,
    since_us: int,
    until_us: int,
    overdue_after_us: int,
    span: Span = Span.MINUTE,
) -> list[Minute]:
    """Every minute of a time, oldest first, those without decisions too.

    Parameters
    ----------
    connection, tenant
        to the store, and whose.
    since_us, until_us
        microseconds since 1970, UTC, at the start of a span.
    overdue_after_us
        after which an outcome should be known.
    span
        of the "minutes"; only of minutes are overdue outcomes and network fees looked for.
    """
    streams: dict[int, dict[Stream, Counts]] = defaultdict(dict)
    whole = over_time(connection, tenant, span, since_us, until_us)
    by_minute = span is Span.MINUTE
    charged = charged_by_minute(connection, tenant, since_us, until_us) if by_minute else {}
    late = (
        over_time(
            connection, tenant, span, since_us - overdue_after_us, until_us - overdue_after_us
        )
        if by_minute
        else []
    )
    failed = _failed(connection, tenant, span, since_us, until_us)
    everywhere: dict[int, float] = defaultdict(float)
    for route, of in failed.items():
        if route != STOP_ROUTE:
            for start_us, count in of.items():
                everywhere[start_us] += count
    for place, point in enumerate(whole):
        earlier = late[place].sums if by_minute else _NOTHING
        streams[point.start_us][ALL] = _counts(
            point.sums,
            everywhere[point.start_us],
            charged.get(point.start_us, NO_RETRIES),
            earlier,
        )
    for cut, dimension in _CUTS.items():
        for value, points in over_time_by(
            connection, tenant, span, since_us, until_us, cut
        ).items():
            if cut is Cut.ROUTE and value == STOP_ROUTE:
                continue
            of = failed.get(value, {}) if cut is Cut.ROUTE else {}
            for point in points:
                if point.sums.decisions:
                    streams[point.start_us][dimension, value] = _counts(
                        point.sums, of.get(point.start_us, 0.0)
                    )
    return [Minute(point.start_us, streams[point.start_us]) for point in whole]


def _failed(
    connection: Connection, tenant: str, span: Span, since_us: int, until_us: int
) -> dict[str, dict[int, float]]:
    """Technical failures by route and start."""
    routes = over_time_by(connection, tenant, span, since_us, until_us, Cut.ROUTE)
    found: dict[str, dict[int, float]] = {}
    for route in routes:
        of: dict[int, float] = defaultdict(float)
        codes = over_time_by(connection, tenant, span, since_us, until_us, Cut.RESPONSE_CODE, route)
        for code, points in codes.items():
            if canonical(code) in FAILURES:
                _add(of, points)
        found[route] = of
    return found


def _add(of: dict[int, float], points: list[Point]) -> None:
    for point in points:
        of[point.start_us] += point.sums.answered - point.sums.approved


def _counts(
    sums: Sums,
    failed: float,
    charged: Charged = NO_RETRIES,
    late: Sums = _NOTHING,
) -> Counts:
    return Counts(
        decisions=sums.decisions,
        attempts=sums.attempts,
        firsts=sums.payments,
        # Outcomes may come before their payment's first attempt is on record.
        answered=min(sums.first_answered, sums.payments),
        approved=min(sums.first_approved, sums.payments),
        replies=sums.answered,
        failed=failed,
        fallbacks=sums.fallbacks,
        propensity=sums.propensity_ppm / _MILLION,
        retries=charged.retries,
        charged=charged.charged,
        due=late.payments,
        overdue=max(late.payments - late.first_answered, 0),
    )
