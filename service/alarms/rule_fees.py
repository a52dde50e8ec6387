"""Retries for which a network charges a fee, counted by the minute."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, select

from authopt.rewards import DEFAULT_REWARD
from authopt.rules import DEFAULT_RULES
from authopt.rules.fees import logged_fees
from service.api.forms import OutcomeRequest
from service.store.carried_out import Exported, activations_of, carried_out
from service.store.export import batch_of, column_kinds
from service.store.tables import decisions

MOST_ROWS = 2_000
"""Retries that are looked at, for each reading; of more, the first ones."""

_MINUTE_US = 60_000_000


class Charged(NamedTuple):
    """Retries that were looked at, and those of them that cost a fee."""

    retries: int = 0
    charged: int = 0


NO_RETRIES = Charged()


def charged_by_minute(
    connection: Connection, tenant: str, since_us: int, until_us: int
) -> dict[int, Charged]:
    """By the start of the minute, for the minutes of a time that have retries."""
    rows = connection.execute(
        select(decisions)
        .where(
            decisions.c.tenant == tenant,
            decisions.c.decided_at_us >= since_us,
            decisions.c.decided_at_us < until_us,
            decisions.c.attempt > 1,
        )
        .order_by(decisions.c.decided_at_us)
        .limit(MOST_ROWS)
    ).all()
    if not rows:
        return {}
    numbers = [row.number for row in rows]
    done = (
        activations_of(connection, tenant, min(numbers) - 1, max(numbers))
        if any(row.deferred for row in rows)
        else {}
    )
    made = carried_out(rows, done, Exported())
    if not made:
        return {}
    kinds, _ = column_kinds(each.request for each in made)
    known = {name: kind for name, kind in kinds.items() if not name.startswith("x_")}
    nothing = [OutcomeRequest("none")] * len(made)
    batch = batch_of(made, nothing, known, {}, DEFAULT_REWARD, False)
    costs = logged_fees(batch, DEFAULT_RULES).minor > 0.0
    minute = batch.decided_at.astype("M8[us]").astype(np.int64) // _MINUTE_US
    return {
        int(each) * _MINUTE_US: Charged(
            int((minute == each).sum()), int(costs[minute == each].sum())
        )
        for each in np.unique(minute)
    }
