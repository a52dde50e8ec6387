"""The static waterfall: routes in an order of preference, the next one after a decline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray
from authopt.errors import UserError
from authopt.policies.family import EPSILON, Family, Options, SpecError


@dataclass(frozen=True, slots=True)
class Priority:
    """The first eligible route in an order of preference, at its shortest delay.

    A waterfall sends a retry to the next route: with ``cascade``, the order of a retry begins after
    the route of the payment's previous attempt (the context's ``previous_route``) and goes round to
    end with it. Without ``cascade``, or where the previous route is not known, every attempt starts
    at the top.

    Attributes
    ----------
    routes
        routes, best first. Eligible routes that it does not name come after those it names, and
        ``stop`` comes last of all.
    cascade
        whether a retry goes on to the next route.
    """

    routes: tuple[str, ...]
    cascade: bool = True
    name: str = "priority"

    def __post_init__(self) -> None:
        if not self.routes or not all(self.routes):
            raise UserError("the policy 'priority' needs routes, best first: priority:routes=a,b,c")
        twice = sorted({route for route in self.routes if self.routes.count(route) > 1})
        if twice:
            raise UserError(f"the policy 'priority' names {', '.join(twice)} more than once")
        if STOP_ROUTE in self.routes:
            raise UserError(
                f"the policy 'priority' cannot rank {STOP_ROUTE!r}: giving up comes last anyway"
            )

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision and 0 on the others."""
        return by_priority(batch, self.routes, cascade=self.cascade)


def by_priority(
    batch: DecisionBatch, priority: Sequence[str], *, cascade: bool = False
) -> FloatArray:
    """The static order as probabilities: 1 on the first action of each decision, 0 elsewhere.

    First is the route that comes first in ``priority``, then its shortest delay; routes that
    ``priority`` does not name come after those it names, and ``stop`` comes last.

    Parameters
    ----------
    batch
        n decisions with m actions.
    priority
        routes, best first; ``stop`` in it is passed over.
    cascade
        begin after the payment's previous route, and go round.

    Returns
    -------
    float64[m]
    """
    rank_of = {route: rank for rank, route in enumerate(priority) if route != STOP_ROUTE}
    length = len(priority)
    unnamed, stop = length, length + 1
    ranks = [stop if route == STOP_ROUTE else rank_of.get(route, unnamed) for route in batch.routes]
    rank = np.array(ranks, np.int64)
    after = _after_previous(batch, rank_of) if cascade else None
    if after is None:
        return first_of_each(batch, rank[batch.action_route])
    turns = np.arange(length + 1)[:, None]
    table = np.where(rank < length, (rank - turns) % max(length, 1), rank)
    cell = np.repeat(after * len(rank), batch.counts) + batch.action_route
    return first_of_each(batch, table.ravel()[cell])


def _after_previous(batch: DecisionBatch, rank_of: dict[str, int]) -> IntArray | None:
    """int64[n], the rank after that of the previous route; 0 where there is none in the order.

    None where no previous route is known at all.
    """
    previous = batch.context.get("previous_route")
    if not isinstance(previous, Categorical):
        return None
    after = [rank_of.get(route, -1) + 1 for route in previous.categories]
    return np.array([*after, 0], np.int64)[previous.codes]


def first_of_each(batch: DecisionBatch, rank: IntArray | FloatArray) -> FloatArray:
    """float64[m], 1 on each decision's action of lowest rank, then shortest delay, then first."""
    probability = np.zeros(batch.m)
    if not batch.n:
        return probability
    if rank.dtype.kind == "i" and not batch.action_delay_s.any():
        # Rank and place in one number: the least of a decision tells where it stands.
        place = rank * batch.m + np.arange(batch.m)
        probability[np.minimum.reduceat(place, batch.offsets[:-1]) % batch.m] = 1.0
        return probability
    first = np.flatnonzero(rank == _least(batch, rank))
    if len(first) > batch.n:
        delay = np.full(batch.m, np.iinfo(np.int64).max)
        delay[first] = batch.action_delay_s[first]
        first = first[delay[first] == _least(batch, delay)[first]]
        decision = np.searchsorted(batch.offsets, first, side="right")
        first = first[np.flatnonzero(np.diff(decision, prepend=0))]
    probability[first] = 1.0
    return probability


def _least(batch: DecisionBatch, values: IntArray | FloatArray) -> IntArray | FloatArray:
    """The smallest value (of m) of each decision, at all of its actions."""
    return np.repeat(np.minimum.reduceat(values, batch.offsets[:-1]), batch.counts)


def _make(_: Path | None, options: Options) -> Priority:
    routes = options.list("routes", ",")
    if not routes:
        raise SpecError(f"policy {options.spec!r} needs routes, best first: priority:routes=a,b,c")
    return Priority(routes, options.flag("cascade", True))


FAMILY = Family(
    "priority:routes=a,b,c[,cascade=no][,epsilon=0.05]", _make, ("routes", "cascade", EPSILON)
)
