"""Hypothesis strategies for decisions of every shape that a policy may meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from authopt.batch import Categorical, DecisionBatch

ROUTES = ("adyen", "braintree", "checkout", "never seen", "stop")
DELAYS = (0, 3600, 86_400)
START = np.datetime64("2026-02-01T00:00:00", "us")


@dataclass(frozen=True)
class Decision:
    """One decision as plain values."""

    attempt: int
    actions: tuple[tuple[str, int], ...]
    network: str | None
    amount: float
    previous_route: str | None
    rate: tuple[float, ...]


def one_decision() -> st.SearchStrategy[Decision]:
    """A decision with one to six different actions, ``stop`` and unknown routes among them."""
    action = st.tuples(st.sampled_from(ROUTES), st.sampled_from(DELAYS)).map(
        lambda pair: ("stop", 0) if pair[0] == "stop" else pair
    )
    actions = st.lists(action, min_size=1, max_size=6, unique=True).map(tuple)
    number = st.one_of(st.just(float("nan")), st.floats(0, 1e6))
    return actions.flatmap(
        lambda chosen: st.builds(
            Decision,
            attempt=st.integers(1, 20),
            actions=st.just(chosen),
            network=st.one_of(st.none(), st.sampled_from(["visa", "mastercard", "a new | one"])),
            amount=number,
            previous_route=st.one_of(st.none(), st.sampled_from(ROUTES[:4])),
            rate=st.tuples(*[number] * len(chosen)),
        )
    )


def decisions(max_size: int = 6) -> st.SearchStrategy[list[Decision]]:
    """Some decisions."""
    return st.lists(one_decision(), min_size=1, max_size=max_size)


def batch_of(rows: list[Decision]) -> DecisionBatch:
    """Decisions as a batch; the vocabulary is in order of appearance."""
    routes = Categorical.from_values(route for row in rows for route, _ in row.actions)
    return DecisionBatch(
        decision_id=pa.array([f"d{number}" for number in range(len(rows))]),
        payment_id=pa.array([f"p{number}" for number in range(len(rows))]),
        attempt=np.array([row.attempt for row in rows], np.int32),
        decided_at=START + np.arange(len(rows)) * np.timedelta64(1, "s"),
        context={
            "network": Categorical.from_values(row.network for row in rows),
            "previous_route": Categorical.from_values(row.previous_route for row in rows),
            "amount_minor": np.array([row.amount for row in rows], np.float64),
        },
        routes=routes.categories,
        action_route=routes.codes,
        action_delay_s=np.array([delay for row in rows for _, delay in row.actions], np.int64),
        offsets=np.cumsum([0, *(len(row.actions) for row in rows)]).astype(np.int64),
        action_features={"rate": np.array([each for row in rows for each in row.rate])},
    )
