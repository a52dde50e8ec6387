"""Policies that do what a policy should not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.uniform import uniform


@dataclass(frozen=True)
class Acting:
    """Uniform, after doing something with the batch and the probabilities."""

    act: Callable[[DecisionBatch, FloatArray], FloatArray]
    name: str = "acting"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return self.act(batch, uniform(batch))


@dataclass(frozen=True)
class Hanging:
    """Answers no call before it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    called: threading.Event = field(default_factory=threading.Event)
    name: str = "hanging"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        self.called.set()
        self.let_go.wait(60)
        return uniform(batch)


def of_payments(batch: DecisionBatch, start: str) -> FloatArray:
    """float64[m], 1 on the actions of payments whose id starts so, 0 elsewhere."""
    found = [each.startswith(start) for each in batch.payment_id.to_pylist()]
    return np.repeat(np.array(found, np.float64), batch.counts)


class FromContext:
    """Probabilities that depend on all that a decision brings along."""

    name = "from-context"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        weight = (
            1.0
            + batch.action_delay_s / 1e4
            + np.array([len(batch.routes[code]) for code in batch.action_route.tolist()])
        )
        for name, column in sorted(batch.context.items()):
            if name in ("amount_minor", "x_mark") and isinstance(column, np.ndarray):
                known = np.nan_to_num(np.asarray(column, np.float64), nan=0.0)
                weight = weight + np.repeat(known % 7, batch.counts) * batch.is_stop
            elif hasattr(column, "values"):
                length = [len(value or "") for value in column.values()]
                weight = weight + np.repeat(np.array(length, np.float64), batch.counts) / (
                    1.0 + batch.action_delay_s
                )
        rate = batch.action_features.get("rate")
        if isinstance(rate, np.ndarray):
            weight = weight + np.nan_to_num(np.asarray(rate, np.float64), nan=0.0)
        return weight / np.repeat(batch.sum_by_decision(weight), batch.counts)
