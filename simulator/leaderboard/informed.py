"""The oracle of what can be known: all the world's numbers, but nothing that is hidden.

In the world of cards the oracle sees balances, outages and an issuer's mind on a payment, which no
policy can. This one knows every parameter (issuers' tastes, drift, how incomes and paydays are
spread) and the context alone. What is hidden is integrated out, given how the last attempt ended:

- what an issuer thinks of a payment, and of it on a route (normal, log odds), on a grid; the part
  of another route by MacKay's approximation (D. J. C. MacKay, "The evidence framework applied to
  classification networks", 1992);
- the balance: that of other cards of the same product, weighted by how likely each would have ended
  the last attempt as it did.

First attempts are exact but for the grid. Retries use the last decline alone, not those before it
nor the advice to wait; card data, spending limits, fraud and outages of routes count as they are on
average. So it is a yardstick that can be reached, and not a bound: planning may beat it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray
from authopt.policies.priority import first_of_each
from simulator.context_columns import codes_of
from simulator.world.attempts import FRAILTY, FRAUD_LEFT, Attempts, attempts_of
from simulator.world.cast import Cast
from simulator.world.chances import ROUTE_FRAILTY, chances_of
from simulator.world.codes import REFUSED_CODES, RESPONSE_CODES, SUSPECTED_CODES
from simulator.world.keyed import lower_normal, mixed, upper, upper_normal, with_number
from simulator.world.latent import funds_suffice
from simulator.world.world import CardWorld

CARDS = 256
"""Cards of the same product that stand for the one that pays."""

CHUNK = 2_000
"""Decisions that are looked at together; bounds the memory."""

_GRID = np.linspace(-4.5, 4.5, 31)
_WEIGHTS = np.exp(-0.5 * _GRID**2) / np.exp(-0.5 * _GRID**2).sum()
_TOTAL = float(np.hypot(FRAILTY, ROUTE_FRAILTY))
_MACKAY = 1.0 / np.sqrt(1.0 + np.pi / 8.0 * ROUTE_FRAILTY**2)

_NO_FUNDS = RESPONSE_CODES.index("51")
_GENERIC = RESPONSE_CODES.index("05")
_REFUSED = np.array([*(code in (*REFUSED_CODES, *SUSPECTED_CODES) for code in RESPONSE_CODES), 0])


@dataclass(frozen=True, slots=True, eq=False)
class InformedOracle:
    """Takes the action of the highest chance that can be known, now.

    Attributes
    ----------
    world
        whose numbers it knows.
    """

    world: CardWorld
    name: str = "informed oracle"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision."""
        return first_of_each(batch, -self.chances(batch))

    def chances(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the expected chance of approval given the context; 0 for ``stop``.

        What is the same for all actions of a first attempt (the balance, card data) is left out.
        """
        parts = [
            self._chances(batch.take(slice(first, first + CHUNK)))
            for first in range(0, batch.n, CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _chances(self, batch: DecisionBatch) -> FloatArray:
        chance = np.zeros(batch.m)
        later = batch.attempt > 1
        of_later = np.repeat(later, batch.counts)
        for wanted, actions in ((~later, ~of_later), (later, of_later)):
            rows = np.flatnonzero(wanted)
            if len(rows):
                chance[actions] = self._alike(batch.take(rows))
        return chance

    def _alike(self, batch: DecisionBatch) -> FloatArray:
        """As ``chances``, of first attempts alone or of retries alone."""
        cast = self.world.cast
        attempts = attempts_of(cast, batch)
        made = np.flatnonzero(~batch.is_stop)
        decision = batch.decision_of_action[made]
        places = Categorical(np.arange(len(batch.routes), dtype=np.int32), batch.routes)
        route = places.recode(cast.route_names)[batch.action_route[made]].astype(np.int64)
        delay_s = batch.action_delay_s[made]
        now = chances_of(cast, self.world.shocks, attempts, decision, route, delay_s)
        score = _known(cast, attempts, decision, route, now.approve)
        passes = (1.0 - cast.failure[route]) * (1.0 - now.issuer_away)
        passes *= (1.0 - now.step_up) * (1.0 - now.velocity)
        given = (
            _expected(score)
            if int(batch.attempt.min()) == 1
            else self._after(batch, attempts, decision, route, delay_s, score)
        )
        chance = np.zeros(batch.m)
        chance[made] = passes * given
        return chance

    def _after(
        self,
        batch: DecisionBatch,
        attempts: Attempts,
        decision: IntArray,
        route: IntArray,
        delay_s: IntArray,
        score: FloatArray,
    ) -> FloatArray:
        """float64[k], that funds suffice and the issuer says yes at retries, given the decline."""
        cast = self.world.cast
        before = replace(
            attempts,
            decided_s=attempts.decided_s - attempts.since_last_s.astype(np.int64),
            held_same=np.zeros(batch.n),
            held_other=np.zeros(batch.n),
            declines_24h=np.zeros(batch.n),
        )
        last_route = np.maximum(attempts.previous_route, 0)
        everyone = np.arange(batch.n)
        at_once = np.zeros(batch.n, np.int64)
        last = chances_of(cast, self.world.shocks, before, everyone, last_route, at_once)
        last_score = _known(cast, before, everyone, last_route, last.approve)[:, None]
        # The grid is what the issuer thinks on the same route, or of the payment on any.
        no_same = 1.0 - expit(last_score + _TOTAL * _GRID)
        no_other = 1.0 - expit(_MACKAY * (last_score + FRAILTY * _GRID))
        lacks_now, lacks_before = self._lacks(attempts, before, decision, delay_s)
        code = codes_of(batch, "previous_response_code", RESPONSE_CODES)
        lacking = lacks_before.mean(axis=1)
        by_refusal = _REFUSED[code] * (1.0 - lacking) * (no_same @ _WEIGHTS)
        generic = np.where(code == _GENERIC, cast.issuers.generic[attempts.issuer], 0.0)
        by_funds = np.where(code == _NO_FUNDS, 1.0, generic) * lacking
        total = by_refusal + by_funds
        refused = np.divide(by_refusal, total, out=np.zeros(batch.n), where=total > 0)[decision]
        funds = 1.0 - lacks_now
        funds_refused = _weighted(funds, 1.0 - lacks_before[decision])
        funds_lacking = _weighted(funds, lacks_before[decision])
        same = (route == attempts.previous_route[decision])[:, None]
        yes = np.where(
            same,
            expit(score[:, None] + _TOTAL * _GRID),
            expit(_MACKAY * (score[:, None] + FRAILTY * _GRID)),
        )
        unlike = np.where(same, no_same[decision], no_other[decision])
        yes_refused = _weighted(yes, unlike * _WEIGHTS)
        plain = yes @ _WEIGHTS
        known = refused * funds_refused * yes_refused + (1.0 - refused) * funds_lacking * plain
        even = funds.mean(axis=1) * plain
        return np.asarray(np.where(total[decision] > 0, known, even))

    def _lacks(
        self, attempts: Attempts, before: Attempts, decision: IntArray, delay_s: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Chance that other cards lack the funds: float64[k, CARDS] at the actions, float64[n,
        CARDS] at the last attempt."""
        cast = self.world.cast
        order = np.argsort(cast.cards.product, kind="stable")
        starts = np.searchsorted(cast.cards.product[order], np.arange(cast.cards.product.max() + 2))
        product = attempts.product
        number = (starts[product + 1] - starts[product])[:, None]
        keys = with_number(attempts.key[:, None], np.arange(1, CARDS + 1)[None, :])
        at = (upper(mixed(keys, "informed")) * number).astype(np.int64)
        cards = order[starts[product][:, None] + at]

        def lack(which: IntArray, rows: IntArray, seconds: IntArray) -> FloatArray:
            local_s = np.repeat((seconds + attempts.offset_s[rows])[:, None], CARDS, axis=1)
            day = cast.latent.day_keys(which, local_s)
            balance = cast.latent.log_balance(which, local_s, day)
            return 1.0 - funds_suffice(balance, attempts.log_due[rows][:, None])

        pairs, place = np.unique(decision * (1 << 32) + delay_s, return_inverse=True)
        rows, wait = pairs >> 32, pairs & ((1 << 32) - 1)
        later = lack(cards[rows], rows, attempts.decided_s[rows] + wait)
        everyone = np.arange(len(product))
        return later[place], lack(cards, everyone, before.decided_s)


def _known(
    cast: Cast, attempts: Attempts, decision: IntArray, route: IntArray, approve: FloatArray
) -> FloatArray:
    """float64[k], log odds of a yes to an honest payment, without what the issuer thinks of it."""
    key = attempts.key[decision]
    mind = FRAILTY * upper_normal(key)
    mind += ROUTE_FRAILTY * lower_normal(mixed(with_number(key, route), "on route"))
    left = np.where(attempts.three_ds == 1, FRAUD_LEFT, 1.0)
    mind += (attempts.fraud * cast.issuers.skill[attempts.issuer] * left)[decision]
    return np.asarray(logit(np.clip(approve, 1e-12, 1.0 - 1e-12)) - mind)


def _expected(score: FloatArray) -> FloatArray:
    """float64[k], the chance of a yes if nothing is known of what the issuer thinks."""
    return np.asarray(expit(score[:, None] + _TOTAL * _GRID) @ _WEIGHTS)


def _weighted(values: FloatArray, weights: FloatArray) -> FloatArray:
    """float64[k], the mean of float64[k, j] by weights; the plain mean where all are 0."""
    total = weights.sum(axis=1)
    found = (values * weights).sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.asarray(np.where(total > 0, found, values.mean(axis=1)))
