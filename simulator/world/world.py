"""A world of cards behind the world protocol (``simulator.protocol.World``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, IntArray, LoggedBatch
from simulator.traffic import Traffic
from simulator.world.arrivals import arrivals
from simulator.world.attempts import attempts_of
from simulator.world.cast import Cast, make_cast
from simulator.world.cast_routes import DEFAULT_ORDER
from simulator.world.chances import chances_of
from simulator.world.events import Event
from simulator.world.following import following
from simulator.world.offers import BILL_DELAYS_S, CHECKOUT_DELAYS_S, Offers, make_offers
from simulator.world.outcomes import with_outcome
from simulator.world.settings import WorldSettings
from simulator.world.shocks import Shocks, make_shocks


@dataclass(frozen=True, slots=True, eq=False)
class CardWorld:
    """Hundreds of issuers, cards with balances, checkouts, subscriptions; see ``make_world``.

    What a policy can change about later attempts stands in their context; all else that is hidden
    (balances, maintenance, outages, replaced cards, an issuer's view of a payment) hangs on ids and
    time alone. So the chances are exact for any batch of this world, one read from a file included.

    Attributes
    ----------
    settings
        what it was made from.
    cast, shocks, offers
        who takes part, the events, and which actions are offered.
    """

    settings: WorldSettings
    cast: Cast
    shocks: Shocks
    offers: Offers

    @property
    def route_names(self) -> tuple[str, ...]:
        """The routes, in a fixed order; those of ``RouteAdded`` among them."""
        return self.cast.route_names

    @property
    def default_order(self) -> tuple[str, ...]:
        """The routes, best first, as a merchant would order them who knows no issuer."""
        return DEFAULT_ORDER

    @property
    def delays_s(self) -> tuple[int, ...]:
        """All delays that are ever offered, seconds, increasing."""
        return tuple(sorted({*CHECKOUT_DELAYS_S, *BILL_DELAYS_S}))

    @property
    def issuer_names(self) -> tuple[str, ...]:
        """The issuers."""
        return self.cast.issuers.names

    @property
    def merchant_names(self) -> tuple[str, ...]:
        """The merchants."""
        return self.cast.merchants.names

    def with_events(self, *events: Event) -> CardWorld:
        """The same world, in which these events happen too.

        Raises
        ------
        UserError
            If a name in an event is not of this world.
        """
        return make_world(replace(self.settings, events=(*self.settings.events, *events)))

    def arrivals(self, traffic: Traffic, first: int, last: int) -> DecisionBatch:
        """First decision points of the payments from ``first`` to before ``last``, by time."""
        return arrivals(self.cast, self.shocks, self.offers, traffic, first, last)

    def approval_probability(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]: the true chance that each action is approved; 0 for ``stop``.

        Parameters
        ----------
        batch
            decisions of this world, with the context that it writes.

        Raises
        ------
        ValueError
            If a card, an issuer, a merchant or a route is not of this world.
        """
        attempts = attempts_of(self.cast, batch)
        made = np.flatnonzero(~batch.is_stop)
        route = _routes(self.cast, batch, made)
        decision = batch.decision_of_action[made]
        delay_s = batch.action_delay_s[made]
        chances = chances_of(self.cast, self.shocks, attempts, decision, route, delay_s)
        approval = np.zeros(batch.m)
        approval[made] = chances.approval
        return approval

    def with_outcome(self, batch: LoggedBatch, seed: int) -> LoggedBatch:
        """The decisions with what came back; reward = approved.

        Refunds and chargebacks are given as they stand once no more can come; ``corrected_at`` says
        when they came.
        """
        attempts = attempts_of(self.cast, batch)
        chosen = batch.chosen_action
        stop = batch.routes.index(STOP_ROUTE) if STOP_ROUTE in batch.routes else -1
        made: BoolArray = batch.action_route[chosen] != stop
        route = _routes(self.cast, batch, chosen, made)
        delay_s = batch.action_delay_s[chosen]
        chances = chances_of(self.cast, self.shocks, attempts, slice(None), route, delay_s)
        return with_outcome(self.cast, batch, attempts, chances, made, seed)

    def following(self, batch: LoggedBatch, seed: int) -> DecisionBatch:
        """The decision points that follow the declines of decisions with their outcomes."""
        return following(self.cast, self.offers, batch)


def make_world(settings: WorldSettings = WorldSettings()) -> CardWorld:  # noqa: B008
    """Make the world of some settings; equal settings give bit-identical worlds.

    Raises
    ------
    UserError
        If an event names a route, an issuer, a merchant or a BIN that is not of this world.
    """
    cast = make_cast(settings.seed, settings.issuers, settings.cards, settings.merchants)
    shocks = make_shocks(cast, settings.events)
    return CardWorld(settings, cast, shocks, make_offers(shocks, settings.bill_attempts))


def _routes(
    cast: Cast, batch: DecisionBatch, actions: IntArray, made: BoolArray | None = None
) -> IntArray:
    """int64[k], the routes of actions as places in the cast; 0 where ``made`` does not hold."""
    known = np.array(Categorical(np.arange(len(batch.routes), dtype=np.int32), batch.routes)
                     .recode(cast.route_names), np.int64)  # fmt: skip
    stop = batch.routes.index(STOP_ROUTE) if STOP_ROUTE in batch.routes else -1
    route = known[batch.action_route[actions]]
    strange = route < 0
    if made is not None:
        strange &= made
    if strange.any():
        names = [name for place, name in enumerate(batch.routes) if known[place] < 0]
        raise ValueError(f"a route of the batch is not of this world: {[*names]} (stop is {stop})")
    return np.maximum(route, 0)
