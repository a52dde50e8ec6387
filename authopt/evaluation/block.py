"""One chunk of a log, ready to be added up, and what can be added up of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from authopt.batch import IntArray, LoggedBatch
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import Terms

UIntArray = npt.NDArray[np.uint64]

State = Mapping[str, npt.NDArray[Any]]
"""What a part holds, as plain arrays (numbers, times and text; no objects) by name."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Block:
    """n decisions of a log.

    Attributes
    ----------
    arrays
        what was logged, as numbers.
    hashes
        uint64[n], hash of each decision's cluster.
    bucket
        int64[n], the bucket of each cluster.
    own
        the terms of the logging policy, whose weights are all 1.
    batch
        the decisions themselves; None where the log came as plain arrays, which have no times,
        payments or segments.
    payment
        uint64[n], hash of each decision's payment; None as above.
    """

    arrays: LoggedArrays
    hashes: UIntArray
    bucket: IntArray
    own: Terms
    batch: LoggedBatch | None = None
    payment: UIntArray | None = None


class Part(Protocol):
    """Something that a pass over the log adds up for one policy.

    Parts of pieces of a log add up to the part of the whole log, whatever the pieces and their
    order (to rounding). That is what lets chunks, processes and machines share the work.
    """

    def add(self, block: Block, terms: Terms) -> None:
        """Add the decisions of a block, with the policy's terms for them."""

    def __add__(self, other: Self) -> Self:
        """Both together."""

    def state(self) -> State:
        """All that the part holds."""

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The part that gave this state."""


def nested(states: Mapping[str, State]) -> State:
    """States by name as one: every array's name starts with the name of its state and ``/``."""
    return {
        f"{name}/{key}": value for name, state in states.items() for key, value in state.items()
    }


def inner(state: State, name: str) -> State:
    """The state of this name out of what :func:`nested` gave; empty where there is none."""
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in state.items() if key.startswith(start)}
