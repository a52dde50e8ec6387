"""Exploration at a price: at least so much of it, and at most so many lost approvals a day.

Mixing a policy with ``epsilon`` of uniform costs, at each decision, ``epsilon`` times the gap from
the value of the best action to the mean over all actions. The gaps come from the policy's own
estimates of values; what they add up to is booked by UTC day, and epsilon is set anew after every
update so that what is left of the day's budget lasts for what is expected to come until midnight.
That is the pacing of budgets in advertising: D. Agarwal, S. Ghosh, K. Wei and S. You, "Budget
pacing for targeted online advertisements at LinkedIn", KDD 2014 (spending is held to a forecast of
the day's traffic), here with the plan made anew at each step. The largest of noisy estimates is
biased upwards, so a learner's gaps are rather too large than too small while it knows little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, TimeArray
from authopt.errors import UserError

HOURS = 24
HOUR_US = 3_600_000_000
DAY_US = HOURS * HOUR_US
ENOUGH = 200
"""Decisions from which the mean gap is believed; before, epsilon is the least."""

MEMORY = 20_000
"""Decisions over which the mean gap is averaged."""

NEWER = 0.5
"""Weight of the newest day in the forecast of an hour's decisions."""

CHANGES = 4_096
"""Changes of epsilon that are remembered, so that a late outcome is charged what it cost."""

KEPT_DAYS = 400


class Day(msgspec.Struct):
    """One UTC day's exploration.

    Attributes
    ----------
    day
        days since 1970.
    decisions
        that were recorded.
    lost
        approvals lost by estimate.
    at_least
        those of them that the least epsilon alone would have cost.
    """

    day: int
    decisions: int = 0
    lost: float = 0.0
    at_least: float = 0.0


class BudgetState(msgspec.Struct):
    """All that changes; restoring it restores the control exactly.

    Attributes
    ----------
    epsilon
        share of uniform for the decisions to come.
    started_with
        epsilon before the first change.
    gap, gaps
        mean gap per decision, and the decisions that it rests on.
    now_us
        when decisions were last recorded, microseconds since 1970.
    by_hour
        expected decisions of every hour of the day (UTC); -1 where not known yet.
    hour, in_hour
        the hour that is running (hours since 1970; -1 at the start) and its decisions so far.
    hour_from_us
        from when in it decisions were recorded, microseconds since 1970.
    days
        by day, oldest first; the last is running.
    changed_us, changed_to
        since when epsilon was what, oldest first.
    """

    epsilon: float
    started_with: float
    gap: float = 0.0
    gaps: float = 0.0
    now_us: int = 0
    by_hour: list[float] = msgspec.field(default_factory=lambda: [-1.0] * HOURS)
    hour: int = -1
    in_hour: int = 0
    hour_from_us: int = 0
    days: list[Day] = []
    changed_us: list[int] = []
    changed_to: list[float] = []


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """What exploration costs, for people.

    Attributes
    ----------
    epsilon
        share of uniform for the decisions to come.
    lost_per_day
        the budget, in approvals.
    lost_today
        approvals lost today so far, by estimate.
    least_binds
        whether the budget asks for less than the least epsilon.
    over_days
        completed days that cost more than the budget although epsilon could have been lower.
    days
        date (ISO, UTC), decisions and estimated lost approvals of every day, oldest first.
    """

    epsilon: float
    lost_per_day: float
    lost_today: float
    least_binds: bool
    over_days: int
    days: tuple[tuple[str, int, float], ...]


