"""Earlier examples that are learned from again (Lin, Machine Learning 8, 1992, section 3).

A regression that sees every outcome once, in small steps, is still far from what a few hundred
outcomes could have taught it. Learning from each of them several times closes most of that gap. It
is sound only where every example weighs the same (a label's probability is 1).
"""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa

from authopt.errors import UserError
from authopt.hashing import hash_strings, salted

CAPACITY = 10_000
"""Examples that are kept; one of 30 features has about 500 bytes."""

REPLAYS = 16
"""Examples that are learned from again after each new one, while outcomes are few: up to a few
thousand. What chose it is told at :data:`authopt.policies.vw_options.SHORT_STREAM`."""


class ReplayState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that an :class:`ExperienceReplay` knows.

    Attributes
    ----------
    capacity, seed
        as it was made with.
    added
        examples that were ever added.
    passes
        times that it began to go through what was kept.
    of_pass, taken
        how many examples the present pass has, and how many of them it has taken.
    texts
        the examples that are kept; where each one lies decides when it is drawn.
    """

    capacity: int
    seed: int
    added: int
    passes: int
    of_pass: int
    taken: int
    texts: tuple[str, ...]


class ExperienceReplay:
    """The latest examples, gone through again and again, in an order of its own every time.

    Drawn with replacement, some would be seen twice before others are seen once; on the bake-off's
    sets that lost about 0.002 more.

    Parameters
    ----------
    capacity
        the number of examples that are kept; after that, the oldest makes room.
    seed
        of the orders: the same additions and draws give the same examples.

    Raises
    ------
    UserError
        If there is no room for an example.
    """

    __slots__ = ("_added", "_capacity", "_order", "_passes", "_seed", "_taken", "_texts")

    def __init__(self, capacity: int = CAPACITY, seed: int = 0) -> None:
        if capacity < 1:
            raise UserError(f"the capacity of the replay is {capacity}; expected 1 or more")
        self._capacity, self._seed = capacity, seed
        self._texts: list[str] = []
        self._order: list[int] = []
        self._added = self._passes = self._taken = 0

    def __len__(self) -> int:
        """Examples that are kept."""
        return len(self._texts)

    def add(self, text: str) -> None:
        """Keep a labelled example, as Vowpal Wabbit reads it."""
        if len(self._texts) < self._capacity:
            self._texts.append(text)
        else:
            self._texts[self._added % self._capacity] = text
        self._added += 1

    def again(self, count: int) -> list[str]:
        """The next ``count`` examples; none if none is kept."""
        return [self._next() for _ in range(count if self._texts else 0)]

    def _next(self) -> str:
        if self._taken == len(self._order):
            self._passes, self._taken = self._passes + 1, 0
            self._order = self._shuffled(len(self._texts))
        self._taken += 1
        return self._texts[self._order[self._taken - 1]]

    def _shuffled(self, count: int) -> list[int]:
        places = hash_strings(pa.array(map(str, range(count)), pa.string()))
        keys = salted(places, f"replay:{self._seed}:{self._passes}")
        order: list[int] = np.argsort(keys, kind="stable").tolist()
        return order

    def state(self) -> ReplayState:
        """To be saved."""
        return ReplayState(
            self._capacity,
            self._seed,
            self._added,
            self._passes,
            len(self._order),
            self._taken,
            tuple(self._texts),
        )

    @classmethod
    def of_state(cls, state: ReplayState) -> ExperienceReplay:
        """Go on from what was saved, exactly."""
        replay = cls(state.capacity, state.seed)
        replay._texts = list(state.texts)
        replay._added, replay._passes, replay._taken = state.added, state.passes, state.taken
        replay._order = replay._shuffled(state.of_pass)
        return replay
