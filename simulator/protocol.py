"""What a world is: payments that arrive, attempts that end, decision points that follow."""

from __future__ import annotations

from typing import Protocol

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from simulator.traffic import Traffic


class World(Protocol):
    """A generative model of card payments whose chances are known.

    All that a world draws is fixed by the ids of payments and decisions and by the seed of the
    traffic, so a policy meets the same payments and the same luck as any other, and the rows do not
    depend on how they are cut into batches.
    """

    @property
    def route_names(self) -> tuple[str, ...]:
        """The routes, in a fixed order."""

    def arrivals(self, traffic: Traffic, first: int, last: int) -> DecisionBatch:
        """First decision points of the payments from ``first`` to before ``last``, by time.

        Payments are numbered in the order of their arrival: no payment of a higher number arrives
        before one of a lower.
        """

    def approval_probability(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]: the true chance that each action is approved; 0 for ``stop``."""

    def with_outcome(self, batch: LoggedBatch, seed: int) -> LoggedBatch:
        """The decisions with what came back (``payments.OUTCOME_FIELDS``); reward = approved."""

    def following(self, batch: LoggedBatch, seed: int) -> DecisionBatch:
        """The decision points that follow the declines of decisions with their outcomes.

        Rows may be of any attempt number; a payment that was approved, given up, or has no more
        attempts has none.
        """
