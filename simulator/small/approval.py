"""Who takes part, and the known chance that an attempt is approved.

What bears on an attempt is in its decision's context (see ``declines``): the first attempt meets
card and issuer in one of a few states, the response code says in which, and a state is left at a
constant rate. So the chance of approval of every action is a closed form of context and action.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray
from authopt.payments import Funding, Initiator
from authopt.rules import DATA_UPDATED
from simulator.context_columns import codes_of, numbers_of
from simulator.small.cast import HOURS_FROM_UTC, Issuer, Merchant, Route
from simulator.small.declines import (
    ADVICE,
    CODES,
    FUNDS_FACTOR,
    FUNDS_RETURN_BY_ADVICE_S,
    FUNDS_RETURN_S,
    ISSUER_RETURN_S,
    LASTING,
    LIMIT_RETURN_S,
    MASTERCARD_CODES,
    REFUSAL_FADES_S,
    REFUSED_OTHER_ROUTE,
    REFUSED_SAME_ROUTE,
    ROUTE_RETURN_S,
    STATE_SHARE,
    STATES,
    SUSPECTED_ANY_ROUTE,
    Ending,
)

ENDING_OF_CODE = {
    code: ending for codes in (CODES, MASTERCARD_CODES) for ending, code in codes.items()
}
INITIATORS = tuple(Initiator)
FUNDINGS = tuple(Funding)


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """What can happen to some attempts, one after the other; float64 of equal lengths.

    Attributes
    ----------
    blocked
        the state of card or issuer lets no attempt pass.
    route_down
        otherwise: the attempt gets lost on the way.
    step_up
        otherwise: the issuer asks for authentication.
    approve
        otherwise: it is approved.
    """

    blocked: FloatArray
    route_down: FloatArray
    step_up: FloatArray
    approve: FloatArray

    @property
    def approval(self) -> FloatArray:
        """Chance of approval."""
        passes = (1 - self.blocked) * (1 - self.route_down) * (1 - self.step_up)
        return np.asarray(passes * self.approve)


@dataclass(frozen=True, eq=False)
class ApprovalModel:
    """Routes, issuers and merchants, the issuers' tastes, and the chances that follow.

    Attributes
    ----------
    routes, issuers, merchants
        who takes part.
    taste
        float64[issuers, routes], log odds.
    """

    routes: tuple[Route, ...]
    issuers: tuple[Issuer, ...]
    merchants: tuple[Merchant, ...]
    taste: FloatArray

    @cached_property
    def route_names(self) -> tuple[str, ...]:
        """Names of the routes."""
        return tuple(route.name for route in self.routes)

    def approval_probability(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]: the true chance that each action is approved; 0 for ``stop``.

        Parameters
        ----------
        batch
            decisions of this world, with the context that it writes.

        Raises
        ------
        ValueError
            If an issuer, a merchant or a route is not of this world.
        """
        actions = np.arange(batch.m, dtype=np.int64)
        stop = batch.is_stop
        approval = np.zeros(batch.m)
        approval[~stop] = self.chances(batch, actions[~stop]).approval
        return approval

    def chances(self, batch: DecisionBatch, actions: IntArray) -> Chances:
        """What can happen if the given actions (int64[k] in ``range(m)``, none of them ``stop``)
        are taken.
        """
        decision = np.searchsorted(batch.offsets, actions, side="right") - 1
        known = Categorical(batch.action_route, batch.routes).recode(self.route_names)
        route = known[actions].astype(np.int64)
        issuer = codes_of(batch, "issuer", [issuer.name for issuer in self.issuers])[decision]
        merchant = codes_of(batch, "merchant_id", [shop.name for shop in self.merchants])[decision]
        for name, codes in (("route", route), ("issuer", issuer), ("merchant", merchant)):
            if (codes < 0).any():
                raise ValueError(f"a {name} of the batch is not of this world")
        delay_s = batch.action_delay_s[actions].astype(np.float64)
        recurring = codes_of(batch, "initiator", INITIATORS)[decision] == _MIT
        ending = previous_ending(batch)[decision]
        since_last = np.nan_to_num(numbers_of(batch, "seconds_since_last_attempt"))[decision]
        wait_s = since_last + delay_s

        blocked = self.first_states(batch).sum(axis=1)[decision]
        stay_s = time_in_state(batch)[decision]
        blocked = np.where(ending >= 0, np.exp(-wait_s / stay_s), blocked)

        same_route = codes_of(batch, "previous_route", self.route_names)[decision] == route
        failure = np.array([each.failure for each in self.routes])[route]
        still_down = (ending == Ending.ROUTE_DOWN) & same_route
        route_down = failure + (1 - failure) * still_down * np.exp(-wait_s / ROUTE_RETURN_S)

        three_ds = numbers_of(batch, "three_ds")[decision] == 1
        asks = np.array([each.step_up for each in self.issuers])[issuer]
        step_up = np.where(recurring | three_ds, 0.0, asks)

        fading = np.exp(-wait_s / REFUSAL_FADES_S)
        refused = np.where(same_route, REFUSED_SAME_ROUTE, REFUSED_OTHER_ROUTE)
        held_against = np.where(ending == Ending.REFUSED, refused, 0.0)
        held_against[ending == Ending.SUSPECTED] = SUSPECTED_ANY_ROUTE
        token = numbers_of(batch, "token")[decision] == 1
        score = self._base(batch, decision, issuer, merchant, recurring, three_ds, delay_s)
        score += self._for_route(issuer, route, token) + held_against * fading
        return Chances(blocked, route_down, step_up, expit(score))

    def _base(
        self,
        batch: DecisionBatch,
        decision: IntArray,
        issuer: IntArray,
        merchant: IntArray,
        recurring: FloatArray,
        three_ds: FloatArray,
        delay_s: FloatArray,
    ) -> FloatArray:
        """Log odds of approval that do not depend on the route."""

        def of_issuer(name: str) -> FloatArray:
            return np.array([getattr(each, name) for each in self.issuers])[issuer]

        median = np.array([each.median_minor for each in self.merchants])[merchant]
        amount = np.log(np.maximum(numbers_of(batch, "amount_minor")[decision], 1.0) / median)
        hours = np.array([HOURS_FROM_UTC[each.country] for each in self.issuers])[issuer]
        seconds = batch.decided_at.astype("M8[s]").astype(np.int64)[decision] + delay_s
        hour, weekday = local_time(seconds, hours)
        risk = np.array([each.risk for each in self.merchants])[merchant]
        return np.asarray(
            of_issuer("base")
            + of_issuer("three_ds") * three_ds
            + of_issuer("night") * (hour < 6)
            + of_issuer("weekend") * (weekday > 5)
            + of_issuer("amount") * amount
            + of_issuer("recurring") * recurring
            + risk
        )

    def _for_route(self, issuer: IntArray, route: IntArray, token: FloatArray) -> FloatArray:
        """Log odds of approval by route."""
        local = np.array(
            [
                [issuer.country in route.countries for route in self.routes]
                for issuer in self.issuers
            ]
        )
        strength = np.array([each.strength for each in self.routes])
        gain = np.array([each.local_gain for each in self.routes])
        with_token = np.array([each.token_gain for each in self.routes])
        table = strength + gain * local + self.taste
        return np.asarray(table[issuer, route] + with_token[route] * token)

    def first_states(self, batch: DecisionBatch) -> FloatArray:
        """float64[n, states]: chance that a first attempt meets each of ``declines.STATES``."""
        issuer = codes_of(batch, "issuer", [each.name for each in self.issuers])
        initiator = codes_of(batch, "initiator", INITIATORS)
        funding = codes_of(batch, "funding", FUNDINGS)
        shares = np.array([STATE_SHARE[each] for each in INITIATORS])[initiator]
        factor = np.array([FUNDS_FACTOR.get(each, 1.0) for each in FUNDINGS])[funding]
        no_funds, down = STATES.index(Ending.NO_FUNDS), STATES.index(Ending.ISSUER_DOWN)
        shares[:, no_funds] *= factor * np.array([each.funds for each in self.issuers])[issuer]
        shares[:, down] = np.array([each.down for each in self.issuers])[issuer]
        return np.asarray(shares)


