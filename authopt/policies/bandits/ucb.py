"""Upper confidence bounds for rates that change: discounted UCB and sliding-window UCB.

Garivier and Moulines, 'On upper-confidence bound policies for switching bandit problems', ALT 2011
(arXiv 0805.3415): sections 2 (D-UCB) and 3 (SW-UCB). Payments teams run them, one bandit for each
kind of payment: Chaudhary, Rai and Gupta, 'Maximizing success rate of payment routing using
non-stationary bandits', arXiv 2308.01028 (Dream11).
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
from authopt.policies.bandits.memory import (
    Discounted,
    Memory,
    MemoryState,
    memory_of,
)
from authopt.policies.bandits.segments import (
    best_shares,
    check_dimensions,
    check_keys,
    contexts_of,
    spread,
    unit_outcomes_of,
)
from authopt.policies.bandits.spec_keys import KEYS, given_dimensions, given_memory
from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.state_file import read_state, write_state

DISCOUNT = 0.9999
EXPLORATION = 0.0005
DIMENSIONS = ("previous_response_code", "issuer")
"""Chosen on one seed of the simulator's cards world, 50,000 payments in 28 days."""

MADE_BY = "a policy ucb that is saved while it acts"


class UcbFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="ucb"
):
    """The file of an :class:`Ucb`: options and state."""

    exploration: float
    dimensions: tuple[str, ...]
    memory: MemoryState
    version: Literal[1] = 1


@dataclass(slots=True, eq=False)
class Ucb:
    """A policy that learns: the eligible route of the highest upper confidence bound.

    The bound of a route is its mean reward in the segment plus ``b * sqrt(exploration * log n /
    N)``: ``N`` attempts by the route among ``n`` of the segment, both as the memory counts them,
    and ``b`` 2 with a discount and 1 with a window, as in the paper. A route with no attempt in
    memory comes first. Of a route's actions the one with the shortest delay is taken; ``stop`` only
    where nothing else is eligible; routes of equal bound share the probability.

    All decisions of a batch get the bounds as they stood at the last ``update``: with outcomes that
    come late, a new route takes all traffic until the first of them is known. The policy is
    deterministic but for ties; its log cannot teach another policy unless ``epsilon`` is mixed in.

    Retries seldom succeed, on any route, and the best route gets most of them: let the dimensions
    contain ``previous_response_code``, which is missing on first attempts, or they will make the
    best route look the worst.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    memory
        what is remembered of each segment.
    exploration
        the paper's xi, 0 or more. Its theory wants more than 0.5, for rates that may be anything;
        approval rates of routes lie close together, and much less does better.
    dimensions
        context columns of names; every combination of their values is a segment.
    """

    memory: Memory = field(default_factory=lambda: Discounted(DISCOUNT))
    exploration: float = EXPLORATION
    dimensions: tuple[str, ...] = DIMENSIONS
    name: str = "ucb"

    def __post_init__(self) -> None:
        if not 0.0 <= self.exploration < math.inf:
            raise UserError(f"the exploration of ucb is {self.exploration:g}; expected 0 or more")
        check_dimensions("ucb", self.dimensions)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision, shared where bounds are equal."""
        if not batch.n:
            return np.zeros(0)
        contexts = contexts_of(batch, self.dimensions)
        bound = self._bounds(*self.memory.read(contexts.keys, batch.routes))
        return spread(batch, contexts, best_shares(bound[contexts.key], contexts.eligible))

    def _bounds(
        self, attempts: FloatArray, successes: FloatArray, rounds: FloatArray
    ) -> FloatArray:
        """float64[keys, routes]; infinite where nothing is known."""
        factor = 2.0 if isinstance(self.memory, Discounted) else 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(np.maximum(rounds, 1.0))[:, None]
            bound = successes / attempts + factor * np.sqrt(self.exploration * log / attempts)
        return np.where(attempts > 0.0, bound, np.inf)

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
        write_state(path, UcbFile(self.exploration, self.dimensions, self.memory.state()))

    @classmethod
    def load(cls, path: Path) -> Ucb:
        """Read options and state.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        state = read_state(path, UcbFile, "a ucb policy", MADE_BY)
        keys = [record.values for record in state.memory.segments]
        try:
            check_keys("ucb", keys, state.dimensions)
            return cls(memory_of(state.memory), state.exploration, state.dimensions)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def _make(file: Path | None, options: Options) -> Ucb:
    if file is None:
        memory = given_memory(options, DISCOUNT)
        exploration = options.number("exploration", EXPLORATION)
        return Ucb(memory, exploration, given_dimensions(options, DIMENSIONS))
    options.refuse(KEYS)
    policy = Ucb.load(file)
    policy.exploration = options.number("exploration", policy.exploration)
    if policy.exploration < 0.0:
        raise SpecError(
            f"policy {options.spec!r}: exploration is {policy.exploration:g}; expected 0 or more"
        )
    return policy


FAMILY = Family(
    "ucb[:FILE.json or discount=0.9999,dimensions=previous_response_code+issuer or window=1000]",
    _make,
    (*KEYS, "exploration", EPSILON),
    takes_file=True,
)
