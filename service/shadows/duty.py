"""Shadow policies: what they would have done with the decisions of others, and what that is worth.

A shadow is followed from the decision on that came when it was turned on. Each decision is asked
about once, and judged once, when its outcome is known: rows of ``shadowed``, sums, and how far was
read are written in one transaction, which a process that is killed has either made or not. What an
outcome is corrected to later is not judged again.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import numpy as np
from msgspec import to_builtins
from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from authopt.policies.protocol import Policy
from authopt.rewards import DEFAULT_REWARD
from service.learning.cursor import Cursor, Task
from service.learning.reading import Ripe, read_on
from service.live.present_policy import load_promoted
from service.live.routes import weights_at
from service.live.weighted import Weighted
from service.models.live_policy import Promoted
from service.shadows.asking import asked
from service.shadows.finding import KIND, ShadowFinding
from service.shadows.seen import see
from service.shadows.sums import CONFIDENCE, ShadowSums
from service.store.changes import Change, present, writing
from service.store.reading_on import Ends, ends_from, rows_between
from service.store.tables import decisions, shadowed
from service.watch.findings import finding, keep_finding

_log = logging.getLogger(__name__)

READING = "shadow-reading"
"""Kind of the findings that hold how far was read, and the sums; they are of no use to readers."""

ROWS_AT_ONCE = 1_000
"""Rows of each table that are read in a step."""

WAIT_S = 2 * 86_400
"""How long an outcome is waited for."""

KEPT = 8
"""Policies that stay in memory."""

_loaded: dict[tuple[str, Promoted], Policy] = {}


class Reading(msgspec.Struct, frozen=True):
    """How far was read for a shadow, and what was added up.

    Attributes
    ----------
    change
        that turned it on; for another one, all begins anew.
    cursor
        how far was read, and what waits for its outcome.
    sums
        of the decisions that are judged.
    decisions, agreed, probability, failed
        see :class:`service.shadows.finding.ShadowFinding`; here they are sums.
    """

    change: int
    cursor: Cursor
    sums: ShadowSums
    decisions: int = 0
    agreed: int = 0
    probability: float = 0.0
    failed: int = 0


def follow_shadows(engine: Engine, tenant: str, now_us: int) -> bool:
    """Take every shadow of a merchant that is on a step further.

    Parameters
    ----------
    engine
        of the store.
    tenant
        the merchant.
    now_us
        microseconds since 1970, UTC.

    Returns
    -------
    bool
        Whether there is more to read at once.
    """
    with engine.connect() as connection:
        state = present(connection, tenant)
        shadows = [
            change
            for (kind, _), change in sorted(state.items())
            if kind == KIND and change.value["state"] == "on"
        ]
    # A list, so that every one of them takes its step, whatever the others say.
    more = [_follow(engine, tenant, shadow, now_us) for shadow in shadows]
    return any(more)


def _follow(engine: Engine, tenant: str, shadow: Change, now_us: int) -> bool:
    with engine.connect() as connection:
        before = _reading(connection, tenant, shadow.subject)
        begun = before if before is not None and before.change == shadow.number else None
        try:
            policy = _policy(connection, tenant, shadow, now_us)
        except SQLAlchemyError:
            raise
        except Exception as error:
            fault = str(error) if isinstance(error, UserError) else type(error).__name__
            _log.error("shadow %s is not followed: %s", shadow.subject, fault)
            _keep_fault(engine, tenant, shadow, begun, fault, now_us)
            return False
    ends = ends_from(engine, Ends(0, 0, 0) if begun is None else _read(begun.cursor))
    with engine.connect() as connection:
        reading = _begin(connection, tenant, shadow, ends) if begun is None else begun
        rows = _new_decisions(connection, tenant, reading.cursor, ends)
        ripe = read_on(
            connection, tenant, reading.cursor, ends, DEFAULT_REWARD, now_us, ROWS_AT_ONCE
        )
    if begun is not None and ripe.cursor == begun.cursor:
        return False
    seen = see(tenant, shadow.subject, rows, policy)
    after = msgspec.structs.replace(
        reading,
        cursor=ripe.cursor,
        sums=_judged(reading.sums, ripe, policy),
        decisions=reading.decisions + len(seen.rows),
        agreed=reading.agreed + seen.agreed,
        probability=reading.probability + seen.probability,
        failed=reading.failed + seen.failed,
    )
    with writing(engine) as connection:
        if _reading(connection, tenant, shadow.subject) != before:
            # Another process has taken this step meanwhile.
            return False
        if begun is None:
            _forget(connection, tenant, shadow.subject, reading.cursor.decisions)
        if seen.rows:
            connection.execute(insert(shadowed), seen.rows)
        keep_finding(connection, tenant, READING, shadow.subject, to_builtins(after), now_us)
        told = to_builtins(_told(shadow, after, None))
        keep_finding(connection, tenant, KIND, shadow.subject, told, now_us)
    return _read(after.cursor) != ends


def _read(cursor: Cursor) -> Ends:
    return Ends(cursor.decisions, cursor.outcomes, cursor.activations)


def _reading(connection: Connection, tenant: str, name: str) -> Reading | None:
    found = finding(connection, tenant, READING, name)
    return None if found is None else msgspec.convert(found.content, Reading)


def _policy(connection: Connection, tenant: str, shadow: Change, now_us: int) -> Policy:
    """The shadow's policy, with the weights of the routes as they are now."""
    wanted = Promoted(shadow.value["spec"], shadow.value["sha256"])
    key = tenant, wanted
    if key not in _loaded:
        policy = load_promoted(connection, tenant, wanted).policy
        assert policy is not None
        _loaded[key] = policy
        while len(_loaded) > KEPT:
            del _loaded[next(iter(_loaded))]
    weights = weights_at(connection, tenant, now_us)
    return Weighted(_loaded[key], weights) if weights else _loaded[key]


