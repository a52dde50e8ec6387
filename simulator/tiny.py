"""A world so small that every log of it can be listed with its probability.

An estimator's expectation is then a finite sum, and unbiasedness is checked to rounding instead of
by sampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, FloatArray, IntArray, LoggedBatch


@dataclass(frozen=True, slots=True)
class Row:
    """One decision that can happen: which context, which action was taken, approved or not."""

    context: int
    action: int
    approved: int
    probability: Fraction


@dataclass(frozen=True, slots=True)
class TinyWorld:
    """A few contexts, each with its own eligible actions.

    Attributes
    ----------
    contexts
        probability of each context.
    logging
        by context, the logging policy's probability of each action.
    approval
        by context, the chance that each action is approved.
    """

    contexts: tuple[Fraction, ...]
    logging: tuple[tuple[Fraction, ...], ...]
    approval: tuple[tuple[Fraction, ...], ...]

    def value(self, policy: tuple[tuple[Fraction, ...], ...]) -> Fraction:
        """The exact value of a policy, given by context as ``logging`` is."""
        return sum(
            (
                chance * probability * approval
                for chance, row, approvals in zip(self.contexts, policy, self.approval, strict=True)
                for probability, approval in zip(row, approvals, strict=True)
            ),
            Fraction(0),
        )

    def rows(self) -> list[Row]:
        """Every decision that can happen; their probabilities sum to 1."""
        found = []
        for context, chance in enumerate(self.contexts):
            for action, logged in enumerate(self.logging[context]):
                approval = self.approval[context][action]
                for approved, outcome in ((1, approval), (0, 1 - approval)):
                    probability = chance * logged * outcome
                    if probability:
                        found.append(Row(context, action, approved, probability))
        return found

    def logs(self, n: int) -> Iterator[tuple[tuple[Row, ...], float]]:
        """Every log of n independent decisions, with its probability."""
        for rows in product(self.rows(), repeat=n):
            yield rows, float(prod((row.probability for row in rows), start=Fraction(1)))


def action_values(
    rows: tuple[Row, ...], table: tuple[tuple[Fraction, ...], ...]
) -> tuple[FloatArray, IntArray]:
    """A table by context and action as float64[m] over the rows' actions, with its offsets."""
    values = [float(value) for row in rows for value in table[row.context]]
    counts = [len(table[row.context]) for row in rows]
    return np.array(values), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


_F = Fraction
TINY = TinyWorld(
    contexts=(_F(2, 3), _F(1, 3)),
    logging=((_F(1, 2), _F(3, 8), _F(1, 8)), (_F(1, 5), _F(4, 5))),
    approval=((_F(9, 10), _F(3, 5), _F(1, 4)), (_F(1, 2), _F(7, 8))),
)
"""Two contexts, the second with an action less."""


def tiny_log(rows: tuple[Row, ...], world: TinyWorld = TINY) -> LoggedBatch:
    """Rows as an attempt log: one payment each, the context in ``x_context``, routes a0, a1, ..."""
    n = len(rows)
    ids = pa.array([f"t{place}" for place in range(n)])
    probability, offsets = action_values(rows, world.logging)
    counts = np.diff(offsets)
    chosen = np.array([row.action for row in rows], np.int64)
    names = tuple(f"c{place}" for place in range(len(world.contexts)))
    approved = np.array([row.approved for row in rows], np.float64)
    return LoggedBatch(
        decision_id=ids,
        payment_id=ids,
        attempt=np.ones(n, np.int32),
        decided_at=np.full(n, np.datetime64("2026-01-05", "us")),
        context={"x_context": Categorical(np.array([r.context for r in rows], np.int32), names)},
        routes=tuple(f"a{place}" for place in range(max(map(len, world.logging)))),
        action_route=(np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)).astype(np.int32),
        action_delay_s=np.zeros(offsets[-1], np.int64),
        offsets=offsets,
        chosen=chosen,
        propensity=probability[offsets[:-1] + chosen],
        probability=probability,
        reward=approved,
        outcome={"approved": approved},
    )


def everything(world: TinyWorld = TINY) -> tuple[LoggedBatch, FloatArray]:
    """Every decision that can happen, and float64[n] its probability.

    Where an estimator is a mean of terms of single decisions, its exact expectation is the mean of
    those terms under these weights.
    """
    rows = tuple(world.rows())
    return tiny_log(rows, world), np.array([float(row.probability) for row in rows])
