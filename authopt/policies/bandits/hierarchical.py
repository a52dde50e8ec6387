"""Hierarchical Thompson sampling over segments: each leans on the wider ones around it.

One bandit per segment knows nothing of a small issuer; one bandit for all knows nothing of any
issuer. Here a segment's rates are drawn around those of the wider segment that it is part of, and
how much they differ is estimated: see ``pooling`` for the model and its sources.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.bandits.best_of_betas import best_of_betas
from authopt.policies.bandits.fading import Fading, FadingState
from authopt.policies.bandits.pooling import Pooled, Tree, pool
from authopt.policies.bandits.segments import (
    check_dimensions,
    check_keys,
    contexts_of,
    spread,
    unit_outcomes_of,
)
from authopt.policies.family import EPSILON, Family, Options
from authopt.policies.state_file import read_state, write_state

HALF_LIFE_DAYS = 60.0
SEGMENTS = ("previous_response_code", "currency", "issuer")
"""Chosen on one seed of the simulator's cards world, 50,000 payments in 28 days."""

MADE_BY = "a policy hierarchical-thompson that is saved while it acts"


class HierarchicalFile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag_field="policy",
    tag="hierarchical-thompson",
):
    """The file of a :class:`HierarchicalThompson`: options and state."""

    segments: tuple[str, ...]
    strength: float | None
    memory: FadingState
    version: Literal[1] = 1


@dataclass(slots=True, eq=False)
class HierarchicalThompson:
    """A policy that learns: each eligible route with the probability that it is the best one.

    The segments are nested: with ``("currency", "issuer")`` a route has a rate over all payments,
    one in each currency, and one for each issuer in each currency; the narrowest one decides. A
    segment never seen has the rates of the wider one, with the doubt that how much segments differ
    leaves. Probabilities are exact for the Beta distributions whose means and variances the
    pooling gives (``best_of_betas``). Of a route's actions the one with the shortest delay is
    taken; ``stop`` only where nothing else is eligible.

    Retries seldom succeed, on any route, and the best route gets most of them: let the segments
    begin with ``previous_response_code``, which is missing on first attempts.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    memory
        what is remembered of each segment.
    segments
        context columns of names, the widest first.
    strength
        attempts' worth of the wider segment that every narrower one leans on, above 0; None where
        it is estimated, level by level, from what is in memory.
    """

    memory: Fading = field(default_factory=lambda: Fading(HALF_LIFE_DAYS))
    segments: tuple[str, ...] = SEGMENTS
    strength: float | None = None
    name: str = "hierarchical-thompson"
    _pooled: Pooled | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_dimensions(self.name, self.segments)
        if self.strength is not None and not 0.0 < self.strength < math.inf:
            raise UserError(f"the strength of {self.name} is {self.strength:g}; expected above 0")

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the probability that the route is the best one, on its shortest delay."""
        if not batch.n:
            return np.zeros(0)
        contexts = contexts_of(batch, self.segments)
        if not self.memory.cells.segments:
            alpha = beta = np.ones(contexts.eligible.shape)
        else:
            unseen = len(self.memory.cells.routes)
            place = [self.memory.cells.routes.get(route, unseen) for route in batch.routes]
            believed = self.pooled().of(contexts.keys).betas()
            alpha, beta = (each[contexts.key][:, place] for each in believed)
        return spread(batch, contexts, best_of_betas(alpha, beta, contexts.eligible))

    def pooled(self) -> Pooled:
        """What is believed now; the last column is that of a route never seen."""
        if self._pooled is None:
            memory = self.memory
            tree = Tree.of(list(memory.cells.segments), len(self.segments))
            sums = (memory.attempts, memory.successes, memory.squares)
            attempts, successes, squares = (np.pad(each, ((0, 0), (0, 1))) for each in sums)
            self._pooled = pool(tree, attempts, successes, squares, self.strength)
        return self._pooled

    def update(self, batch: LoggedBatch) -> None:
        """Learn from known outcomes; ``stop`` teaches nothing.

        Raises
        ------
        UserError
            If a reward is not from 0 to 1.
        """
        outcomes = unit_outcomes_of(self.name, batch, self.segments)
        if len(outcomes):
            self.memory.add(outcomes)
            self._pooled = None

    def save(self, path: Path) -> None:
        """Write options and state; :meth:`load` restores them exactly."""
        write_state(path, HierarchicalFile(self.segments, self.strength, self.memory.state()))

    @classmethod
    def load(cls, path: Path) -> HierarchicalThompson:
        """Read options and state.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        state = read_state(path, HierarchicalFile, "a hierarchical-thompson policy", MADE_BY)
        keys = [record.values for record in state.memory.segments]
        try:
            check_keys("hierarchical-thompson", keys, state.segments)
            return cls(Fading.of(state.memory), state.segments, state.strength)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def _make(file: Path | None, options: Options) -> HierarchicalThompson:
    if file is not None:
        options.refuse(("segments", "half_life_days", "strength"))
        return HierarchicalThompson.load(file)
    segments = options.list("segments", "+")
    return HierarchicalThompson(
        Fading(options.number("half_life_days", HALF_LIFE_DAYS)),
        SEGMENTS if segments is None else segments,
        None if options.text("strength") is None else options.number("strength", 0.0),
    )


FAMILY = Family(
    "hierarchical-thompson[:FILE.json or segments=previous_response_code+currency+issuer,"
    "half_life_days=60,strength=50]",
    _make,
    ("segments", "half_life_days", "strength", EPSILON),
    takes_file=True,
)
