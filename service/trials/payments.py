"""The payments of a trial, once what became of them counts, read on in the order they count in.

Payments count in the order of their decisions' moments, and all up to some moment at once. The
order of recording would not do: a batch is recorded arm by arm, and one arm may be slower than
another. Sequential tests rest on it that the next unit may be of any arm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from service.store.tables import decisions
from service.trials.counted_payment import CountedPayment, counted_payments
from service.trials.payment_records import READ
from service.trials.trial import Trial

AT_ONCE = 2_000
"""Decisions of the trial that are read in a step."""
MOST_AT_ONCE = 64_000
"""Where so many were decided within a moment."""
WINDOW = 50_000
"""Decisions of all merchants that a step looks through for them."""
SLACK_US = 5_000_000
"""How much later than others of its time a decision may be recorded, and be counted with them; a
batch has two seconds."""
SKEW_US = 60_000_000
"""A first attempt that is dated further ahead of now is not waited for."""

FROM_THE_FUTURE = "dated more than a minute ahead"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a trial's decisions were read.

    Attributes
    ----------
    through
        number of the decision up to which all was read.
    ahead
        numbers beyond it that were read as well.
    """

    through: int
    ahead: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """What a step of reading found.

    Attributes
    ----------
    payments
        in the order of their decisions' moments.
    place
        how far was read.
    left_out
        payments that do not count, by why.
    more
        whether there is more to read at once.
    """

    payments: Sequence[CountedPayment]
    place: Place
    left_out: Mapping[str, int]
    more: bool


def next_payments(
    connection: Connection, tenant: str, trial: Trial, place: Place, last: int, now_us: int
) -> Step:
    """Read on, as far as payments count by now.

    Parameters
    ----------
    connection
        to the store.
    tenant, trial
        whose, and of which trial.
    place
        how far was read.
    last
        number of the decision up to which the table is whole.
    now_us
        microseconds since 1970, UTC.
    """
    times = 1
    while True:
        step = _step(connection, tenant, trial, place, last, now_us, times)
        if step.place != place or not step.more or AT_ONCE * times >= MOST_AT_ONCE:
            return step
        times *= 2


def _step(
    connection: Connection,
    tenant: str,
    trial: Trial,
    place: Place,
    last: int,
    now_us: int,
    times: int,
) -> Step:
    limit, end = AT_ONCE * times, min(last, place.through + WINDOW * times)
    rows = connection.execute(
        select(*READ)
        .where(
            decisions.c.number > place.through,
            decisions.c.number <= end,
            decisions.c.tenant == tenant,
            decisions.c.experiment == trial.name,
        )
        .order_by(decisions.c.number)
        .limit(limit)
    ).all()
    if len(rows) == limit:
        end = rows[-1].number
    more = end < last
    until_us = now_us - trial.wait_s * 1_000_000
    if more and rows:
        # Others of the last ones' time may stand beyond the end.
        newest = max((row.decided_at_us for row in rows if row.decided_at_us <= now_us), default=0)
        until_us = min(until_us, newest - SLACK_US)
    left_out: dict[str, int] = defaultdict(int)
    firsts, read = [], set(place.ahead)
    for row in rows:
        if row.number in read:
            continue
        if row.attempt == 1 and row.decided_at_us <= until_us:
            firsts.append(row)
        elif row.attempt == 1 and row.decided_at_us > now_us + SKEW_US:
            left_out[FROM_THE_FUTURE] += 1
        elif row.attempt == 1:
            continue
        read.add(row.number)
    through = next((row.number - 1 for row in rows if row.number not in read), end)
    reached = Place(through, frozenset(number for number in read if number > through))
    # Ids say nothing of the arm either.
    firsts.sort(key=lambda row: (row.decided_at_us, row.payment_id))
    payments = counted_payments(connection, tenant, trial, firsts, left_out)
    return Step(payments, reached, dict(left_out), more)
