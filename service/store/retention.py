"""Forget decisions that are older than they have to be kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, and_, delete, exists, or_, select

from service.store.engine import WRITE
from service.store.tables import activations, decisions, outcomes, sessions, shadowed, users

ROWS_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows were deleted."""

    decisions: int = 0
    outcomes: int = 0
    activations: int = 0
    shadowed: int = 0
    sessions: int = 0


def forget(
    engine: Engine,
    before_us: int,
    tenant: str | None = None,
    rows_at_a_time: int = ROWS_AT_A_TIME,
    pause_s: float = 0.01,
) -> Forgotten:
    """Delete decisions with all that belongs to them, and outcomes that never had any.

    Outcomes, activations and what shadow policies said go with their decisions. The summaries stay:
    they hold sums and no ids. Sessions of people that ended before the time go too.

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
                gone.shadowed + _delete_shadowed(connection, old),
            )
        time.sleep(pause_s)
    alone = _forget_alone(engine, before_us, tenant, rows_at_a_time, pause_s)
    with _writing(engine) as connection, connection.begin():
        ended = _delete_sessions(connection, before_us, tenant)
    return replace(gone, outcomes=gone.outcomes + alone, sessions=ended)


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
    return _delete_by(connection, table, table.c.decision_id, old, "decision_id")


def _delete_shadowed(connection: Connection, old: Sequence[Any]) -> int:
    """Delete what shadow policies said of some decisions."""
    return _delete_by(connection, shadowed, shadowed.c.decision, old, "number")


def _delete_by(
    connection: Connection, table: Table, column: Column[Any], old: Sequence[Any], name: str
) -> int:
    by_tenant: dict[str, list[Any]] = {}
    for row in old:
        by_tenant.setdefault(row.tenant, []).append(getattr(row, name))
    wanted = or_(
        *(
            and_(table.c.tenant == tenant, column.in_(values))
            for tenant, values in by_tenant.items()
        )
    )
    return connection.execute(delete(table).where(wanted)).rowcount


def _delete_sessions(connection: Connection, before_us: int, tenant: str | None) -> int:
    """Delete sessions that have ended."""
    of_tenant = select(users.c.username).where(*_of(tenant, users.c.tenant))
    wanted = [] if tenant is None else [sessions.c.username.in_(of_tenant)]
    return connection.execute(
        delete(sessions).where(sessions.c.ends_at_us < before_us, *wanted)
    ).rowcount
