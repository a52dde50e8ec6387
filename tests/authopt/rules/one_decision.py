"""Decisions for tests of the rules, said in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, DecisionBatch
from authopt.payments import CONTEXT_BY_NAME, Kind

ROUTES = ("adyen", "zoop", "stop")
ACTIONS: tuple[tuple[str, int], ...] = (("adyen", 0), ("zoop", 86_400), ("stop", 0))


def decisions(
    contexts: Sequence[Mapping[str, object]],
    attempts: Sequence[int],
    actions: Sequence[Sequence[tuple[str, int]]],
) -> DecisionBatch:
    """Decisions with the context, the attempt number and the actions (route, delay) given."""
    names = dict.fromkeys(name for context in contexts for name in context)
    columns: dict[str, Column] = {}
    for name in names:
        values = [context.get(name) for context in contexts]
        known = CONTEXT_BY_NAME.get(name)
        if known is not None and known.kind is Kind.CATEGORY:
            columns[name] = Categorical.from_values([v if v is None else str(v) for v in values])
        else:
            columns[name] = np.array([np.nan if v is None else v for v in values], np.float64)
    flat = [action for some in actions for action in some]
    return DecisionBatch(
        decision_id=pa.array([f"d{i}" for i in range(len(contexts))]),
        payment_id=pa.array([f"p{i}" for i in range(len(contexts))]),
        attempt=np.array(attempts, np.int32),
        decided_at=np.full(len(contexts), np.datetime64("2026-01-01", "us")),
        context=columns,
        routes=ROUTES,
        action_route=np.array([ROUTES.index(route) for route, _ in flat], np.int32),
        action_delay_s=np.array([delay for _, delay in flat], np.int64),
        offsets=np.cumsum([0, *map(len, actions)]).astype(np.int64),
    )


def decision(
    attempt: int = 2,
    actions: Sequence[tuple[str, int]] = ACTIONS,
    **context: object,
) -> DecisionBatch:
    """One decision."""
    return decisions([context], [attempt], [actions])
