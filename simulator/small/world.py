"""A small world in which nothing is hidden: all that bears on an attempt is in its context."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from authopt.batch import DecisionBatch, LoggedBatch
from simulator.small.approval import ApprovalModel
from simulator.small.arrivals import arrivals
from simulator.small.attempts import endings, following, with_outcome
from simulator.small.cast import ISSUERS, MERCHANTS, ROUTES
from simulator.small.eligible import Offers, offers_of
from simulator.traffic import Traffic

TASTE = 0.45
"""Standard deviation of an issuer's taste for a route, in log odds."""


@dataclass(frozen=True, eq=False)
class SmallWorld(ApprovalModel):
    """A ``simulator.protocol.World`` of few issuers whose states are all told by response codes."""

    @cached_property
    def offers(self) -> Offers:
        """Which actions the merchants' set-up offers."""
        return offers_of(self)

    def arrivals(self, traffic: Traffic, first: int, last: int) -> DecisionBatch:
        """First decision points of the payments from ``first`` to before ``last``, by time."""
        return arrivals(self, self.offers, traffic, first, last)

    def with_outcome(self, batch: LoggedBatch, seed: int) -> LoggedBatch:
        """The decisions with what came back; reward = approved."""
        return with_outcome(self, batch, endings(self, batch, seed), seed)

    def following(self, batch: LoggedBatch, seed: int) -> DecisionBatch:
        """The decision points that follow the declines."""
        return following(self.offers, batch, seed)


def small_world() -> SmallWorld:
    """The world of the sample log and of most tests."""
    rng = np.random.default_rng(20260101)
    taste = rng.normal(0.0, TASTE, (len(ISSUERS), len(ROUTES)))
    return SmallWorld(ROUTES, ISSUERS, MERCHANTS, taste)
