"""The chance that an attempt is approved, given all that the world knows of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from authopt.batch import FloatArray, IntArray
from simulator.world.attempts import Attempts
from simulator.world.cast import Cast
from simulator.world.clocks import DAY_S, day_of, hour_of_week
from simulator.world.keyed import lower, lower_normal, mixed, with_number
from simulator.world.latent import OVER_LIMIT, funds_suffice
from simulator.world.shocks import Shocks

ROUTE_FRAILTY = 0.70
"""Standard deviation of what an issuer thinks of a payment on a route, log odds."""

DECEMBER = -0.25
AGAIN = 0.25
"""How much more (share) each further decline within a day weighs."""

OVER_VELOCITY = 0.7
"""Chance that an issuer declines what is above its limit of velocity."""


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """What can happen to some attempts, one after the other; float64[k] each.

    Attributes
    ----------
    route_down
        the attempt gets lost on the way.
    issuer_away
        otherwise: the issuer does not answer.
    blocked
        otherwise: the card or its data let nothing pass (0 or 1).
    step_up
        otherwise: the issuer asks for authentication.
    velocity
        otherwise: too many declines within a day.
    over_limit
        otherwise: the card is at its spending limit (0 or 1).
    no_funds
        otherwise: the balance does not cover the amount.
    approve
        otherwise: it is approved.
    """

    route_down: FloatArray
    issuer_away: FloatArray
    blocked: FloatArray
    step_up: FloatArray
    velocity: FloatArray
    over_limit: FloatArray
    no_funds: FloatArray
    approve: FloatArray

    @property
    def approval(self) -> FloatArray:
        """Chance of approval."""
        passes = (1.0 - self.route_down) * (1.0 - self.issuer_away)
        passes *= (1.0 - self.blocked) * (1.0 - self.step_up)
        passes *= (1.0 - self.velocity) * (1.0 - self.over_limit)
        passes *= 1.0 - self.no_funds
        return np.asarray(passes * self.approve)

    def before_answer(self) -> tuple[FloatArray, ...]:
        """The chances of :class:`codes.Ending` from ``ROUTE_DOWN`` on, in the order met."""
        return (
            self.route_down,
            self.issuer_away,
            self.blocked,
            self.step_up,
            self.velocity,
            self.over_limit,
            self.no_funds,
        )


def chances_of(
    cast: Cast,
    shocks: Shocks,
    attempts: Attempts,
    decision: IntArray | slice,
    route: IntArray,
    delay_s: IntArray,
) -> Chances:
    """What can happen to k attempts.

    Parameters
    ----------
    cast, shocks
        who takes part, and the events.
    attempts
        what the attempts of a batch have in common, by decision.
    decision
        of each attempt: int64[k], or a slice where the attempts are those decisions' in order.
    route, delay_s
        int64[k].
    """
    issuer, card = attempts.issuer[decision], attempts.card[decision]
    seconds = attempts.decided_s[decision] + delay_s
    local_s = seconds + attempts.offset_s[decision]
    key = attempts.key[decision]
    n_routes = len(cast.route_names)

    latent = cast.latent
    day_key = latent.day_keys(card, local_s)
    route_down = cast.failure[route] + latent.route_away(route, seconds)
    route_down = shocks.route_down(route, seconds, route_down)
    blocked = attempts.blocked(latent, decision, seconds)
    limit = np.array(OVER_LIMIT)[attempts.funding[decision]]
    over_limit = lower(day_key) < limit
    balance = latent.log_balance(card, local_s, day_key)
    no_funds = 1.0 - funds_suffice(balance, attempts.log_due[decision])

    velocity, held = _reactions(cast, attempts, decision, issuer, route, delay_s)
    score = attempts.score[decision] + cast.by_route[attempts.product[decision] * n_routes + route]
    score += cast.token[route] * attempts.token[decision]
    score += cast.amount_slope[route] * attempts.log_size[decision]
    score += cast.by_hour[issuer * 168 + hour_of_week(local_s)]
    score += cast.route_by_hour[route * 24 + (seconds // 3_600) % 24]
    day = day_of(seconds)
    score += cast.issuer_walk.ravel()[issuer * cast.issuer_walk.shape[1] + day // 7]
    score += cast.route_walk.ravel()[route * cast.route_walk.shape[1] + day // 3]
    score += DECEMBER * cast.december[day]
    score += ROUTE_FRAILTY * lower_normal(mixed(with_number(key, route), "on route"))
    score -= held
    score = shocks.log_odds(route, issuer, seconds, score)
    return Chances(
        route_down=route_down,
        issuer_away=latent.issuer_away(issuer, seconds),
        blocked=blocked.astype(np.float64),
        step_up=attempts.step_up[decision],
        velocity=velocity,
        over_limit=over_limit.astype(np.float64),
        no_funds=no_funds,
        approve=expit(score),
    )


def _reactions(
    cast: Cast,
    attempts: Attempts,
    decision: IntArray | slice,
    issuer: IntArray,
    route: IntArray,
    delay_s: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """What the payment's own past costs: chance of a stop for velocity, and log odds."""
    if not (attempts.declines_24h.any() or attempts.held_same.any()):
        nothing = np.zeros(len(route))
        return nothing, nothing
    declines = np.where(delay_s >= DAY_S, 0.0, attempts.declines_24h[decision])
    velocity = np.where(declines > cast.issuers.velocity[issuer], OVER_VELOCITY, 0.0)
    wait_s = attempts.since_last_s[decision] + delay_s
    same = attempts.previous_route[decision] == route
    held = np.where(same, attempts.held_same[decision], attempts.held_other[decision])
    held = held * np.exp(-wait_s * attempts.fade_rate[decision])
    return velocity, held * (1.0 + AGAIN * np.minimum(declines, 4.0))
