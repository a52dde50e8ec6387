"""The payments of a trial, once what became of them counts.

A payment counts once, a fixed time after its first attempt was decided, with what is known of it
then: by the same rule in every arm. One that nothing is known of counts as not paid.

Payments count in the order of their decisions' moments, and all up to some moment at once. The
order of recording would not do: a batch is recorded arm by arm, and one arm may be slower than
another. Sequential tests rest on it that the next unit may be of any arm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from authopt.actions import STOP_ROUTE
from service.api.forms import DecisionRequest, OutcomeRequest
from service.store.joining import JoinRules, Told, joined
from service.store.reading_on import in_parts
from service.store.tables import activations, decisions, outcomes
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

NOT_ACTIVATED = "ranked, and never activated"
FROM_THE_FUTURE = "dated more than a minute ahead"

_REQUEST = msgspec.json.Decoder(DecisionRequest)
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)
_RULES = JoinRules()

_READ = (
    decisions.c.number,
    decisions.c.decision_id,
    decisions.c.payment_id,
    decisions.c.attempt,
    decisions.c.decided_at_us,
    decisions.c.route,
    decisions.c.delay_s,
    decisions.c.fallback,
    decisions.c.deferred,
    decisions.c.experiment,
    decisions.c.arm,
)


@dataclass(frozen=True, slots=True)
class CountedPayment:
    """A payment whose first attempt was decided in the trial.

    Attributes
    ----------
    number, decided_at_us
        of the first decision.
    arm
        by name.
    request
        of the first decision.
    unit
        its id; None where the first request does not tell it.
    paid
        whether any attempt was approved.
    first_approved
        whether the first one was.
    attempts
        that were made.
    fees_minor, latency_ms
        of all attempts, and of the first; None where nobody told.
    fallback
        whether the static priority decided the first attempt.
    """

    number: int
    decided_at_us: int
    arm: str
    request: DecisionRequest
    unit: str | None
    paid: bool
    first_approved: bool
    attempts: int
    fees_minor: int | None
    latency_ms: float | None
    fallback: bool


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
        select(*_READ)
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
    return Step(
        _counted(connection, tenant, trial, firsts, left_out), reached, dict(left_out), more
    )


def _counted(
    connection: Connection,
    tenant: str,
    trial: Trial,
    firsts: Sequence[Any],
    left_out: dict[str, int],
) -> list[CountedPayment]:
    attempts = _attempts(connection, tenant, [row.payment_id for row in firsts])
    every = [each for rows in attempts.values() for each in rows]
    activated = _activated(connection, tenant, [row.decision_id for row in every if row.deferred])
    told = _told(connection, tenant, [row.decision_id for row in every])
    requests = _requests(connection, [row.number for row in firsts])
    made = []
    for row in firsts:
        rows = attempts[row.payment_id]
        again = any(
            each.attempt == 1
            and each.experiment == trial.name
            and trial.after < each.number < row.number
            for each in rows
        )
        if again:
            # The same attempt was asked for under another id; the payment has its place already.
            continue
        if row.deferred and row.decision_id not in activated:
            left_out[NOT_ACTIVATED] += 1
            continue
        done = [
            each
            for each in rows
            if each.route != STOP_ROUTE and (not each.deferred or each.decision_id in activated)
        ]
        known = {
            each.decision_id: found
            for each in done
            if (found := _joined(each, told.get(each.decision_id, ()))) is not None
        }
        fees = [each.fee_minor for each in known.values() if each.fee_minor is not None]
        first = known.get(row.decision_id)
        request = requests[row.number]
        made.append(
            CountedPayment(
                number=row.number,
                decided_at_us=row.decided_at_us,
                arm=row.arm,
                request=request,
                unit=trial.unit_of(request),
                paid=any(each.approved for each in known.values()),
                first_approved=first is not None and bool(first.approved),
                attempts=len(done),
                fees_minor=sum(fees) if fees else None,
                latency_ms=None if first is None else first.latency_ms,
                fallback=row.fallback is not None,
            )
        )
    return made


def _joined(row: Any, told: Sequence[Told]) -> OutcomeRequest | None:
    due_us = int(row.decided_at_us) + row.delay_s * 1_000_000
    return joined(row.decision_id, due_us, told, _RULES, 0).outcome


def _attempts(connection: Connection, tenant: str, payments: Sequence[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for some in in_parts(list(dict.fromkeys(payments))):
        wanted = (
            select(*_READ)
            .where(decisions.c.tenant == tenant, decisions.c.payment_id.in_(some))
            .order_by(decisions.c.number)
        )
        for row in connection.execute(wanted):
            found[row.payment_id].append(row)
    return found


def _requests(connection: Connection, numbers: Sequence[int]) -> dict[int, DecisionRequest]:
    found: dict[int, DecisionRequest] = {}
    for some in in_parts(numbers):
        wanted = select(decisions.c.number, decisions.c.request).where(decisions.c.number.in_(some))
        for number, text in connection.execute(wanted):
            found[number] = _REQUEST.decode(text)
    return found


def _activated(connection: Connection, tenant: str, names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in in_parts(names):
        found.update(
            connection.scalars(
                select(activations.c.decision_id).where(
                    and_(activations.c.tenant == tenant, activations.c.decision_id.in_(some))
                )
            )
        )
    return found


def _told(connection: Connection, tenant: str, names: Sequence[str]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = defaultdict(list)
    for some in in_parts(names):
        wanted = (
            select(outcomes.c.decision_id, outcomes.c.received_at_us, outcomes.c.outcome)
            .where(and_(outcomes.c.tenant == tenant, outcomes.c.decision_id.in_(some)))
            .order_by(outcomes.c.number)
        )
        for name, received_at_us, text in connection.execute(wanted):
            found[name].append(Told(received_at_us, _OUTCOME.decode(text)))
    return found
