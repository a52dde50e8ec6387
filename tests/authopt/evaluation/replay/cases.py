"""Worlds and learners so small that every log, every acceptance and every live run can be listed.

Acceptance is decided by the hash of a decision id. An id whose hash is next to 0 is accepted
whenever that is possible at all, one whose hash is next to 1 is rejected whenever that is possible,
so choosing ids goes through all acceptances by the public interface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction as F
from functools import cache
from itertools import product
from typing import ClassVar

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch
from authopt.evaluation.replay.acceptance import acceptance_uniforms
from simulator.tiny import Row, TinyWorld, tiny_log

SMALL = TinyWorld(
    contexts=(F(2, 3), F(1, 3)),
    logging=((F(3, 4), F(1, 4)), (F(2, 5), F(3, 5))),
    approval=((F(9, 10), F(1, 4)), (F(1, 2), F(7, 8))),
)
"""Two contexts, two actions, propensities that differ."""

SINGLE = TinyWorld(contexts=(F(1),), logging=((F(1, 3), F(2, 3)),), approval=((F(4, 5), F(3, 10)),))
"""One context."""

ALIKE = TinyWorld(
    contexts=(F(2, 3), F(1, 3)),
    logging=((F(1, 2), F(1, 2)), (F(1, 2), F(1, 2))),
    approval=SMALL.approval,
)
"""Uniform logging."""

Seen = tuple[int, int, int, float]
"""What a learner was told of one decision: context, action, approved, propensity."""
History = tuple[Seen, ...]
Chances = Callable[[History, int, int], list[float]]
"""A policy's probabilities from what was seen, the context and the number of actions."""


def bound(world: TinyWorld) -> float:
    """The largest weight that any policy can meet."""
    return float(1 / min(min(row) for row in world.logging))


def learner_chances(history: History, context: int, actions: int) -> list[float]:
    """A learner as a plain function of what it saw: softmax of importance-weighted rewards."""
    scores = [0.3 * action * (1 + context) for action in range(actions)]
    for seen_context, action, approved, propensity in history:
        step = 1.0 if seen_context == context else 0.4
        scores[action] += step * (approved - 0.5) / propensity
    top = max(scores)
    odds = [float(np.exp(score - top)) for score in scores]
    return [each / sum(odds) for each in odds]


def in_steps_of(every: int) -> Chances:
    """The same learner, learning from so many decisions at a time."""

    def chances(history: History, context: int, actions: int) -> list[float]:
        return learner_chances(history[: len(history) // every * every], context, actions)

    return chances


@dataclass(slots=True)
class TinyLearner:
    """The same as a policy that learns; what any copy of it saw goes to ``log`` too."""

    log: ClassVar[list[History]] = []
    name: str = "tiny"
    history: History = field(default=())

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        contexts = _contexts(batch)
        chances = [
            learner_chances(self.history, int(context), int(count))
            for context, count in zip(contexts, batch.counts, strict=True)
        ]
        return np.array([chance for row in chances for chance in row])

    def update(self, batch: LoggedBatch) -> None:
        rows = zip(_contexts(batch), batch.chosen, batch.reward, batch.propensity, strict=True)
        self.history += tuple((int(x), int(a), int(r), float(p)) for x, a, r, p in rows)
        TinyLearner.log.append(self.history)


@dataclass(frozen=True, slots=True)
class TablePolicy:
    """A fixed policy by context and action."""

    table: tuple[tuple[F, ...], ...]
    name: str = "table"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return np.array([float(p) for context in _contexts(batch) for p in self.table[context]])


@dataclass(frozen=True, slots=True)
class TablePrediction:
    """A reward model by context and action."""

    table: tuple[tuple[float, ...], ...]

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return np.array([each for context in _contexts(batch) for each in self.table[context]])


def _contexts(batch: DecisionBatch) -> list[int]:
    column = batch.context["x_context"]
    assert isinstance(column, Categorical)
    return [int(code) for code in column.codes]


@cache
def _ids(accepted: bool, count: int) -> tuple[str, ...]:
    """Ids whose uniform of seed 0, repetition 0 is below 0.001, or above 0.999."""
    found: list[str] = []
    start = 0
    while len(found) < count:
        ids = [f"i{number}" for number in range(start, start + 20_000)]
        uniform = acceptance_uniforms(pa.array(ids), seed=0, repetition=0)
        wanted = uniform < 1e-3 if accepted else uniform > 1.0 - 1e-3
        found += [ids[place] for place in np.flatnonzero(wanted)]
        start += 20_000
    return tuple(found[:count])


@dataclass(frozen=True, slots=True)
class Case:
    """One log with one outcome of all acceptances, and its probability."""

    batch: LoggedBatch
    rows: tuple[Row, ...]
    accepted: tuple[bool, ...]
    probability: float


def cases(world: TinyWorld, n: int, chances: Chances, c: float) -> Iterator[Case]:
    """Every log of n rows with every outcome of the acceptances that can happen.

    What the policy saw is the accepted rows.
    """
    for rows, log_probability in world.logs(n):
        batch = tiny_log(rows, world)
        for pattern in product((True, False), repeat=n):
            history: History = ()
            probability = log_probability
            for row, accept in zip(rows, pattern, strict=True):
                own = chances(history, row.context, len(world.logging[row.context]))[row.action]
                chance = c * own / float(world.logging[row.context][row.action])
                probability *= chance if accept else 1.0 - chance
                if accept:
                    history += ((row.context, row.action, row.approved, own),)
            if probability <= 1e-15:
                continue
            taken, refused = _ids(True, n), _ids(False, n)
            ids = [
                taken[place] if accept else refused[place] for place, accept in enumerate(pattern)
            ]
            yield Case(replace(batch, decision_id=pa.array(ids)), rows, pattern, probability)


def live_runs(world: TinyWorld, steps: int, chances: Chances) -> dict[History, float]:
    """The law of what a learner sees live in its first decisions."""
    law: dict[History, float] = {(): 1.0}
    for _ in range(steps):
        longer: dict[History, float] = {}
        for history, probability in law.items():
            for seen, chance in _next(world, history, chances):
                key = (*history, seen)
                longer[key] = longer.get(key, 0.0) + probability * chance
        law = longer
    return law


def _next(world: TinyWorld, history: History, chances: Chances) -> Iterator[tuple[Seen, float]]:
    for context, share in enumerate(world.contexts):
        own = chances(history, context, len(world.logging[context]))
        for action, chance in enumerate(own):
            approval = float(world.approval[context][action])
            for approved, outcome in ((1, approval), (0, 1.0 - approval)):
                yield (context, action, approved, chance), float(share) * chance * outcome


def live_value(world: TinyWorld, step: int, chances: Chances = learner_chances) -> float:
    """Expected reward of a learner's live decision after ``step`` others."""
    return sum(
        probability * chance * seen[2]
        for history, probability in live_runs(world, step, chances).items()
        for seen, chance in _next(world, history, chances)
    )
