"""A payment of a trial, as it counts.

It counts once, a fixed time after its first attempt was decided, with what is known of it then: by
the same rule in every arm. One that nothing is known of counts as not paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from service.api.forms import DecisionRequest
from service.trials.payment_records import records_of
from service.trials.trial import Trial

NOT_ACTIVATED = "ranked, and never activated"


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


def counted_payments(
    connection: Connection,
    tenant: str,
    trial: Trial,
    firsts: Sequence[Any],
    left_out: dict[str, int],
) -> list[CountedPayment]:
    """What became of payments by now.

    Parameters
    ----------
    connection
        to the store.
    tenant, trial
        whose, and of which trial.
    firsts
        rows of their first decisions, in the order in which they count.
    left_out
        takes those that do not count, by why.
    """
    records = records_of(connection, tenant, firsts)
    made = []
    for row in firsts:
        again = any(
            each.attempt == 1
            and each.experiment == trial.name
            and trial.after < each.number < row.number
            for each in records.attempts[row.payment_id]
        )
        if again:
            # The same attempt was asked for under another id; the payment has its place already.
            continue
        if not records.counts(row):
            left_out[NOT_ACTIVATED] += 1
            continue
        done = records.made(row.payment_id)
        known = {
            each.decision_id: found
            for each in done
            if (found := records.outcome_of(each)) is not None
        }
        fees = [each.fee_minor for each in known.values() if each.fee_minor is not None]
        first = known.get(row.decision_id)
        request = records.requests[row.number]
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
