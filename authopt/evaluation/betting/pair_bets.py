"""Confidence sequence of the difference between two policies that did not make the log.

With rewards scaled to [0, 1], the score w_a r + w_b (1 - r) is never negative, however large the
weights, and its mean is 1 + the first policy's value less the second's (Waudby-Smith, Wu, Ramdas,
Karampatziakis & Mineiro, arXiv 2210.10768, section 2, which bounds one policy from below by its
rewards and the other from above by what it lacks). Scores 1 + (w_a - w_b) (r - c), and with a
reward model 1 + (w_a - w_b) (r - q) + v_a - v_b, have the same mean and vary less: they are 1
wherever the policies agree. They are negative where weights are large; see
:mod:`authopt.evaluation.betting.row_bets`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.betting.betting import Group, Scores, Variate, lower_limit
from authopt.evaluation.betting.context_classes import Reading, context_class, largest_weights
from authopt.evaluation.betting.row_bets import REWARD_STEPS, Limits, add_by_reward, flat, scaled
from authopt.evaluation.betting.score_tally import Tally
from authopt.evaluation.block import Block, State, inner, nested
from authopt.evaluation.terms import Terms

CONSTANTS = (0.0, 0.5, 1.0)
"""Taken off the reward: 1 suits many approvals, 0 few, 1/2 an even chance."""

TALLIES = ("lower", "upper", "difference", "model")


@dataclass(slots=True, eq=False)
class PairBets:
    """Counts of the scores of two policies on the same rows.

    Attributes
    ----------
    reward_low, reward_high
        declared bounds of the reward.
    lower, upper
        scores that cannot be negative, of the first policy's value less the second's and of the
        opposite, by class of context.
    difference
        differences of the weights, by class of context and reward.
    model
        differences of the doubly robust scores, by class of context; empty without a reward model.
    """

    reward_low: float
    reward_high: float
    lower: Tally = field(default_factory=Tally)
    upper: Tally = field(default_factory=Tally)
    difference: Tally = field(default_factory=Tally)
    model: Tally = field(default_factory=Tally)

    def add(self, block: Block, first: Terms, second: Terms) -> None:
        """Count the decisions of a block, with both policies' terms for them.

        A reward model must not have learnt from these rows or later ones.
        """
        low, high = self.reward_low, self.reward_high
        a, b = (np.ones(len(each.r)) if each.w is None else each.w for each in (first, second))
        reward = scaled(first.r, low, high)
        places = (
            context_class(largest_weights(block.arrays, each), each.unsupported)
            for each in (first, second)
        )
        place = np.maximum(*places)
        self.add_rows(a, b, reward, place)
        if first.q is None or first.v is None or second.v is None:
            return
        if low <= first.q_low and first.q_high <= high:
            residual = reward - scaled(first.q, low, high)
            self.model.add(place, (a - b) * residual + (first.v - second.v) / (high - low))

    def add_rows(self, a: FloatArray, b: FloatArray, reward: FloatArray, place: IntArray) -> None:
        """Count rows by both weights, reward scaled to [0, 1], and class of context."""
        self.lower.add(place, a * reward + b * (1.0 - reward))
        self.upper.add(place, b * reward + a * (1.0 - reward))
        add_by_reward(self.difference, a - b, reward, place)

    def __add__(self, other: Self) -> Self:
        tallies = (getattr(self, name) + getattr(other, name) for name in TALLIES)
        return type(self)(self.reward_low, self.reward_high, *tallies)

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        tallies = {name: getattr(self, name).state() for name in TALLIES}
        return {"bounds": np.array([self.reward_low, self.reward_high]), **nested(tallies)}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        low, high = state["bounds"].tolist()
        return cls(low, high, *(Tally.from_state(inner(state, name)) for name in TALLIES))


def difference_limits(
    bets: PairBets, confidence: float, *, largest_weight: float | None = None, longest: int = 1
) -> Limits:
    """Limits of the first policy's value less the second's, for all times together.

    ``largest_weight`` is of either policy; the other parameters and the limits are as in
    :func:`authopt.evaluation.betting.row_bets.value_limits`. A difference is within plus or
    minus the span of the rewards.
    """
    reading = Reading(largest_weight)
    variates = [Variate(max(c, 1.0 - c), -1.0) for c in CONSTANTS]
    if bets.model.counts:
        variates.append(Variate(1.0, 0.0))
    lower, upper = (
        lower_limit(
            _groups(bets, plain, sign, reading, longest),
            variates,
            (1.0 - confidence) / 2.0,
            0.0,
            2.0,
            largest_weight=reading.largest_weight,
        )
        for plain, sign in ((bets.lower, 1.0), (bets.upper, -1.0))
    )
    span = bets.reward_high - bets.reward_low
    if lower + upper > 2.0:
        return -span, span
    return span * (lower - 1.0), span * (1.0 - upper)


def _groups(
    bets: PairBets, plain: Tally, sign: float, reading: Reading, longest: int
) -> list[Group]:
    groups = []
    plain_points, model_points = reading.points(plain), reading.points(bets.model)
    for largest, by_reward in reading.points(bets.difference, REWARD_STEPS + 1).items():
        difference, reward, count = flat(by_reward)
        count = count / longest
        controlled = [Scores.of(1.0 + sign * difference * (reward - c), count) for c in CONSTANTS]
        if model_points:
            d, times = model_points.get(largest, {0: (count[:0], count[:0])})[0]
            controlled.append(Scores.of(1.0 + sign * d, times / longest))
        scores, times = plain_points[largest][0]
        groups.append(Group(largest, Scores.of(scores, times / longest), tuple(controlled)))
    return groups
