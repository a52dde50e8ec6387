"""What no context tells: balances, maintenance, outages and replaced cards at a time.

All of it is a function of ids, the world's seed and time alone. No policy changes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.hashing import UIntArray
from simulator.world.cards import LOSS_DAYS, PREPAID, RENEWAL_DAYS, Cards, in_window
from simulator.world.cast_issuers import Issuers
from simulator.world.clocks import DAY_S, PAID_AT_S, Float32Array, day_of, paydays
from simulator.world.keyed import drawn, lower, mixed, upper, upper_normal, with_number

DAY_SPREAD = 0.40
"""Standard deviation of the log of a balance from one day to another."""

INTRADAY = 0.12
"""How softly a balance decides within a day: scale of the logistic in log(balance / amount)."""

OVER_LIMIT = (0.0016, 0.0030, 0.0060)
"""Share of days on which a credit, debit or prepaid card is at its spending limit. Invented, as all
here is."""

STALE_DAYS = 35
"""For how long the merchants that stored a replaced card meet that."""

MAINTENANCE_LOSS = 0.85
_QUARTER_S = 900
_QUARTERS = 7 * 96
_OUTAGE_S = 2 * 3_600
_ROUTE_OUTAGE_S = 3 * 3_600


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """Tables of the hidden states.

    Attributes
    ----------
    cards
        whose balances they are.
    since, length
        float32[paydays, days], of ``clocks.paydays``.
    maintenance
        float32[issuers, quarters of an hour in a week], chance that an issuer is away, UTC.
    seed
        of outages.
    """

    cards: Cards
    since: Float32Array
    length: Float32Array
    maintenance: Float32Array
    seed: int

    def _cycle(self, card: IntArray, local_s: IntArray) -> tuple[FloatArray, FloatArray]:
        """Days since the last payday and days from it to the next; float64[k] each."""
        paid_s = local_s - PAID_AT_S
        at = self.cards.payday[card].astype(np.int64) * self.since.shape[1] + day_of(paid_s)
        since = self.since.ravel()[at] + (paid_s % DAY_S) * (1.0 / DAY_S)
        return since, self.length.ravel()[at].astype(np.float64)

    def log_balance(self, card: IntArray, local_s: IntArray, day_key: UIntArray) -> FloatArray:
        """float64[k], log of the balance (US dollars) of cards at local times.

        It is full after a payday and runs down exponentially until the next, with a part of its own
        on every day (``day_key`` of :meth:`day_keys`).
        """
        since, length = self._cycle(card, local_s)
        level = self.cards.log_income[card] - self.cards.slope[card] * (since / length)
        return np.asarray(level + DAY_SPREAD * upper_normal(day_key))

    def day_keys(self, card: IntArray, local_s: IntArray) -> UIntArray:
        """uint64[k], of what is drawn for cards on a local day."""
        return mixed(with_number(self.cards.key[card], local_s // DAY_S), "day")

    def until_payday_s(self, card: IntArray, local_s: IntArray) -> FloatArray:
        """float64[k], seconds to the next payday."""
        since, length = self._cycle(card, local_s)
        return np.asarray((length - since) * DAY_S)

    def issuer_away(self, issuer: IntArray, seconds: IntArray) -> FloatArray:
        """float64[k], chance that an issuer does not answer at a time (UTC)."""
        quarter = (seconds // _QUARTER_S + 288) % _QUARTERS
        planned = self.maintenance.ravel()[issuer * _QUARTERS + quarter]
        key = mixed(with_number(issuer.astype(np.uint64), seconds // _OUTAGE_S), self._salt("i"))
        sudden = np.where(lower(key) < 0.0010, 0.3 + 0.6 * upper(key), 0.0)
        return np.asarray(np.maximum(planned, sudden))

    def route_away(self, route: IntArray, seconds: IntArray) -> FloatArray:
        """float64[k], chance that an attempt gets lost because a route has an outage (UTC)."""
        key = mixed(
            with_number(route.astype(np.uint64), seconds // _ROUTE_OUTAGE_S), self._salt("r")
        )
        return np.where(lower(key) < 0.0040, 0.2 + 0.7 * upper(key), 0.0)

    def _salt(self, of: str) -> str:
        return f"outage {of}:{self.seed}"

    def renewed(self, card: IntArray, seconds: IntArray) -> BoolArray:
        """bool[k], the card expired and was replaced less than ``STALE_DAYS`` ago."""
        return in_window(seconds, self.cards.renewal_s[card], RENEWAL_DAYS, STALE_DAYS)

    def gone(self, card: IntArray, seconds: IntArray) -> BoolArray:
        """bool[k], the card was lost, stolen or closed less than ``STALE_DAYS`` ago."""
        return in_window(seconds, self.cards.loss_s[card], LOSS_DAYS, STALE_DAYS)


def funds_suffice(log_balance: FloatArray, log_amount: FloatArray) -> FloatArray:
    """float64[k], chance that a balance covers an amount (both logs of US dollars)."""
    return np.asarray(expit((log_balance - log_amount) / INTRADAY))


def make_latent(seed: int, cards: Cards, issuers: Issuers, hours_from_utc: IntArray) -> Latent:
    """Lay the tables out; ``hours_from_utc`` is that of each issuer."""
    since, length = paydays()
    number = len(issuers.names)
    start = np.floor(4 * (0.5 + 4.5 * drawn(seed, "maintenance hour", number)))
    quarters = 1 + np.floor(4 * drawn(seed, "maintenance length", number) ** 2)
    nights = drawn(seed, "maintenance nights", number, 7) < 0.30
    week = np.arange(_QUARTERS)
    local = (week + 4 * hours_from_utc[:, None]) % _QUARTERS
    within = (local % 96 >= start[:, None]) & (local % 96 < (start + quarters)[:, None])
    tonight = np.take_along_axis(nights, local // 96, axis=1)
    away = np.where(within & tonight, MAINTENANCE_LOSS, 0.0)
    return Latent(cards, since, length, away.astype(np.float32), seed)


assert len(OVER_LIMIT) == PREPAID + 1
