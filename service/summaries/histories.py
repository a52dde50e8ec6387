"""The decisions that new rows touch, with their payments and all that is known of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from service.api.forms import OutcomeRequest
from service.store.joining import Told
from service.store.reading_on import (
    Ends,
    in_parts,
    named_between,
    read_through,
    rows_between,
)
from service.store.tables import activations, decisions, outcomes

MOST_OF_A_PAYMENT = 1_000
"""Decisions of one payment that are looked at together, the first ones; each counts by itself."""

_OUTCOME = msgspec.json.Decoder(OutcomeRequest)
# A payment has few decisions; where some have so many that this does not hold, each is read apart.
_USUAL = 20
_COLUMNS = (
    decisions.c.number,
    decisions.c.decision_id,
    decisions.c.payment_id,
    decisions.c.attempt,
    decisions.c.decided_at_us,
    decisions.c.route,
    decisions.c.delay_s,
    decisions.c.propensity,
    decisions.c.policy,
    decisions.c.fallback,
    decisions.c.request,
    decisions.c.deferred,
    decisions.c.experiment,
    decisions.c.arm,
)


@dataclass(frozen=True, slots=True)
class History:
    """A decision with what was said of it, each with the number of its row.

    Attributes
    ----------
    row
        of the table ``decisions``.
    told
        outcomes in order of arrival.
    act
        row of the activation; None where there is none.
    """

    row: Any
    told: list[tuple[int, Told]] = field(default_factory=list)
    act: Any = None

    def counts_by(self, ends: Ends) -> bool:
        """Whether it is decided, and carried out, by what was read up to there."""
        if self.row.number > ends.decisions:
            return False
        return not self.row.deferred or (
            self.act is not None and self.act.number <= ends.activations
        )


@dataclass(frozen=True, slots=True)
class Touched:
    """What the next rows change.

    Attributes
    ----------
    ends
        through which rows was read.
    histories
        by the number of the decision, in its order: those that the rows are of, and the others of
        their payments.
    together
        numbers of the decisions of each payment, at most ``MOST_OF_A_PAYMENT``.
    """

    ends: Ends
    histories: dict[int, History]
    together: list[list[int]]


def read_touched(
    connection: Connection, tenant: str, after: Ends, last: Ends, limit: int
) -> Touched:
    """Read at most ``limit`` rows of each table, and what they are of.

    Parameters
    ----------
    connection
        in a transaction that sees one state of the store.
    tenant
        whose.
    after
        through which rows was read before.
    last
        how far may be read.
    limit
        of rows.
    """
    new = connection.execute(
        rows_between(decisions, tenant, after.decisions, last.decisions, limit).with_only_columns(
            decisions.c.number, decisions.c.payment_id
        )
    ).all()
    told = named_between(connection, outcomes, tenant, after.outcomes, last.outcomes, limit)
    done = named_between(
        connection, activations, tenant, after.activations, last.activations, limit
    )
    ends = Ends(
        read_through(new, last.decisions, limit),
        read_through(told, last.outcomes, limit),
        read_through(done, last.activations, limit),
    )
    payment_of = {row.number: row.payment_id for row in new}
    named = sorted({row.decision_id for row in (*told, *done)})
    for some in in_parts(named):
        payment_of |= {
            row.number: row.payment_id
            for row in connection.execute(
                select(decisions.c.number, decisions.c.payment_id).where(
                    decisions.c.tenant == tenant,
                    decisions.c.decision_id.in_(some),
                    decisions.c.number <= ends.decisions,
                )
            )
        }
    together: dict[str, list[int]] = defaultdict(list)
    for number, payment_id in _of_payments(
        connection, tenant, sorted(set(payment_of.values())), ends.decisions
    ):
        together[payment_id].append(number)
    numbers = sorted(payment_of.keys() | {each for some in together.values() for each in some})
    histories = _histories(connection, tenant, numbers, ends)
    return Touched(ends, histories, [sorted(some) for some in together.values()])


def _of_payments(
    connection: Connection, tenant: str, payments: Sequence[str], last: int
) -> Iterator[tuple[int, str]]:
    """Number and payment of the first decisions of each payment."""
    wanted = select(decisions.c.number, decisions.c.payment_id).where(
        decisions.c.tenant == tenant, decisions.c.number <= last
    )
    for some in in_parts(payments):
        most = _USUAL * len(some)
        rows = connection.execute(wanted.where(decisions.c.payment_id.in_(some)).limit(most)).all()
        if len(rows) < most:
            yield from ((row.number, row.payment_id) for row in rows)
            continue
        for payment_id in some:
            few = (
                wanted.where(decisions.c.payment_id == payment_id)
                .order_by(decisions.c.number)
                .limit(MOST_OF_A_PAYMENT)
            )
            yield from ((row.number, row.payment_id) for row in connection.execute(few))


def _histories(
    connection: Connection, tenant: str, numbers: Sequence[int], ends: Ends
) -> dict[int, History]:
    found = {
        row.number: History(row)
        for some in in_parts(numbers)
        for row in connection.execute(select(*_COLUMNS).where(decisions.c.number.in_(some)))
    }
    acts: dict[str, Any] = {}
    deferred = [each.row.decision_id for each in found.values() if each.row.deferred]
    for some in in_parts(deferred):
        acts |= {
            row.decision_id: row
            for row in connection.execute(
                select(activations).where(
                    activations.c.tenant == tenant,
                    activations.c.decision_id.in_(some),
                    activations.c.number <= ends.activations,
                )
            )
        }
    said: dict[str, list[tuple[int, Told]]] = defaultdict(list)
    for some in in_parts([each.row.decision_id for each in found.values()]):
        for row in connection.execute(
            select(
                outcomes.c.number,
                outcomes.c.decision_id,
                outcomes.c.received_at_us,
                outcomes.c.outcome,
            ).where(
                outcomes.c.tenant == tenant,
                outcomes.c.decision_id.in_(some),
                outcomes.c.number <= ends.outcomes,
            )
        ):
            told = Told(row.received_at_us, _OUTCOME.decode(row.outcome))
            said[row.decision_id].append((row.number, told))
    return {
        number: History(
            each.row,
            sorted(said.get(each.row.decision_id, ()), key=_number),
            acts.get(each.row.decision_id),
        )
        for number, each in sorted(found.items())
    }


def _number(said: tuple[int, Told]) -> int:
    return said[0]
