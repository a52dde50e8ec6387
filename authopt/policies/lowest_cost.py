"""Least-cost routing: the route whose fees are lowest.

Cost alone, as debit cards are sent through the cheapest of their networks (developer.paypal.com,
"Least Cost Routing"; docs.adyen.com, "US Debit"), here over all routes of a price list. What it
loses in approvals is not in its view.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.policies.best_route import is_shortest_delay
from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.prices import Prices, load_prices


@dataclass(frozen=True, slots=True)
class LowestCost:
    """The eligible route of the lowest expected fee, at its shortest delay.

    Attributes
    ----------
    prices
        fees of approved and of declined attempts.
    approval
        chance of approval that the expected fee assumes, of all routes alike: 1 compares the fees
        of approved attempts.
    order
        routes, best first: of equally cheap routes the first is taken; those that it does not name
        follow by name.
    cascade
        whether a retry tries the route of the previous attempt last.

    Routes without a price come after all that have one, and ``stop`` comes last of all.
    """

    prices: Prices
    approval: float = 1.0
    order: tuple[str, ...] = ()
    cascade: bool = True
    name: str = "lowest-cost"

    def __post_init__(self) -> None:
        if not 0.0 <= self.approval <= 1.0:
            raise UserError(f"approval of lowest-cost is {self.approval:g}; expected 0 to 1")

    def expected_fee_minor(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], minor units of each payment's own currency; NaN where there is no price."""
        approved = self.prices.fees_minor(batch, True)
        if self.approval == 1.0:
            return approved
        declined = self.prices.fees_minor(batch, False)
        return self.approval * approved + (1.0 - self.approval) * declined

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision and 0 on the others."""
        probability = np.zeros(batch.m)
        if not batch.n:
            return probability
        fee = self.expected_fee_minor(batch)
        unpriced = np.isnan(fee)
        by_decision = np.lexsort(
            (
                self._rank(batch),
                np.where(unpriced, 0.0, fee),
                unpriced,
                self._is_previous(batch),
                ~is_shortest_delay(batch),
                batch.is_stop,
                batch.decision_of_action,
            )
        )
        probability[by_decision[batch.offsets[:-1]]] = 1.0
        return probability

    def _rank(self, batch: DecisionBatch) -> FloatArray:
        known = {route: rank for rank, route in enumerate(self.order)}
        others = sorted(set(batch.routes) - set(known))
        place = {**known, **{route: len(known) + rank for rank, route in enumerate(others)}}
        return np.array([place[route] for route in batch.routes], np.float64)[batch.action_route]

    def _is_previous(self, batch: DecisionBatch) -> BoolArray:
        previous = batch.context.get("previous_route")
        if not self.cascade or not isinstance(previous, Categorical):
            return np.zeros(batch.m, np.bool_)
        code = np.repeat(previous.recode(batch.routes), batch.counts)
        return np.asarray(code == batch.action_route)


def _make(file: Path | None, options: Options) -> LowestCost:
    assert file is not None
    order = options.list("routes", "+") or ()
    if STOP_ROUTE in order:
        raise SpecError(f"policy {options.spec!r}: {STOP_ROUTE!r} comes last anyway")
    approval = options.number("approval", 1.0)
    if not 0.0 <= approval <= 1.0:
        raise SpecError(f"policy {options.spec!r}: approval is {approval:g}; expected 0 to 1")
    return LowestCost(load_prices(file), approval, order, options.flag("cascade", True))


FAMILY = Family(
    "lowest-cost:PRICES.toml[,approval=0.9][,routes=a+b][,cascade=no][,epsilon=0.05]",
    _make,
    ("approval", "routes", "cascade", EPSILON),
    takes_file=True,
    needs_file=True,
)