_MIT = INITIATORS.index(Initiator.MIT)


def local_time(
    seconds: FloatArray | IntArray, hours_from_utc: IntArray
) -> tuple[IntArray, IntArray]:
    """Hour of the day (0-23) and ISO day of the week (1 Monday - 7 Sunday), int64[n] each.

    Parameters
    ----------
    seconds
        since 1970, UTC.
    hours_from_utc
        int64[n]; no daylight saving in this world.
    """
    hours = (np.asarray(seconds, np.int64) // 3600) + hours_from_utc
    # 1 January 1970 was a Thursday.
    return hours % 24, (hours // 24 + 3) % 7 + 1


def previous_ending(batch: DecisionBatch) -> IntArray:
    """int64[n], the ``Ending`` that the previous response code tells; -1 at a first attempt."""
    column = batch.context.get("previous_response_code")
    missing = np.full(batch.n, -1, np.int64)
    return ending_told(column) if isinstance(column, Categorical) else missing


def ending_told(codes: Categorical) -> IntArray:
    """int64[n], the ``Ending`` that response codes tell; -1 where there is none."""
    table = [int(ENDING_OF_CODE.get(code, -1)) for code in codes.categories]
    return np.array([*table, -1], np.int64)[codes.codes]


def time_in_state(batch: DecisionBatch) -> FloatArray:
    """float64[n], mean seconds until the state that the last attempt met is left.

    Tiny where nothing blocks the card, infinite where the state lasts.
    """
    ending = previous_ending(batch)
    funding = codes_of(batch, "funding", FUNDINGS)
    mean_s = np.full(batch.n, 1e-9)
    no_funds = ending == Ending.NO_FUNDS
    returns = np.array([FUNDS_RETURN_S.get(each, LIMIT_RETURN_S) for each in FUNDINGS])[funding]
    mean_s[no_funds] = returns[no_funds]
    advised = tuple(FUNDS_RETURN_BY_ADVICE_S)
    advice = codes_of(batch, "previous_advice_code", advised)
    known = no_funds & (advice >= 0)
    mean_s[known] = np.array([*FUNDS_RETURN_BY_ADVICE_S.values()])[advice[known]]
    mean_s[ending == Ending.OVER_LIMIT] = LIMIT_RETURN_S
    mean_s[ending == Ending.ISSUER_DOWN] = ISSUER_RETURN_S
    mean_s[np.isin(ending, LASTING)] = np.inf
    renewed = (ending == Ending.EXPIRED) & (numbers_of(batch, DATA_UPDATED) == 1)
    mean_s[renewed] = 1e-9
    return mean_s


def advice_names() -> tuple[str, ...]:
    """All advice codes that this world gives."""
    given = [code for weighted in ADVICE.values() for code, _ in weighted]
    return tuple(dict.fromkeys(code for code in given if code is not None))