def _begin(connection: Connection, tenant: str, shadow: Change, ends: Ends) -> Reading:
    """Before the first decision after the shadow was turned on."""
    last_before = connection.scalar(
        select(decisions.c.number)
        .where(
            decisions.c.tenant == tenant,
            decisions.c.decided_at_us < shadow.changed_at_us,
            decisions.c.number <= ends.decisions,
        )
        .order_by(decisions.c.decided_at_us.desc(), decisions.c.number.desc())
        .limit(1)
    )
    # What was said of these decisions so far is found when they are read.
    cursor = Cursor(_task(shadow), "", last_before or 0, ends.outcomes, ends.activations)
    return Reading(shadow.number, cursor, ShadowSums.nothing(DEFAULT_REWARD))


def _new_decisions(connection: Connection, tenant: str, cursor: Cursor, ends: Ends) -> list[Any]:
    """The decisions that the next step reads for the first time."""
    wanted = rows_between(decisions, tenant, cursor.decisions, ends.decisions, ROWS_AT_ONCE)
    return list(connection.execute(wanted))


def _judged(sums: ShadowSums, ripe: Ripe, policy: Policy) -> ShadowSums:
    """The sums with what has become known of outcomes."""
    if ripe.batch is None:
        return sums
    given, fine = asked(policy, ripe.batch.decisions())
    if not fine.any():
        return sums
    batch = ripe.batch.take(np.flatnonzero(fine))
    return sums.plus(batch, given[np.repeat(fine, ripe.batch.counts)], DEFAULT_REWARD)


def _forget(connection: Connection, tenant: str, name: str, last: int) -> None:
    """Take away what an earlier shadow of the name said of the decisions that come now."""
    connection.execute(
        delete(shadowed).where(
            shadowed.c.tenant == tenant, shadowed.c.shadow == name, shadowed.c.decision > last
        )
    )


def _keep_fault(
    engine: Engine, tenant: str, shadow: Change, begun: Reading | None, fault: str, now_us: int
) -> None:
    """What is known stays; the fault is told, once."""
    nothing = Reading(shadow.number, Cursor(_task(shadow), ""), ShadowSums.nothing(DEFAULT_REWARD))
    told = to_builtins(_told(shadow, begun or nothing, fault))
    with writing(engine) as connection:
        before = finding(connection, tenant, KIND, shadow.subject)
        if before is None or before.content != told:
            keep_finding(connection, tenant, KIND, shadow.subject, told, now_us)


def _task(shadow: Change) -> Task:
    return Task(shadow.value["spec"], DEFAULT_REWARD.spec, WAIT_S, "left-out")


def _told(shadow: Change, reading: Reading, fault: str | None) -> ShadowFinding:
    counts, asked_about = reading.cursor.counts, reading.decisions
    return ShadowFinding(
        spec=shadow.value["spec"],
        sha256=shadow.value["sha256"],
        change=shadow.number,
        since_us=shadow.changed_at_us,
        fault=fault,
        decisions=asked_about,
        agreed=reading.agreed / asked_about if asked_about else None,
        probability=reading.probability / asked_about if asked_about else None,
        failed=reading.failed,
        waiting=len(reading.cursor.waiting),
        without_outcome=counts.left_out + counts.not_activated + counts.chosen_otherwise,
        confidence=CONFIDENCE,
        whole=reading.sums.whole.value(DEFAULT_REWARD),
        segments=reading.sums.segments_of(DEFAULT_REWARD),
    )