class ExplorationBudget:
    """Sets a share of uniform exploration by what exploration costs.

    A decision is booked on the day on which it is recorded: that of its outcome, for a policy that
    records what it learns from. While the traffic is steady, that is what a day's decisions cost.

    Parameters
    ----------
    lost_per_day
        approvals that exploration may cost in a UTC day, above 0.
    least_epsilon, most_epsilon
        bounds of the share; the least holds whatever it costs, above 0: the log stays usable.
    state
        to go on from; by default a fresh one, at the least.

    Raises
    ------
    UserError
        If a number is out of range.
    """

    __slots__ = ("least_epsilon", "lost_per_day", "most_epsilon", "state")

    def __init__(
        self,
        lost_per_day: float,
        least_epsilon: float,
        most_epsilon: float,
        state: BudgetState | None = None,
    ) -> None:
        if not 0.0 < lost_per_day < math.inf:
            raise UserError(
                f"the exploration budget is {lost_per_day:g} approvals a day; expected above 0"
            )
        if not 0.0 < least_epsilon <= most_epsilon <= 1.0:
            raise UserError(
                f"exploration between {least_epsilon:g} and {most_epsilon:g}; expected shares "
                "above 0, at most 1, the smaller one first"
            )
        self.lost_per_day = lost_per_day
        self.least_epsilon = least_epsilon
        self.most_epsilon = most_epsilon
        self.state = BudgetState(least_epsilon, least_epsilon) if state is None else state

    @property
    def epsilon(self) -> float:
        """Share of uniform for the decisions to come."""
        return self.state.epsilon

    def record(
        self,
        gap: FloatArray,
        decided_at: TimeArray,
        now: np.datetime64,
        at_most: float = 1.0,
    ) -> None:
        """Book what exploration cost some decisions, and set epsilon for those to come.

        Parameters
        ----------
        gap
            float64[n], estimated value of the best action less the mean over all actions, in
            approvals; see :func:`gaps`.
        decided_at
            datetime64[us][n], UTC: it says which epsilon was used.
        now
            when that is recorded, UTC; later than what was recorded before, or the same.
        at_most
            bound on epsilon from now on, for a policy that wants to explore less than it may.
        """
        if not len(gap):
            return
        state = self.state
        state.now_us = now_us = int(now.astype("M8[us]").astype(np.int64))
        lost = float(np.sum(self._used(decided_at) * gap))
        day = self._today(now_us)
        day.decisions += len(gap)
        day.lost += lost
        day.at_least += self.least_epsilon * float(np.sum(gap))
        seen = min(state.gaps + len(gap), float(MEMORY))
        state.gap += (float(np.mean(gap)) - state.gap) * min(len(gap) / seen, 1.0)
        state.gaps = seen
        self._count(len(gap), now_us)
        epsilon = min(max(self._affordable(now_us), self.least_epsilon), self.most_epsilon)
        self._set(min(epsilon, at_most), now_us)

    def report(self) -> BudgetReport:
        """What exploration costs, day by day."""
        days = self.state.days
        done = days[:-1]
        return BudgetReport(
            self.epsilon,
            self.lost_per_day,
            days[-1].lost if days else 0.0,
            bool(days) and self._affordable(self.state.now_us) < self.least_epsilon,
            sum(each.lost > max(self.lost_per_day, each.at_least * (1 + 1e-9)) for each in done),
            tuple((str(np.datetime64(each.day, "D")), each.decisions, each.lost) for each in days),
        )

    def _used(self, decided_at: TimeArray) -> FloatArray:
        """float64[n], epsilon at the time of each decision."""
        state = self.state
        if not state.changed_us:
            return np.full(len(decided_at), state.epsilon)
        at_us = decided_at.astype("M8[us]").astype(np.int64)
        # A change holds for the decisions after it.
        place = np.searchsorted(np.array(state.changed_us, np.int64), at_us, side="left")
        return np.array([state.started_with, *state.changed_to])[place]

    def _today(self, now_us: int) -> Day:
        days, today = self.state.days, now_us // DAY_US
        if not days or days[-1].day < today:
            days.append(Day(today))
            del days[:-KEPT_DAYS]
        return days[-1]

    def _count(self, decisions: int, now_us: int) -> None:
        """Add to the running hour; an hour that ended renews the forecast of its like."""
        state, hour = self.state, now_us // HOUR_US
        if state.hour < 0:
            state.hour, state.hour_from_us = hour, now_us
        for ended in range(state.hour, min(hour, state.hour + HOURS)):
            # The first hour was seen in part only, and hours that nothing fell into had none.
            if state.hour_from_us == ended * HOUR_US:
                known, place = state.by_hour[ended % HOURS], ended % HOURS
                newest = float(state.in_hour)
                state.by_hour[place] = newest if known < 0 else known + NEWER * (newest - known)
            state.in_hour, state.hour_from_us = 0, (ended + 1) * HOUR_US
        state.hour, state.in_hour = hour, state.in_hour + decisions

    def _affordable(self, now_us: int) -> float:
        """The epsilon that spends the rest of the day's budget by midnight."""
        state = self.state
        if state.gaps < ENOUGH:
            return self.least_epsilon
        left = max(self.lost_per_day - state.days[-1].lost, 0.0)
        price = self._expected(now_us) * state.gap
        return left / price if price > 0.0 else self.most_epsilon

    def _expected(self, now_us: int) -> float:
        """Decisions to come until midnight, one hour's at least."""
        state = self.state
        known = [each for each in state.by_hour if each >= 0]
        if known:
            usual = sum(known) / len(known)
        else:
            usual = state.in_hour * HOUR_US / max(now_us - state.hour_from_us, HOUR_US // 60)
        forecast = [usual if each < 0 else each for each in state.by_hour]
        hour, into = (now_us // HOUR_US) % HOURS, now_us % HOUR_US
        left = forecast[hour] * (1.0 - into / HOUR_US) + sum(forecast[hour + 1 :])
        # What is left over shortly before midnight must not all be spent at once.
        return max(left, forecast[hour])

    def _set(self, epsilon: float, now_us: int) -> None:
        state = self.state
        if epsilon == state.epsilon and state.changed_us:
            return
        state.epsilon = epsilon
        state.changed_us.append(now_us)
        state.changed_to.append(epsilon)
        if len(state.changed_us) > CHANGES:
            state.started_with = state.changed_to[-CHANGES - 1]
            del state.changed_us[:-CHANGES], state.changed_to[:-CHANGES]


def gaps(batch: DecisionBatch, value: FloatArray, among: BoolArray | None = None) -> FloatArray:
    """float64[n]: what it costs to act evenly in place of best.

    Parameters
    ----------
    batch
        n decisions with m actions.
    value
        float64[m], estimated value of every action, in approvals.
    among
        bool[m], the actions over which exploration is spread; all by default.
    """
    if not batch.n:
        return np.zeros(0)
    weight = np.ones(batch.m) if among is None else among.astype(np.float64)
    mean = batch.sum_by_decision(weight * value) / batch.sum_by_decision(weight)
    return np.asarray(np.maximum.reduceat(value, batch.offsets[:-1]) - mean)
