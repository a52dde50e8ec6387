"""Payments side by side, one in each lane, all decided at once.

A lane takes every ``of``-th payment of the traffic, so what a lane meets does not depend on what
happens in the others, nor on how many of them are held together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc

from authopt.actions import STOP_ROUTE
from authopt.batch import (
    BoolArray,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
    concat,
    take_column,
)
from authopt.errors import UserError
from authopt.rules import apply_rules
from simulator.gym_env.setting import Setting

WINDOW = 32_768
"""Payments that are drawn at a time, about."""

FEWEST_ROUNDS, MOST_ROUNDS = 16, 256
"""Payments of one lane that are drawn at a time."""

MOST_SKIPPED = 1_000
"""Payments in a row whose first attempt the rules forbid, before this is taken for a mistake."""

ENDLESS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Acted:
    """What came of one action in each lane; length: lanes. Zeros where no action was taken.

    Attributes
    ----------
    acted
        the lane had a decision, and an action was taken.
    reward
        of the action.
    approved
        the attempt was approved.
    illegal
        the action was not offered or is against the rules; the payment was given up instead.
    fee_minor
        fees of the attempt, minor units of the payment's currency.
    ended
        the episode is over.
    """

    acted: BoolArray
    reward: FloatArray
    approved: BoolArray
    illegal: BoolArray
    fee_minor: FloatArray
    ended: BoolArray


class Lanes:
    """The payments that are open, and the verbs that move them on.

    Attributes
    ----------
    setting
        world, actions, rules and reward.
    count
        how many are held here.
    seed
        of the traffic; None before ``start``.
    now
        the open decisions with the actions that the rules leave; None where there are none.
    lane
        int64[now.n], the lane of each.
    position
        int64[now.n, actions], where an action stands in the arrays of length m of ``now``; -1
        where it is masked.
    """

    def __init__(self, setting: Setting, mine: IntArray, of: int) -> None:
        self.setting = setting
        self.count = len(mine)
        self.seed: int | None = None
        self.now: DecisionBatch | None = None
        self.lane: IntArray = np.zeros(0, np.int64)
        self.position: IntArray = np.zeros((0, setting.actions.size), np.int64)
        self._mine, self._of = mine, of
        self._rounds = int(np.clip(WINDOW // of, FEWEST_ROUNDS, MOST_ROUNDS))
        self._round = np.zeros(self.count, np.int64)
        self._left = np.zeros(self.count, np.int64)
        self._windows: dict[int, DecisionBatch] = {}

    @property
    def open(self) -> BoolArray:
        """bool[lanes], where there is a decision to make."""
        has = np.zeros(self.count, np.bool_)
        has[self.lane] = True
        return has

    def start(self, seed: int) -> None:
        """From the first payment of a traffic of that seed; no payment is open."""
        self.seed = seed
        self._round[:] = 0
        self._windows.clear()
        self._hold([])

    def begin(self, lanes: IntArray) -> None:
        """A new episode in each of the lanes; what was open there is dropped."""
        length = self.setting.payments_per_episode
        self._left[lanes] = ENDLESS if length is None else length
        self._hold([*self._without(lanes), *self._next_payments(lanes)])

    def act(self, actions: IntArray) -> Acted:
        """Take an action (int64[lanes], its number) in every lane that has a decision."""
        acted = self.open
        reward, fee = np.zeros(self.count), np.zeros(self.count)
        approved, illegal = np.zeros(self.count, np.bool_), np.zeros(self.count, np.bool_)
        ended = np.zeros(self.count, np.bool_)
        if self.now is not None:
            lane = self.lane
            sent, illegal[lane] = self._sent(self.now, actions[lane])
            back = self.setting.world.with_outcome(sent, self._known_seed)
            reward[lane] = self._reward(back)
            approved[lane] = np.asarray(back.outcome["approved"]) == 1
            fee[lane] = np.nan_to_num(np.asarray(back.outcome["fee_minor"], np.float64))
            held = self._following(back, lane)
            over = acted.copy()
            for _, lanes in held:
                over[lanes] = False
            self._left[over] -= 1
            ended = over & (self._left == 0)
            more = np.flatnonzero(over & ~ended)
            self._hold([*held, *self._next_payments(more)])
        return Acted(acted, reward, approved, illegal, fee, ended)

    @property
    def _known_seed(self) -> int:
        assert self.seed is not None
        return self.seed

    def _hold(self, parts: list[tuple[DecisionBatch, IntArray]]) -> None:
        if not parts:
            self.now, self.lane = None, np.zeros(0, np.int64)
            self.position = np.zeros((0, self.setting.actions.size), np.int64)
            return
        batches, lanes = zip(*parts, strict=True)
        self.now = batches[0] if len(batches) == 1 else concat(batches)
        self.lane = np.concatenate(lanes)
        self.position = self.setting.actions.positions(self.now)

    def _without(self, lanes: IntArray) -> list[tuple[DecisionBatch, IntArray]]:
        """The open decisions of the other lanes."""
        if self.now is None:
            return []
        others = np.flatnonzero(~np.isin(self.lane, lanes))
        if len(others) == self.now.n:
            return [(self.now, self.lane)]
        return [(self.now.take(others), self.lane[others])] if len(others) else []

    def _sent(self, now: DecisionBatch, number: IntArray) -> tuple[LoggedBatch, BoolArray]:
        """The decisions with the one action that is taken, and where it was not the one asked."""
        place = self.position[np.arange(now.n), number]
        illegal = place < 0
        routes = now.routes if STOP_ROUTE in now.routes else (*now.routes, STOP_ROUTE)
        place = np.where(illegal, now.offsets[:-1], place)
        route = np.where(illegal, routes.index(STOP_ROUTE), now.action_route[place])
        sent = LoggedBatch(
            decision_id=now.decision_id,
            payment_id=now.payment_id,
            attempt=now.attempt,
            decided_at=now.decided_at,
            context=now.context,
            routes=routes,
            action_route=route.astype(np.int32),
            action_delay_s=np.where(illegal, 0, now.action_delay_s[place]),
            offsets=np.arange(now.n + 1, dtype=np.int64),
            action_features={
                name: take_column(column, place) for name, column in now.action_features.items()
            },
            chosen=np.zeros(now.n, np.int64),
            propensity=np.full(now.n, np.nan),
            reward=np.full(now.n, np.nan),
        )
        return sent, illegal

    def _reward(self, back: LoggedBatch) -> FloatArray:
        reward = self.setting.reward.of(back)
        unknown = np.flatnonzero(np.isnan(reward))
        if len(unknown):
            raise UserError(
                f"decision {back.decision_id[int(unknown[0])]}: the reward "
                f"{self.setting.reward.name!r} is not known after "
                f"{back.actions(int(unknown[0]))[0]}; choose one that every action has"
            )
        return reward

    def _following(self, back: LoggedBatch, lane: IntArray) -> list[tuple[DecisionBatch, IntArray]]:
        """What is to be decided next on the payments that are still open."""
        if (np.asarray(back.outcome["approved"]) == 1).all():
            return []
        batch = self.setting.world.following(back, self._known_seed)
        if not batch.n:
            return []
        row = np.asarray(pc.index_in(batch.payment_id, value_set=back.payment_id))
        return self._to_decide(batch, lane[row])

    def _to_decide(
        self, batch: DecisionBatch, lane: IntArray
    ) -> list[tuple[DecisionBatch, IntArray]]:
        """The decisions to which the rules leave more than giving up, with the actions left."""
        keep = apply_rules(batch, self.setting.rules).keep
        if keep.all() and not batch.is_stop.any():
            return [(batch, lane)]
        choice = batch.sum_by_decision((keep & ~batch.is_stop).astype(np.float64)) > 0
        if not choice.all():
            keep = keep[np.repeat(choice, batch.counts)]
            batch, lane = batch.take(np.flatnonzero(choice)), lane[choice]
        if not batch.n:
            return []
        return [(batch if keep.all() else batch.keep_actions(keep), lane)]

    def _next_payments(self, lanes: IntArray) -> list[tuple[DecisionBatch, IntArray]]:
        """The first decision of the next payment of each lane, where there is one to make."""
        parts: list[tuple[DecisionBatch, IntArray]] = []
        for _ in range(MOST_SKIPPED):
            if not len(lanes):
                return parts
            waiting = []
            for batch, lane in self._arrivals(lanes):
                some = self._to_decide(batch, lane)
                parts += some
                found = some[0][1] if some else np.zeros(0, np.int64)
                waiting.append(np.setdiff1d(lane, found, assume_unique=True))
            lanes = np.concatenate(waiting)
        raise UserError(
            f"the rules forbid every action of {MOST_SKIPPED} payments in a row; nothing is left "
            "to decide"
        )

    def _arrivals(self, lanes: IntArray) -> list[tuple[DecisionBatch, IntArray]]:
        window, within = np.divmod(self._round[lanes], self._rounds)
        self._round[lanes] += 1
        parts = []
        for number in np.unique(window).tolist():
            here = window == number
            rows = within[here] * self.count + lanes[here]
            parts.append((self._window(number).take(rows), lanes[here]))
        oldest = int(self._round.min()) // self._rounds
        for number in [number for number in self._windows if number < oldest]:
            del self._windows[number]
        return parts

    def _window(self, number: int) -> DecisionBatch:
        """First decisions of all lanes in some rounds, round by round."""
        if number not in self._windows:
            seeded = replace(self.setting.traffic, seed=self._known_seed)
            payments = self._rounds * self._of
            drawn = self.setting.world.arrivals(seeded, number * payments, (number + 1) * payments)
            if self.count < self._of:
                rounds = np.arange(self._rounds, dtype=np.int64)[:, None]
                drawn = drawn.take((rounds * self._of + self._mine).ravel())
            self._windows[number] = drawn
        return self._windows[number]
