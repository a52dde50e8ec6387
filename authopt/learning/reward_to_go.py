"""The reward of a whole payment from a decision on: what keeps a learner from being myopic.

Judged by its own outcome alone, a retry that fails costs nothing, and a decision that spoils or
saves a later chance looks like any other. So a decision's reward-to-go is its own reward plus those
of all later attempts of its payment, at most the largest possible reward: with the reward
'approved' it is 1 where the payment was approved in the end. Giving up (``stop``) ends the payment
and is worth 0.

It is a Monte-Carlo return: after the decision, the payment went on as the logging policy went on.
Learning from it improves that policy by one step (policy iteration; Sutton and Barto,
"Reinforcement learning", 2nd edition, sections 4.3 and 5.3); the next log holds what the improved
policy did, and so on. Attempts that the log does not hold, because it ends before them, count
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from authopt.batch import CodeArray, FloatArray, LoggedBatch
from authopt.hashing import UIntArray, hash_strings

STOP_REWARD = 0.0


@dataclass(slots=True, eq=False)
class Retries:
    """The attempts of a log after the first ones: collected in one pass, asked in another.

    Takes 20 bytes for every attempt that is not its payment's first, and nothing for the others.
    """

    _payment: list[UIntArray] = field(default_factory=list)
    _attempt: list[CodeArray] = field(default_factory=list)
    _reward: list[FloatArray] = field(default_factory=list)
    _sorted: bool = False

    def __len__(self) -> int:
        return sum(map(len, self._payment))

    def add(self, batch: LoggedBatch) -> None:
        """Collect the later attempts of a chunk."""
        rows = np.flatnonzero(batch.attempt > 1)
        if len(rows):
            self._payment.append(hash_strings(batch.payment_id)[rows])
            self._attempt.append(batch.attempt[rows])
            self._reward.append(own_rewards(batch)[rows])
            self._sorted = False

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
            NaN where the own reward or that of a later attempt is not known.
        """
        total = own_rewards(batch)
        stopped = batch.is_stop[batch.chosen_action]
        if len(self):
            self._sort()
            payments, attempts, rewards = self._payment[0], self._attempt[0], self._reward[0]
            wanted = hash_strings(batch.payment_id)
            place = np.searchsorted(payments, wanted, "left")
            end = np.searchsorted(payments, wanted, "right")
            open_ = np.flatnonzero((place < end) & ~stopped)
            while len(open_):
                at = place[open_]
                later = attempts[at] > batch.attempt[open_]
                total[open_] += np.where(later, rewards[at], 0.0)
                place[open_] += 1
                open_ = open_[place[open_] < end[open_]]
        return np.minimum(total, largest)

    def _sort(self) -> None:
        if self._sorted:
            return
        payment, attempt = np.concatenate(self._payment), np.concatenate(self._attempt)
        order = np.lexsort((attempt, payment))
        self._payment, self._attempt = [payment[order]], [attempt[order]]
        self._reward = [np.concatenate(self._reward)[order]]
        self._sorted = True


def own_rewards(batch: LoggedBatch) -> FloatArray:
    """float64[n], the rewards of the decisions alone; ``stop`` is worth 0, known or not."""
    return np.where(batch.is_stop[batch.chosen_action], STOP_REWARD, batch.reward)
