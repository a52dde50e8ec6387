"""All that one pass over a log adds up: of the log, of every policy, and of every pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Self

from authopt.batch import FloatArray, LoggedBatch
from authopt.evaluation.block import Block, State, inner, nested
from authopt.evaluation.blocks import some_payments
from authopt.evaluation.bound_sums import BoundSums
from authopt.evaluation.log_sums import LogSums
from authopt.evaluation.pairs import PairSums
from authopt.evaluation.payments.rows import stopping_mass
from authopt.evaluation.policy_sums import PolicySums
from authopt.evaluation.propensities.sums import PropensitySums
from authopt.evaluation.terms import Terms, without_model
from authopt.evaluation.wanted import Wanted

Pair = tuple[int, int]
"""Places of two policies among those that are judged."""


@dataclass(slots=True, eq=False)
class EvaluationSums:
    """What an evaluation is read from; sums of pieces of a log add up to those of the whole.

    Attributes
    ----------
    wanted
        what is added up.
    log
        of the log itself.
    own
        of the logging policy.
    policies
        of the policies that are judged, in their order.
    pairs
        of every two of these.
    bounds
        of each policy, where an assumption on delays stands in for support; else empty.
    checks
        of the propensities; None where they are not checked.
    """

    wanted: Wanted
    log: LogSums
    own: PolicySums
    policies: list[PolicySums]
    pairs: dict[Pair, PairSums]
    bounds: list[BoundSums]
    checks: PropensitySums | None

    @classmethod
    def empty(cls, policies: int, wanted: Wanted) -> Self:
        """Nothing added up yet, for this number of policies."""
        return cls(
            wanted,
            LogSums(),
            PolicySums.empty(wanted, own=True),
            [PolicySums.empty(wanted) for _ in range(policies)],
            {pair: PairSums.empty(wanted) for pair in combinations(range(policies), 2)},
            [] if wanted.assumption is None else [_bounds(wanted) for _ in range(policies)],
            PropensitySums() if wanted.check_every else None,
        )

    def add(
        self, block: Block, terms: Sequence[Terms], probabilities: Sequence[FloatArray]
    ) -> None:
        """Add the decisions of a block.

        Parameters
        ----------
        block
            n decisions with m actions.
        terms, probabilities
            of every policy: its terms, and its probabilities (float64[m]).
        """
        self.log.add(block)
        if self.checks is not None:
            some = some_payments(block, self.wanted.check_every)
            self.checks.add(some, some.own)
        own = block.own
        if self.wanted.payments and block.batch is not None:
            own = _with_stopping(block.batch, own, block.arrays.probability)
            pairs = zip(terms, probabilities, strict=True)
            terms = [_with_stopping(block.batch, each, p) for each, p in pairs]
        self.own.add(block, own)
        for policy, each, given in zip(self.policies, terms, probabilities, strict=True):
            policy.add(block, each, given)
        paired = terms if self.wanted.model_bets else [without_model(each) for each in terms]
        for (first, second), pair in self.pairs.items():
            pair.add(block, paired[first], paired[second])
        for bounds, given in zip(self.bounds, probabilities, strict=False):
            bounds.add(block, given)

    def __add__(self, other: EvaluationSums) -> EvaluationSums:
        return EvaluationSums(
            self.wanted,
            self.log + other.log,
            self.own + other.own,
            [one + two for one, two in zip(self.policies, other.policies, strict=True)],
            {pair: sums + other.pairs[pair] for pair, sums in self.pairs.items()},
            [one + two for one, two in zip(self.bounds, other.bounds, strict=True)],
            None if self.checks is None or other.checks is None else self.checks + other.checks,
        )

    def __iadd__(self, other: EvaluationSums) -> Self:
        # In place, since rows of payments are many; all else is small.
        self.log += other.log
        self.own += other.own
        for policy, more in zip(self.policies, other.policies, strict=True):
            policy += more
        for pair, sums in other.pairs.items():
            self.pairs[pair] += sums
        self.bounds = [one + two for one, two in zip(self.bounds, other.bounds, strict=True)]
        if self.checks is not None and other.checks is not None:
            self.checks += other.checks
        return self

    def state(self) -> State:
        """All sums as plain arrays."""
        return nested(
            {
                "log": self.log.state(),
                "own": self.own.state(),
                **{f"policy {place}": each.state() for place, each in enumerate(self.policies)},
                **{f"pair {one} {two}": each.state() for (one, two), each in self.pairs.items()},
                **{f"bounds {place}": each.state() for place, each in enumerate(self.bounds)},
                **({} if self.checks is None else {"checks": self.checks.state()}),
            }
        )

    @classmethod
    def from_state(cls, state: State, policies: int, wanted: Wanted) -> Self:
        """The sums that gave this state, for the same policies and wants."""
        return cls(
            wanted,
            LogSums.from_state(inner(state, "log")),
            PolicySums.from_state(inner(state, "own"), wanted, own=True),
            [
                PolicySums.from_state(inner(state, f"policy {place}"), wanted)
                for place in range(policies)
            ],
            {
                (one, two): PairSums.from_state(inner(state, f"pair {one} {two}"))
                for one, two in combinations(range(policies), 2)
            },
            []
            if wanted.assumption is None
            else [
                BoundSums.from_state(inner(state, f"bounds {place}")) for place in range(policies)
            ],
            PropensitySums.from_state(inner(state, "checks")) if wanted.check_every else None,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes as plain arrays: rows of payments may lie in a file."""
        return EvaluationSums.from_state, (self.state(), len(self.policies), self.wanted)


def _bounds(wanted: Wanted) -> BoundSums:
    assert wanted.assumption is not None
    return BoundSums.empty(wanted.assumption, wanted.reward_low, wanted.reward_high, wanted.model)


def _with_stopping(batch: LoggedBatch, terms: Terms, probabilities: FloatArray | None) -> Terms:
    if probabilities is None:
        return terms
    return replace(terms, stopping=stopping_mass(batch, probabilities))
