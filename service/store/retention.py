"""Forget decisions that are older than they have to be kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, and_, delete, exists, or_, select

from service.store.engine import WRITE
from service.store.tables import activations, decisions, outcomes

ROWS_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows were deleted."""

    decisions: int = 0
    outcomes: int = 0
    activations: int = 0


def forget(
    engine: Engine,
    before_us: int,
    tenant: str | None = None,
    rows_at_a_time: int = ROWS_AT_A_TIME,
    pause_s: float = 0.01,
) -> Forgotten:
    """Delete decisions with their outcomes and activations, and outcomes that never had any.

    The service may run meanwhile: the rows go in small transactions with a pause after each, so
    that no decision waits for long. What was interrupted is gone on with at the next call. A
    decision's id that was forgotten may be decided anew.

    Parameters
    ----------
    engine
        of the store.
    before_us
        decisions made before it, and outcomes without a decision received before it
        (microseconds since 1970, UTC).
    tenant
        of one merchant only; None: of all.
    rows_at_a_time
        decisions, or outcomes without one, per transaction.
    pause_s
        after each of them.
    """
    gone = Forgotten()
    after = 0
    while True:
        with engine.connect() as connection:
            old = connection.execute(
                select(decisions.c.number, decisions.c.tenant, decisions.c.decision_id)
                .where(decisions.c.number > after, decisions.c.decided_at_us < before_us)
                .where(*_of(tenant, decisions.c.tenant))
                .order_by(decisions.c.number)
                .limit(rows_at_a_time)
            ).all()
        if not old:
            break
        after = old[-1].number
        with _writing(engine) as connection, connection.begin():
            gone = Forgotten(
                gone.decisions + _delete(connection, decisions, old),
                gone.outcomes + _delete(connection, outcomes, old),
                gone.activations + _delete(connection, activations, old),
            )
        time.sleep(pause_s)
    alone = _forget_alone(engine, before_us, tenant, rows_at_a_time, pause_s)
    return Forgotten(gone.decisions, gone.outcomes + alone, gone.activations)


def _forget_alone(
    engine: Engine, before_us: int, tenant: str | None, rows_at_a_time: int, pause_s: float
) -> int:
    """Delete outcomes whose decision never came, or was forgotten before they did."""
    has_decision = exists().where(
        decisions.c.tenant == outcomes.c.tenant,
        decisions.c.decision_id == outcomes.c.decision_id,
    )
    gone = 0
    while True:
        with _writing(engine) as connection, connection.begin():
            numbers = (
                select(outcomes.c.number)
                .where(outcomes.c.received_at_us < before_us, ~has_decision)
                .where(*_of(tenant, outcomes.c.tenant))
                .limit(rows_at_a_time)
            )
            count = connection.execute(
                delete(outcomes).where(outcomes.c.number.in_(numbers))
            ).rowcount
        if not count:
            return gone
        gone += count
        time.sleep(pause_s)


def _writing(engine: Engine) -> Connection:
    return engine.connect().execution_options(**{WRITE: True})


def _of(tenant: str | None, column: Column[Any]) -> list[Any]:
    return [] if tenant is None else [column == tenant]


def _delete(connection: Connection, table: Table, old: Sequence[Any]) -> int:
    """Delete the rows of some decisions."""
    by_tenant: dict[str, list[str]] = {}
    for row in old:
        by_tenant.setdefault(row.tenant, []).append(row.decision_id)
    wanted = or_(
        *(
            and_(table.c.tenant == tenant, table.c.decision_id.in_(ids))
            for tenant, ids in by_tenant.items()
        )
    )
    return connection.execute(delete(table).where(wanted)).rowcount
