"""A world of two routes in which the better first action spoils the second: all by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch, TimeArray
from authopt.hashing import hash_strings, salted, unit_interval
from simulator.traffic import Traffic

ROUTES = ("hasty", "patient", STOP_ROUTE)
FIRST = (0.5, 0.45, 0.0)
AFTER = {"hasty": (0.05, 0.05, 0.0), "patient": (0.9, 0.9, 0.0)}
"""Chance of approval of the first attempt, and of the second after each route's decline."""

GREEDY = 0.5 + 0.5 * 0.05
BEST = 0.45 + 0.55 * 0.9
"""What the best single decisions bring, and what planning does."""


@dataclass(frozen=True)
class TrapWorld:
    """Payments a minute apart with two attempts at most; everything hangs on the first route."""

    route_names: tuple[str, ...] = ROUTES[:2]

    def arrivals(self, traffic: Traffic, first: int, last: int) -> DecisionBatch:
        payment_id = pa.array([f"p{traffic.seed}-{number}" for number in range(first, last)])
        decided_at = traffic.start.astype("M8[us]") + np.arange(first, last) * np.timedelta64(
            1, "m"
        )
        none = Categorical(np.full(last - first, -1, np.int32), ROUTES)
        return _points(payment_id, 1, decided_at, none)

    def approval_probability(self, batch: DecisionBatch) -> FloatArray:
        before = batch.context["previous_route"]
        assert isinstance(before, Categorical)
        table = np.array([*AFTER.values(), FIRST])
        at = np.where(before.codes < 0, len(AFTER), before.codes)
        return table[np.repeat(at, batch.counts), batch.action_route]

    def with_outcome(self, batch: LoggedBatch, seed: int) -> LoggedBatch:
        luck = unit_interval(salted(hash_strings(batch.decision_id), f"luck:{seed}"))
        chance = self.approval_probability(batch)[batch.chosen_action]
        approved = (luck < chance).astype(np.float64)
        known_at = batch.decided_at + np.timedelta64(1, "s")
        return replace(
            batch, reward=approved, outcome={"approved": approved, "outcome_at": known_at}
        )

    def following(self, batch: LoggedBatch, seed: int) -> DecisionBatch:
        stopped = batch.is_stop[batch.chosen_action]
        rows = np.flatnonzero((batch.reward == 0.0) & ~stopped & (batch.attempt == 1))
        last = batch.take(rows)
        route = Categorical(last.action_route[last.chosen_action], ROUTES)
        points = _points(last.payment_id, 2, last.decided_at + np.timedelta64(1, "m"), route)
        return replace(points, context={**last.context, **points.context})


def _points(
    payment_id: pa.StringArray, attempt: int, decided_at: TimeArray, before: Categorical
) -> DecisionBatch:
    n = len(payment_id)
    return DecisionBatch(
        decision_id=pc.binary_join_element_wise(payment_id, str(attempt), "-"),
        payment_id=payment_id,
        attempt=np.full(n, attempt, np.int32),
        decided_at=decided_at.astype("M8[us]"),
        context={"previous_route": before},
        routes=ROUTES,
        action_route=np.tile(np.arange(3, dtype=np.int32), n),
        action_delay_s=np.zeros(3 * n, np.int64),
        offsets=np.arange(n + 1, dtype=np.int64) * 3,
    )
