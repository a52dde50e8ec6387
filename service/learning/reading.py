"""What a learner reads next: decisions that are ripe, each once, and how far it has read by that.

A decision is ripe as soon as what was said of it in time tells its reward, or when nothing came
within the wait time. It is then learned, or left out, and done with: what is said of it later is
counted and not learned. A deferred decision is ripe only once it is activated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from authopt.batch import LoggedBatch
from authopt.rewards import Reward
from service.api.forms import OutcomeRequest
from service.learning.cursor import Counts, Cursor, Waiting
from service.store.carried_out import CarriedOut, Exported, carried_out
from service.store.export import batch_of, column_kinds
from service.store.joining import Join, Joined, JoinRules, Missing, Told, joined
from service.store.reading_on import (
    Ends,
    in_parts,
    named_between,
    read_through,
    rows_between,
)
from service.store.tables import activations, decisions, outcomes

_OUTCOME = msgspec.json.Decoder(OutcomeRequest)
_NO_OUTCOME = OutcomeRequest("none")
_SECOND_US = 1_000_000


class Ripe(NamedTuple):
    """What is to be learned, None where nothing is, and the cursor after it was."""

    batch: LoggedBatch | None
    cursor: Cursor


def read_on(
    connection: Connection,
    tenant: str,
    cursor: Cursor,
    ends: Ends,
    reward: Reward,
    now_us: int,
    limit: int,
) -> Ripe:
    """Read at most ``limit`` rows of each table on from the cursor.

    The result depends on the rows, the cursor, the ends, ``limit`` and, for what waits in vain, on
    ``now_us`` alone.

    Parameters
    ----------
    connection
        to the store.
    tenant
        whose decisions.
    cursor
        where to go on.
    ends
        how far may be read.
    reward
        what an outcome is worth.
    now_us
        microseconds since 1970, UTC.
    limit
        of rows.
    """
    seen = connection.execute(
        rows_between(decisions, tenant, cursor.decisions, ends.decisions, limit)
    ).all()
    told = named_between(connection, outcomes, tenant, cursor.outcomes, ends.outcomes, limit)
    done = named_between(
        connection, activations, tenant, cursor.activations, ends.activations, limit
    )
    through = msgspec.structs.replace(
        cursor,
        decisions=read_through(seen, ends.decisions, limit),
        outcomes=read_through(told, ends.outcomes, limit),
        activations=read_through(done, ends.activations, limit),
    )
    waiting = {each.number: each.due_us for each in cursor.waiting}
    waiting |= {row.number: row.decided_at_us + row.delay_s * _SECOND_US for row in seen}
    named = {row.decision_id for row in (*told, *done)}
    numbers = _numbers(connection, tenant, named, through.decisions)
    corrections = sum(
        row.decision_id in numbers and numbers[row.decision_id] not in waiting for row in told
    )
    wait_us = cursor.task.wait_s * _SECOND_US
    touched = {row.number for row in seen} | set(numbers.values())
    touched |= {number for number, due_us in waiting.items() if due_us + wait_us < now_us}
    rows = _decisions(connection, sorted(touched & waiting.keys()))
    left = Exported()
    pairs = _joined(connection, tenant, through, rows, waiting, left, now_us)
    batch = _batch(pairs, reward)
    known = np.zeros(0, np.bool_) if batch is None else np.isfinite(batch.reward)
    counts = Counts(
        learned=int(known.sum()),
        not_activated=left.not_activated,
        chosen_otherwise=left.chosen_otherwise,
        corrections=corrections,
    )
    for (each, found), tells in zip(pairs, known.tolist(), strict=True):
        if not tells and now_us <= each.due_us + wait_us:
            # What was said so far is only a part, such as the latency: the rest may still come.
            waiting[each.row.number] = each.due_us
            continue
        counts += Counts(
            assumed_declined=int(tells and found.assumed),
            left_out=int(not tells),
            corrections=found.late,
        )
    return Ripe(
        batch.take(np.flatnonzero(known)) if batch is not None and known.any() else None,
        msgspec.structs.replace(
            through,
            waiting=[Waiting(number, due_us) for number, due_us in sorted(waiting.items())],
            counts=cursor.counts + counts,
        ),
    )


def _joined(
    connection: Connection,
    tenant: str,
    cursor: Cursor,
    rows: Sequence[Any],
    waiting: dict[int, int],
    left: Exported,
    now_us: int,
) -> list[tuple[CarriedOut, Joined]]:
    """Decisions of which something is known, or for which too much time has passed, in their order.

    They are taken out of ``waiting``; the others stay in it.
    """
    task, ids = cursor.task, [row.decision_id for row in rows]
    told = _told(connection, tenant, ids, cursor.outcomes)
    acts = _acts(connection, tenant, ids, cursor.activations)
    missing = Missing.DECLINED if task.missing == "declined" else Missing.UNKNOWN
    rules = JoinRules(Join.MERGED, task.wait_s, missing)
    pairs: list[tuple[CarriedOut, Joined]] = []
    for row in rows:
        is_over = waiting[row.number] + task.wait_s * _SECOND_US < now_us
        if row.deferred and row.decision_id not in acts and not is_over:
            continue
        del waiting[row.number]
        for made in carried_out([row], acts, left):
            found = joined(
                row.decision_id, made.due_us, told.get(row.decision_id, ()), rules, now_us
            )
            if found.outcome is None and now_us <= made.due_us + task.wait_s * _SECOND_US:
                waiting[row.number] = made.due_us
            else:
                pairs.append((made, found))
    return sorted(pairs, key=lambda pair: (pair[0].row.decided_at_us, pair[0].row.number))


def _batch(pairs: Sequence[tuple[CarriedOut, Joined]], reward: Reward) -> LoggedBatch | None:
    if not pairs:
        return None
    made = [each for each, _ in pairs]
    kinds, features = column_kinds(each.request for each in made)
    came_back = [found.outcome or _NO_OUTCOME for _, found in pairs]
    drawn = all(each.propensity == each.row.propensity for each in made)
    return batch_of(made, came_back, kinds, features, reward, drawn)


def _numbers(connection: Connection, tenant: str, ids: Iterable[str], last: int) -> dict[str, int]:
    """Numbers of decisions by id, of those that were read."""
    found: dict[str, int] = {}
    for some in in_parts(sorted(ids)):
        found |= {
            row.decision_id: row.number
            for row in connection.execute(
                select(decisions.c.decision_id, decisions.c.number).where(
                    decisions.c.tenant == tenant,
                    decisions.c.decision_id.in_(some),
                    decisions.c.number <= last,
                )
            )
        }
    return found


def _decisions(connection: Connection, numbers: Sequence[int]) -> list[Any]:
    return [
        row
        for some in in_parts(numbers)
        for row in connection.execute(
            select(decisions).where(decisions.c.number.in_(some)).order_by(decisions.c.number)
        )
    ]


def _told(
    connection: Connection, tenant: str, ids: Sequence[str], last: int
) -> Mapping[str, list[Told]]:
    told: dict[str, list[Told]] = defaultdict(list)
    for some in in_parts(ids):
        for row in connection.execute(
            select(outcomes)
            .where(
                outcomes.c.tenant == tenant,
                outcomes.c.decision_id.in_(some),
                outcomes.c.number <= last,
            )
            .order_by(outcomes.c.number)
        ):
            told[row.decision_id].append(Told(row.received_at_us, _OUTCOME.decode(row.outcome)))
    return told


def _acts(connection: Connection, tenant: str, ids: Sequence[str], last: int) -> dict[str, Any]:
    return {
        row.decision_id: row
        for some in in_parts(ids)
        for row in connection.execute(
            select(activations).where(
                activations.c.tenant == tenant,
                activations.c.decision_id.in_(some),
                activations.c.number <= last,
            )
        )
    }
