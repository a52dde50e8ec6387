"""Decisions that were carried out, in the order of recording, each with all that came back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from service.api.forms import DecisionAnswer, DecisionRequest, OutcomeRequest
from service.store.joining import Told
from service.store.tables import activations, decisions, outcomes

_REQUEST = msgspec.json.Decoder(DecisionRequest)
_ANSWER = msgspec.json.Decoder(DecisionAnswer)
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)


@dataclass(slots=True)
class Exported:
    """What was not written as it stands, counted while it is read.

    Attributes
    ----------
    decisions
        rows of the log.
    without_outcome
        of them, those whose outcome is unknown.
    assumed_declined
        of them, those whose outcome did not come in time and counts as a decline.
    late_outcomes
        outcomes that came after the wait time and do not count.
    not_activated
        deferred decisions that nobody activated; left out.
    chosen_otherwise
        deferred decisions where the caller took another action and gave no propensity for it; left
        out, as no evaluation could use them.
    """

    decisions: int = 0
    without_outcome: int = 0
    assumed_declined: int = 0
    late_outcomes: int = 0
    not_activated: int = 0
    chosen_otherwise: int = 0


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """A decision as the log tells it: what was done, and with what probability."""

    row: Any
    answer: DecisionAnswer
    request: DecisionRequest
    route: str
    delay_s: int
    propensity: float

    @property
    def due_us(self) -> int:
        """When its attempt was due."""
        return int(self.row.decided_at_us) + self.delay_s * 1_000_000


def rows_after(
    connection: Connection, tenant: str, after: int, last: int, limit: int
) -> Sequence[Any]:
    """The next decisions of a merchant, at most ``limit`` of those up to ``last``."""
    return connection.execute(
        select(decisions)
        .where(
            decisions.c.number > after,
            decisions.c.number <= last,
            decisions.c.tenant == tenant,
        )
        .order_by(decisions.c.number)
        .limit(limit)
    ).all()


def carried_out(rows: Sequence[Any], done: Mapping[str, Any], counts: Exported) -> list[CarriedOut]:
    """The decisions that were carried out, with what was done."""
    made = []
    for row in rows:
        answer = _ANSWER.decode(row.answer)
        route, delay_s, propensity = row.route, row.delay_s, row.propensity
        if row.deferred:
            act = done.get(row.decision_id)
            if act is None:
                counts.not_activated += 1
                continue
            if act.propensity is not None:
                propensity = act.propensity
            elif (act.route, act.delay_s) != (route, delay_s):
                counts.chosen_otherwise += 1
                continue
            route, delay_s = act.route, act.delay_s
        made.append(
            CarriedOut(row, answer, _REQUEST.decode(row.request), route, delay_s, propensity)
        )
    return made


def _of_range(table: Table, tenant: str, after: int, last: int) -> ColumnElement[bool]:
    """Rows of a table whose decision lies in a range of numbers."""
    return and_(
        table.c.tenant == tenant,
        table.c.decision_id.in_(
            select(decisions.c.decision_id).where(
                decisions.c.number > after,
                decisions.c.number <= last,
                decisions.c.tenant == tenant,
            )
        ),
    )


def activations_of(connection: Connection, tenant: str, after: int, last: int) -> dict[str, Any]:
    """By decision id, of a range of numbers: what was done with deferred decisions."""
    wanted = select(activations).where(_of_range(activations, tenant, after, last))
    return {row.decision_id: row for row in connection.execute(wanted)}


def any_own_propensity(connection: Connection, tenant: str) -> bool:
    """Whether some caller did what was not drawn, or not with the probability it was drawn with."""
    wanted = (
        select(activations.c.number)
        .join(
            decisions,
            and_(
                decisions.c.tenant == activations.c.tenant,
                decisions.c.decision_id == activations.c.decision_id,
            ),
        )
        .where(
            activations.c.tenant == tenant,
            activations.c.propensity.is_not(None),
            or_(
                activations.c.route != decisions.c.route,
                activations.c.delay_s != decisions.c.delay_s,
                activations.c.propensity != decisions.c.propensity,
            ),
        )
        .limit(1)
    )
    return connection.scalar(wanted) is not None


def told_of(connection: Connection, tenant: str, after: int, last: int) -> dict[str, list[Told]]:
    """By decision id, of a range of numbers: all that was said, in order of arrival."""
    wanted = (
        select(outcomes.c.decision_id, outcomes.c.received_at_us, outcomes.c.outcome)
        .where(_of_range(outcomes, tenant, after, last))
        .order_by(outcomes.c.number)
    )
    told: dict[str, list[Told]] = defaultdict(list)
    for decision_id, received_at_us, text in connection.execute(wanted):
        told[decision_id].append(Told(received_at_us, _OUTCOME.decode(text)))
    return told
