"""Thompson sampling for rates that change: discounted, or over a sliding window.

Raj and Kalyani, 'Taming non-stationary bandits: a Bayesian approach', arXiv 1707.09727, algorithm 1
(discount); Trovò et al., 'Sliding-window Thompson sampling for non-stationary settings', JAIR 68,
2020, algorithm 1 (window). Payments teams run them, one bandit for each kind of payment: Chaudhary,
Rai and Gupta, arXiv 2308.01028 (Dream11).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.bandits.best_of_betas import best_of_betas
from authopt.policies.bandits.memory import Discounted, Memory, MemoryState, memory_of
from authopt.policies.bandits.segments import (
    check_dimensions,
    check_keys,
    contexts_of,
    spread,
    unit_outcomes_of,
)
from authopt.policies.bandits.spec_keys import KEYS, given_dimensions, given_memory
from authopt.policies.family import EPSILON, Family, Options
from authopt.policies.state_file import read_state, write_state

DISCOUNT = 0.9999
DIMENSIONS = ("previous_response_code", "issuer")
"""Chosen on one seed of the simulator's cards world, 50,000 payments in 28 days."""

MADE_BY = "a policy thompson that is saved while it acts"


class ThompsonFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="thompson"
):
    """The file of a :class:`Thompson`: options and state."""

    dimensions: tuple[str, ...]
    memory: MemoryState
    version: Literal[1] = 1


@dataclass(slots=True, eq=False)
class Thompson:
    """A policy that learns: each eligible route with the probability that it is the best one.

    What is believed of a route's success rate in a segment is ``Beta(1 + S, 1 + N - S)``, with
    ``S`` successes in ``N`` attempts as the memory counts them (a reward between 0 and 1 is that
    part of a success). Thompson sampling draws a rate for every route and takes the highest; the
    probability that it takes a route is computed here, not drawn (``best_of_betas``). Of a route's
    actions the one with the shortest delay is taken; ``stop`` only where nothing else is eligible.

    No eligible route has probability 0, but the share of a bad one is not bounded from below; mix
    in ``epsilon`` where the log is to teach another policy.

    Retries seldom succeed, on any route, and the best route gets most of them: let the dimensions
    contain ``previous_response_code``, which is missing on first attempts, or they will make the
    best route look the worst.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    memory
        what is remembered of each segment.
    dimensions
        context columns of names; every combination of their values is a segment.
    """

    memory: Memory = field(default_factory=lambda: Discounted(DISCOUNT))
    dimensions: tuple[str, ...] = DIMENSIONS
    name: str = "thompson"

    def __post_init__(self) -> None:
        check_dimensions("thompson", self.dimensions)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the probability that the route is the best one, on its shortest delay."""
        if not batch.n:
            return np.zeros(0)
        contexts = contexts_of(batch, self.dimensions)
        attempts, successes, _ = self.memory.read(contexts.keys, batch.routes)
        alpha = 1.0 + successes[contexts.key]
        # Rounding may leave a sum of successes a hair above that of attempts.
        beta = 1.0 + np.maximum(attempts - successes, 0.0)[contexts.key]
        return spread(batch, contexts, best_of_betas(alpha, beta, contexts.eligible))

    def update(self, batch: LoggedBatch) -> None:
        """Learn from known outcomes, oldest first; ``stop`` teaches nothing.

        Raises
        ------
        UserError
            If a reward is not from 0 to 1.
        """
        outcomes = unit_outcomes_of(self.name, batch, self.dimensions)
        if len(outcomes):
            self.memory.add(outcomes)

    def save(self, path: Path) -> None:
        """Write options and state; :meth:`load` restores them exactly."""
        write_state(path, ThompsonFile(self.dimensions, self.memory.state()))

    @classmethod
    def load(cls, path: Path) -> Thompson:
        """Read options and state.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        state = read_state(path, ThompsonFile, "a thompson policy", MADE_BY)
        keys = [record.values for record in state.memory.segments]
        try:
            check_keys("thompson", keys, state.dimensions)
            return cls(memory_of(state.memory), state.dimensions)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def _make(file: Path | None, options: Options) -> Thompson:
    if file is not None:
        options.refuse(KEYS)
        return Thompson.load(file)
    return Thompson(given_memory(options, DISCOUNT), given_dimensions(options, DIMENSIONS))


FAMILY = Family(
    "thompson[:FILE.json or discount=0.9999,dimensions=previous_response_code+issuer "
    "or window=1000]",
    _make,
    (*KEYS, EPSILON),
    takes_file=True,
)
