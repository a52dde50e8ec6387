"""The reward of a whole payment from a decision on: what keeps a learner from being myopic.

Judged by its own outcome alone, a retry that fails costs nothing, and a decision that spoils or
saves a later chance looks like any other. So a decision's reward-to-go is its own reward plus those
of all later attempts of its payment, at most the largest possible reward: with the reward
'approved' it is 1 where the payment was approved in the end. Giving up (``stop``) ends the payment
and is worth 0.

It is a Monte-Carlo return: after the decision, the payment went on as the logging policy went on.
Learning from it improves that policy by one step (policy iteration; Sutton and Barto,
"Reinforcement learning", 2nd edition, sections 4.3 and 5.3); the next log holds what the improved
policy did, and so on.

With a model of what decisions are worth (``authopt.learning.later_value``), half of what follows a
decision is what the model expects of the payment's next decision if that is taken well: a
lambda-return (Sutton and Barto, section 12.1) over fitted Q (Ernst, Geurts and Wehenkel,
"Tree-based batch mode reinforcement learning", JMLR 6, 2005). The model also completes payments
that are open where the log ends; without it, attempts that the log does not hold count nothing, and
decisions before an attempt whose outcome is not known have no reward-to-go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from authopt.batch import CodeArray, FloatArray, IntArray, LoggedBatch
from authopt.hashing import UIntArray, hash_strings

STOP_REWARD = 0.0


class Expects(Protocol):
    """What is expected of decisions, by a model that never saw their payments."""

    @property
    def share(self) -> float:
        """How much of what follows is what the model expects, 0 to 1; the rest was observed."""

    @property
    def description(self) -> str:
        """What the model is used for, in a few words."""

    def best(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], the reward-to-go of each decision if it is taken well."""

    def chosen(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], the reward-to-go of the logged actions."""

    def after(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], what is still to come if this is the payment's last decision in the log."""


@dataclass(slots=True, eq=False)
class Retries:
    """The attempts of a log after the first ones: collected in one pass, asked in another.

    Takes 20 bytes for every attempt that is not its payment's first (28 with a model), and nothing
    for the others.

    Attributes
    ----------
    model
        of what decisions are worth; None to count what was observed alone.
    """

    model: Expects | None = None
    _payment: list[UIntArray] = field(default_factory=list)
    _attempt: list[CodeArray] = field(default_factory=list)
    _reward: list[FloatArray] = field(default_factory=list)
    _best: list[FloatArray] = field(default_factory=list)
    _after: list[FloatArray] = field(default_factory=list)
    _returns: tuple[float, FloatArray] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._payment))

    def add(self, batch: LoggedBatch) -> None:
        """Collect the later attempts of a chunk."""
        rows = np.flatnonzero(batch.attempt > 1)
        if not len(rows):
            return
        reward = own_rewards(batch)[rows]
        self._payment.append(hash_strings(batch.payment_id)[rows])
        self._attempt.append(batch.attempt[rows])
        if self.model is not None:
            some = batch.take(rows)
            # Of an attempt that is still open, its reward-to-go is expected: nothing comes on top.
            open_ = np.isnan(reward)
            reward[open_] = self.model.chosen(some.take(np.flatnonzero(open_)))
            self._best.append(self.model.best(some) if self.model.share else np.zeros(some.n))
            self._after.append(np.where(open_, 0.0, self.model.after(some)))
        self._reward.append(reward)
        self._returns = None

    def to_go(self, batch: LoggedBatch, largest: float) -> FloatArray:
        """Reward-to-go of the decisions of a chunk, after all chunks were added.

        Parameters
        ----------
        batch
            n decisions.
        largest
            possible reward of a decision. What an approval earns is earned once, since it ends the
            payment; costs add up.

        Returns
        -------
        float64[n]
            NaN where the own reward is not known, or, without a model, that of a later attempt.
        """
        total = own_rewards(batch)
        stopped = batch.is_stop[batch.chosen_action]
        if self.model is not None:
            last = np.where(stopped, 0.0, self.model.after(batch))
        if len(self):
            carried = self._carried(largest)
            payments, attempts = self._payment[0], self._attempt[0]
            wanted = hash_strings(batch.payment_id)
            place = np.searchsorted(payments, wanted, "left")
            end = np.searchsorted(payments, wanted, "right")
            open_ = np.flatnonzero(place < end)
            while len(open_):
                # To the payment's first attempt in the log that is later than this one.
                passed = attempts[place[open_]] <= batch.attempt[open_]
                open_ = open_[passed]
                place[open_] += 1
                open_ = open_[place[open_] < end[open_]]
            found = place < end
            follows = np.flatnonzero(found & ~stopped)
            total[follows] += carried[place[follows]]
            if self.model is not None:
                last[found] = 0.0
        if self.model is not None:
            total += last
        return np.minimum(total, largest)

    def _carried(self, largest: float) -> FloatArray:
        """What each retry passes on to the decision before it: observed, expected, or between."""
        if self._returns is not None and self._returns[0] == largest:
            return self._returns[1]
        self._sort()
        payment, reward = self._payment[0], self._reward[0]
        share = 0.0 if self.model is None else self.model.share
        carried = reward.copy()
        follows = np.append(payment[1:] == payment[:-1], False)
        if self.model is not None:
            carried += np.where(follows, 0.0, self._after[0])
        carried = self._blended(np.minimum(carried, largest), share)
        for rows in _from_the_end(payment):
            returned = np.minimum(reward[rows] + carried[rows + 1], largest)
            carried[rows] = self._blended(returned, share, rows)
        self._returns = (largest, carried)
        return carried

    def _blended(
        self, returned: FloatArray, share: float, rows: IntArray | None = None
    ) -> FloatArray:
        if not share:
            return returned
        best = self._best[0] if rows is None else self._best[0][rows]
        return np.asarray((1.0 - share) * returned + share * best)

    def _sort(self) -> None:
        if self._returns is not None:
            return
        payment, attempt = np.concatenate(self._payment), np.concatenate(self._attempt)
        order = np.lexsort((attempt, payment))
        self._payment, self._attempt = [payment[order]], [attempt[order]]
        for column in (self._reward, self._best, self._after):
            if column:
                column[:] = [np.concatenate(column)[order]]


def _from_the_end(payment: UIntArray) -> list[IntArray]:
    """Rows that another of the same payment follows: second last ones first, then those before."""
    n = len(payment)
    last = np.flatnonzero(np.append(payment[1:] != payment[:-1], True)) if n else np.zeros(0, int)
    left = np.repeat(last, np.diff(last, prepend=-1)) - np.arange(n)
    order = np.argsort(left, kind="stable")
    starts = np.searchsorted(left[order], np.arange(1, int(left.max(initial=0)) + 2))
    return [order[one:other] for one, other in pairwise(starts)]


def own_rewards(batch: LoggedBatch) -> FloatArray:
    """float64[n], the rewards of the decisions alone; ``stop`` is worth 0, known or not."""
    return np.where(batch.is_stop[batch.chosen_action], STOP_REWARD, batch.reward)
