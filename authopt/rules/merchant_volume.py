"""What the merchant has agreed with a route about volume: a cap, or a promise.

The counts so far come with the actions, as features of each of them (of a request or a batch):
``attempts_today`` and ``attempts_this_month``, the attempts sent by the action's route since the
day or month of the decision began (UTC), and ``share_today`` and ``share_this_month``, the route's
share (0-1) of the merchant's first attempts in that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray
from authopt.hashing import hash_strings, salted, unit_interval
from authopt.rules.merchant_context import Found, attempt_at, by_route, feature, found


class Period(StrEnum):
    """The stretch of the UTC calendar that is counted over."""

    DAY = "day"
    MONTH = "month"

    @property
    def unit(self) -> str:
        """numpy's name."""
        return "M8[D]" if self is Period.DAY else "M8[M]"

    @property
    def attempts(self) -> str:
        """The action feature that holds the route's attempts so far."""
        return "attempts_today" if self is Period.DAY else "attempts_this_month"

    @property
    def share(self) -> str:
        """The action feature that holds the route's share of first attempts so far."""
        return "share_today" if self is Period.DAY else "share_this_month"


@dataclass(frozen=True, slots=True)
class VolumeCap:
    """At most so many attempts by a route in a day or a month.

    An attempt that would be sent in a later period than that of the decision is not held back by
    what was sent in this one.

    Attributes
    ----------
    route
        its name.
    most
        attempts.
    per
        day or month.
    keep_unknown
        what happens where the count is missing.
    """

    route: str
    most: int
    per: Period
    keep_unknown: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden: the cap, or that the count is not known."""
        cap = f"{self.most:,} attempts a {self.per}"
        return (
            f"route {self.route}: its cap of {cap} is reached",
            f"route {self.route}: capped at {cap}; {self.per.attempts} is not known",
        )

    @property
    def sentence(self) -> str:
        """What the rule does."""
        unknown = "used" if self.keep_unknown else "not used"
        return (
            f"{self.route} takes at most {self.most:,} attempts a {self.per}; where "
            f"{self.per.attempts} is not known, it is {unknown}."
        )

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], 0 where the cap is reached, 1 where that is not known."""
        if self.route not in batch.routes:
            return None
        count = feature(batch, self.per.attempts)
        concerned = by_route(batch, self.route) & ~(count < self.most)
        concerned = _within_period(batch, self.per, concerned)
        not_known = concerned & np.isnan(count) & (not self.keep_unknown)
        return found(concerned & (count >= self.most), not_known)


@dataclass(frozen=True, slots=True)
class VolumePromise:
    """At least so many attempts, or such a share of the first attempts, go by a route.

    While the route is behind, a fixed share of the payments may take it alone with their first
    attempt; which ones is a hash of the payment's id, so that the rule is a function of its input
    and the other payments go on being decided freely. A count is behind when it is below the
    promised number times the part of the period that has passed. A payment is reserved only where
    another rule does not forbid the route, so a promise never leaves a payment without an attempt.
    Where the count or share is missing, the route is not taken to be behind.

    Attributes
    ----------
    route
        its name.
    per
        day or month.
    least
        attempts, or None.
    least_share
        share of first attempts (0-1), or None.
    reserve
        share of the payments that are reserved while the route is behind.
    """

    route: str
    per: Period
    least: int | None = None
    least_share: float | None = None
    reserve: float = 0.5

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden."""
        return (f"reserved for route {self.route}: behind its promise of {self._promised()}",)

    @property
    def sentence(self) -> str:
        """What the rule does."""
        return (
            f"While {self.route} is behind its promise of {self._promised()}, "
            f"{self.reserve:.0%} of the payments send their first attempt there only."
        )

    def _promised(self) -> str:
        if self.least is not None:
            return f"{self.least:,} attempts a {self.per}"
        return f"{self.least_share:.1%} of the first attempts of a {self.per}"

    def broken(self, batch: DecisionBatch, left: BoolArray) -> Found | None:
        """int8[m], 0 where the decision is reserved for the route and the action takes another.

        Parameters
        ----------
        batch
            n decisions, m actions.
        left
            bool[m], what all other rules leave, ``stop`` apart.
        """
        if self.route not in batch.routes or not (batch.attempt == 1).any():
            return None
        takes = by_route(batch, self.route) & left & np.repeat(batch.attempt == 1, batch.counts)
        takes = _within_period(batch, self.per, takes)
        behind = takes & self._is_behind(batch)
        reserved = batch.sum_by_decision(behind.astype(np.float64)) > 0
        if reserved.any():
            drawn = salted(hash_strings(batch.payment_id), f"volume promise of {self.route}")
            reserved &= unit_interval(drawn) < self.reserve
        return found(np.repeat(reserved, batch.counts) & ~takes)

    def _is_behind(self, batch: DecisionBatch) -> BoolArray:
        """bool[m]; False where the count or share is not known."""
        if self.least_share is not None:
            return np.asarray(feature(batch, self.per.share) < self.least_share)
        assert self.least is not None
        if self.per.attempts not in batch.action_features:
            return np.zeros(batch.m, np.bool_)
        passed = np.repeat(_passed(batch, self.per), batch.counts)
        return np.asarray(feature(batch, self.per.attempts) < self.least * passed)


def _within_period(batch: DecisionBatch, per: Period, actions: BoolArray) -> BoolArray:
    """bool[m], those of the actions whose attempt is sent in the period of the decision."""
    rows = np.flatnonzero(actions)
    period = batch.decided_at.astype(per.unit)[batch.decision_of_action[rows]]
    same = attempt_at(batch, rows).astype(per.unit) == period
    within = np.zeros(batch.m, np.bool_)
    within[rows[same]] = True
    return within


def _passed(batch: DecisionBatch, per: Period) -> FloatArray:
    """float64[n], the part of the decision's period that has passed."""
    period = batch.decided_at.astype(per.unit)
    start, end = period.astype("M8[us]"), (period + 1).astype("M8[us]")
    return np.asarray((batch.decided_at - start) / (end - start), np.float64)
