"""Vowpal Wabbit that learns while it decides: ``--cb_explore_adf`` in one process, step by step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.features.vw_features import VwFeatures
from authopt.features.vw_text import VwText
from authopt.policies.exploration_budget import BudgetReport, ExplorationBudget
from authopt.policies.online.choosing import (
    WAITS_FIRST,
    alternatives,
    by_gap,
    greedy,
    scheduled,
    scheduled_evenly,
    spread,
)
from authopt.policies.online.declared_features import declared_features, declared_for_later
from authopt.policies.online.later_value import LaterValue, choice_of_time
from authopt.policies.online.learning_workspace import LearningWorkspace
from authopt.policies.online.restoring import SETTINGS, of_trained, state_of, take_up
from authopt.policies.online.saved_state import read_online, write_online
from authopt.policies.online.taken_actions import ended, taken_alone, waited
from authopt.policies.online.trying import Trying, book, sample_of
from authopt.policies.vw_floor import lifted
from authopt.policies.vw_labels import check_labels, labels
from authopt.policies.vw_manifest import manifest_path
from authopt.policies.vw_options import Optimiser, VwOptions, Weighting
from authopt.sampling import normalise

STOPPED = "the payment was given up"


@dataclass(slots=True, eq=False, kw_only=True)
class OnlineVw:
    """A learning policy: a regression of the reward on context and action, taken a step at a time.

    It starts without any log: features are declared from the columns of the first outcomes. Until
    there are outcomes, first attempts go over all routes alike. Retries wait 1, 3, 5 and 7 days
    until there are ``WAITS_FIRST`` outcomes of attempts that have waited: what is known of the
    others, of which the first come days before, says nothing of waiting.
    The step of an outcome does not depend on what the policy has learned since its decision, as
    every row weighs the same (``weighting`` ``regression``) or by the inverse of the propensity
    that was logged when it was decided (``ips``), never of the present one.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    epsilon
        the floor: each of k eligible actions gets at least ``epsilon / k``.
    gamma
        how fast an action's probability falls with what it seems to lose against the best, see
        :func:`authopt.policies.online.choosing.by_gap`; 0: the best action gets all but the floor
        and what is tried.
    tries, most_tries, lost_per_day
        how much is tried at the start, see :class:`authopt.policies.online.trying.Trying`: routes
        at the best action's delay.
    optimiser, learning_rate, power_t, l2, weighting, bits, seed
        as in :class:`authopt.policies.vw_options.VwOptions`.
    merchant_own
        as in :func:`authopt.policies.online.declared_features.declared_features`.
    plan
        whether what follows an attempt counts where there is a choice of time, see
        :mod:`authopt.policies.online.later_value`. In the simulator it does not pay: 6.5 of 10,000
        payments less (2.9 to 10.2), where much is hidden as much, and a fifth more time.
    left_out
        rows that it could not learn from, by reason.
    routes
        outcomes that it has learned from, by route.
    waits
        of these, those of attempts that waited for a day or more.
    features, text, workspace, cost_scale
        the declaration and its writer, the model, and what rewards are divided by; None before the
        first outcome.
    later
        the regression of what follows an attempt; None without ``plan``.

    Raises
    ------
    UserError
        If a value is out of range.
    """

    epsilon: float = 0.02
    gamma: float = 0.0
    tries: float = 0.0
    most_tries: float = 0.3
    lost_per_day: float = 0.0
    optimiser: Optimiser = "adaptive"
    learning_rate: float = 0.05
    power_t: float = 0.5
    l2: float = 0.0
    weighting: Weighting = "regression"
    bits: int = 20
    seed: int = 0
    merchant_own: bool = False
    plan: bool = False
    name: str = "online"
    left_out: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    waits: int = 0
    features: VwFeatures | None = field(default=None, init=False)
    cost_scale: float | None = field(default=None, init=False)
    _least_reward: float = np.inf
    _lines: Literal["all", "taken"] = "taken"
    _arguments: tuple[str, ...] = ()
    text: VwText | None = field(default=None, init=False)
    workspace: LearningWorkspace | None = field(default=None, init=False)
    _budget: ExplorationBudget | None = None
    later: LaterValue | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.check()
        self._budget = self._trying().budget(self.epsilon, None)

    def check(self) -> None:
        """Raise unless all options are in range."""
        if not 0.0 < self.epsilon <= 1.0:
            raise UserError(
                f"epsilon is {self.epsilon:g}; expected above 0 and at most 1: without exploration "
                "what is logged can judge no other policy"
            )
        if not 0.0 <= self.gamma < np.inf:
            raise UserError(f"gamma is {self.gamma:g}; expected 0 or more")
        self._options()
        self._trying()

    @property
    def rows(self) -> int:
        """Outcomes that it has learned from."""
        return self.routes.total()

    @property
    def share_tried(self) -> float:
        """Share of the decisions to come in which a route is tried, beside the floor."""
        return self._trying().share(self.rows) if self._budget is None else self._budget.epsilon

    @property
    def budget_report(self) -> BudgetReport | None:
        """What trying costs, day by day; None without ``lost_per_day``."""
        return None if self._budget is None else self._budget.report()

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], none below ``epsilon / k``, the same whatever other decisions there are."""
        if not batch.n:
            return np.zeros(0)
        if self.workspace is None:
            chosen = scheduled_evenly(batch)
        else:
            cost = self.in_time(batch, self.costs(batch))
            chosen = by_gap(batch, cost, self.gamma) if self.gamma else greedy(batch, cost)
            if share := self.share_tried:
                tried = spread(batch, alternatives(batch, cost))
                chosen = (1.0 - share) * chosen + share * tried
        return lifted(batch, normalise(batch, chosen), self.epsilon)

    def costs(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], what each action is expected to cost: the negative reward, over its scale.

        With ``plan``, the value of what follows counts too where there is a choice of time.
        Giving up costs 0. As long as no attempt has ever had a negative reward, it is infinitely
        worse than any attempt: there is nothing to be saved by it.
        """
        assert self.text is not None
        assert self.workspace is not None
        if batch.n == 1:
            texts = [self.text.one(batch)]
        else:
            texts = [text for block in self.text.blocks(batch) for text in block.to_pylist()]
        cost = np.array(self.workspace.costs(texts), np.float64)
        if self.later is not None and (timed := choice_of_time(batch)).any():
            some = batch.take(np.flatnonzero(timed))
            at = np.repeat(timed, batch.counts)
            # A chance of approval where rewards are approvals; the mean where they are not.
            ends = np.clip(-cost[at], 0.0, 1.0)
            if self.cost_scale != 1.0:
                ends = np.full(some.m, self.later.share_ended)
            cost[at] -= (1.0 - ends) * self.later.values(some)
        cost[batch.is_stop] = 0.0 if self._least_reward < 0.0 else np.finfo(np.float32).max
        return cost

    def in_time(self, batch: DecisionBatch, cost: FloatArray) -> FloatArray:
        """float64[m], the costs that the choice goes by.

        While too little is known of waiting, those of retries off the schedule are infinite.
        """
        if self.waits >= WAITS_FIRST:
            return cost
        return np.where(scheduled(batch) | batch.is_stop, cost, np.inf)

    def update(self, batch: LoggedBatch) -> None:
        """Learn from outcomes, oldest first; what cannot be learned from is counted."""
        rows = np.argsort(batch.decided_at, kind="stable")
        stopped = batch.is_stop[batch.chosen_action]
        propensity = batch.propensity
        if self.weighting == "regression":
            propensity = np.ones(batch.n)
        problems = check_labels(0.0 - batch.reward, propensity, ~stopped)
        self.left_out += problems.left_out
        if stopped.any():
            self.left_out[STOPPED] += int(stopped.sum())
        rows = rows[problems.sound[rows]]
        if not len(rows):
            return
        known = batch.take(rows)
        self._begin(known)
        assert self.text is not None
        assert self.workspace is not None
        assert self.cost_scale is not None
        self._least_reward = min(self._least_reward, float(known.reward.min()))
        taken, times = np.unique(known.action_route[known.chosen_action], return_counts=True)
        for route, count in zip(taken.tolist(), times.tolist(), strict=True):
            self.routes[known.routes[route]] += count
        self.waits += int(waited(known).sum())
        if self._budget is not None:
            self._price(known)
        told = labels(
            0.0 - known.reward / self.cost_scale,
            self._options().label_probability(known.propensity),
        )
        shown = known if self._lines == "all" else taken_alone(known)
        for block in self.text.blocks(shown, told):
            self.workspace.learn(block.to_pylist())
        if self.later is not None:
            self._learn_later(known)

    def _learn_later(self, known: LoggedBatch) -> None:
        """Let what followed the decisions before these be learned."""
        assert self.later is not None
        batch = known.take(np.flatnonzero(choice_of_time(known)))
        self.later.begin(batch, taken_alone(batch), ended(batch))
        awaited = known.take(self.later.awaited(known))
        worth = np.zeros(0)
        if awaited.n:
            cost = np.where(awaited.is_stop, 0.0, self.costs(awaited))
            worth = -np.minimum.reduceat(cost, awaited.offsets[:-1])
        now = known.decided_at.max().astype("M8[us]").astype(np.int64)
        self.later.learn(awaited, worth, int(now))

    def _price(self, known: LoggedBatch) -> None:
        assert self._budget is not None
        assert self.cost_scale is not None
        some = sample_of(known)
        cost = self.costs(some)
        # Giving up is worth nothing, however much it is shunned.
        value = np.where(some.is_stop, 0.0, cost * -self.cost_scale)
        share = self._trying().share(self.rows)
        book(self._budget, known, value, alternatives(some, self.in_time(some, cost)), share)

    def save(self, path: Path) -> None:
        """Write options and state in one file; :meth:`load` restores them exactly."""
        write_online(path, state_of(self))

    @classmethod
    def load(cls, path: Path) -> OnlineVw:
        """Go on from what :meth:`save` wrote, or from a model that ``authopt train`` made.

        Raises
        ------
        UserError
            If a file is missing, damaged, or holds something else.
        """
        if manifest_path(path).is_file():
            return of_trained(cls, path)
        state = read_online(path)
        policy = cls(**{name: getattr(state.settings, name) for name in SETTINGS})
        take_up(policy, state)
        return policy

    def _begin(self, batch: LoggedBatch) -> None:
        """Declare the features and the size of a cost, at the first outcomes."""
        if self.workspace is not None:
            return
        largest = float(np.abs(batch.reward).max())
        # VW's steps fit costs of about 1. Approvals are such; money is not.
        self.cost_scale = 1.0
        if largest > 1.0:
            self.cost_scale = float(np.sqrt(np.square(batch.reward).mean()))
        features = declared_features(batch, merchant_own=self.merchant_own)
        # The mean is told: learned, it would be smeared over all features, and whatever is new,
        # as a new route, would look far worse than it is.
        start = -float(batch.reward.mean()) / self.cost_scale
        self._set_up(features, tuple(self._options(start).arguments(features)), None)
        if self.plan:
            later = declared_for_later(batch)
            self.later = LaterValue(later, tuple(self._options().arguments(later)))

    def _set_up(
        self, features: VwFeatures, arguments: tuple[str, ...], model: bytes | None
    ) -> None:
        self.features = features
        self._arguments = arguments
        self.text = VwText(features)
        self.workspace = LearningWorkspace(list(arguments), model)

    def _trying(self) -> Trying:
        return Trying(self.tries, self.most_tries, self.lost_per_day)

    def _options(self, start: float = 0.0) -> VwOptions:
        return VwOptions(
            epsilon=self.epsilon,
            weighting=self.weighting,
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            power_t=self.power_t,
            l2=self.l2,
            bits=self.bits,
            seed=self.seed,
            start=start,
        )
