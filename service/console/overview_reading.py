"""What the first page reads of the sums: now, today and 28 days, each with the span before it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from service.console.rates import Estimate, difference, share
from service.store.records import moment
from service.summaries.cuts import Cut, Span, floor_to
from service.summaries.reading import Point, by, caught_up_us, over_time, totals
from service.summaries.reading import Row as Summed
from service.summaries.sums import Sums

DAYS = 28


@dataclass(frozen=True, slots=True)
class SpanRead:
    """A span of time and the same span before it.

    Attributes
    ----------
    name, text
        for machines, and as it is read.
    against
        what the span before is, in words.
    sums, before
        of both.
    address
        what the search asks for to find its decisions.
    """

    name: str
    text: str
    against: str
    sums: Sums
    before: Sums
    address: dict[str, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What the page reads.

    Attributes
    ----------
    caught_up_us
        until when the sums are complete; None: not yet.
    spans
        the last hour, today, and 28 days.
    last_day
        the last day but its last hour.
    days
        of 56 days, one by one.
    money, money_before
        by currency, of 28 days and of those before.
    """

    caught_up_us: int | None
    spans: tuple[SpanRead, ...]
    last_day: Sums
    days: list[Point]
    money: list[Summed]
    money_before: list[Summed]


def read_overview(connection: Connection, tenant: str, now_us: int) -> Read:
    """Read all of it; the times are whole minutes, hours and days that hold what is asked for."""
    day_us, hour_us = Span.DAY.us, Span.HOUR.us
    midnight_us = floor_to(now_us, Span.DAY)
    start_us = midnight_us - (DAYS - 1) * day_us
    before_us = start_us - DAYS * day_us
    today = {"from": f"{moment(midnight_us):%Y-%m-%d}"}

    def summed(since_us: int, until_us: int, finest: Span = Span.HOUR) -> Sums:
        return totals(connection, tenant, since_us, until_us, finest=finest)

    days = over_time(connection, tenant, Span.DAY, before_us, now_us)
    spans = (
        SpanRead(
            "hour",
            "last hour",
            "this hour yesterday",
            summed(now_us - hour_us, now_us, Span.MINUTE),
            summed(now_us - day_us - hour_us, now_us - day_us),
            today,
        ),
        SpanRead(
            "today",
            "today",
            "yesterday until now",
            summed(midnight_us, now_us),
            summed(midnight_us - day_us, now_us - day_us),
            today,
        ),
        SpanRead(
            "28d",
            f"{DAYS} days",
            f"the {DAYS} days before",
            sum((each.sums for each in days[DAYS:]), Sums()),
            sum((each.sums for each in days[:DAYS]), Sums()),
            {"from": f"{moment(start_us):%Y-%m-%d}"},
        ),
    )
    return Read(
        caught_up_us(connection, tenant),
        spans,
        summed(now_us - day_us, now_us - hour_us),
        days,
        by(connection, tenant, Cut.CURRENCY, start_us, now_us, finest=Span.DAY),
        by(connection, tenant, Cut.CURRENCY, before_us, start_us, finest=Span.DAY),
    )


def first_rate(sums: Sums) -> Estimate | None:
    """First attempts that were approved."""
    return share(sums.first_approved, sums.first_answered)


def against_before(each: SpanRead) -> Estimate | None:
    """The same, less that of the span before."""
    now, before = each.sums, each.before
    return difference(
        now.first_approved, now.first_answered, before.first_approved, before.first_answered
    )
