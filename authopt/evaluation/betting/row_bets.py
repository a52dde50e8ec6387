"""Confidence sequences of a policy's value and gain, from counts of weights and rewards.

Rewards are scaled to [0, 1]. For the lower limit of the value the scores are w r, which are never
negative and have the value as their mean; for the upper limit w (1 - r), whose mean is 1 less the
value. The gain over the logging policy takes 1 + (w - 1) r and 1 + (w - 1) (1 - r), which cannot be
negative either, however large the weights (Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro,
arXiv 2210.10768, section 2). Mass without support counts with the worst reward for either limit,
since it lacks in both scores.

Scores with a control variate have the same mean and vary less where most decisions end alike:
w (r - c) + c with a constant c, a bet on the mean weight as in Karampatziakis, Mineiro & Ramdas
('Off-policy confidence sequences', ICML 2021), and w (r - q) + v with the predictions q of a reward
model (doubly robust; 2210.10768, section 2). They can be negative, by as much as the decision's
actions allow. That is known before the action is drawn, so a bet may take the controlled score in
contexts where it is at least -k and the plain one elsewhere; the paper truncates by k action by
action, to the same end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.betting.betting import Group, Scores, Variate, lower_limit
from authopt.evaluation.betting.context_classes import (
    Points,
    Reading,
    context_class,
    largest_weights,
)
from authopt.evaluation.betting.score_tally import Tally
from authopt.evaluation.block import Block, State, inner, nested
from authopt.evaluation.terms import Terms

Limits = tuple[float, float]

REWARD_STEPS = 16
"""Rewards between 0 and 1 are counted at multiples of 1 / 16, in shares that keep their mean."""

CONSTANTS = (0.25, 0.5, 1.0)
"""Control variates c (w - 1): 1 suits many approvals, 1/2 an even chance, and 1/4 what needs large
bets: heavy weights on few rows."""

TALLIES = ("weights", "model", "model_gain")


@dataclass(slots=True, eq=False)
class RowBets:
    """Counts of the scores of one policy: all that its confidence sequence needs.

    Attributes
    ----------
    reward_low, reward_high
        declared bounds of the reward.
    weights
        importance weights, by class of context and reward.
    model
        doubly robust scores of the value, by class of context; empty without a reward model.
    model_gain
        doubly robust scores of the gain.
    """

    reward_low: float
    reward_high: float
    weights: Tally = field(default_factory=Tally)
    model: Tally = field(default_factory=Tally)
    model_gain: Tally = field(default_factory=Tally)

    def add(self, block: Block, terms: Terms) -> None:
        """Count the decisions of a block.

        Predictions of a reward model count as if they had been made before the outcomes were
        known: the model must not have learnt from these rows or later ones.
        """
        w = np.ones(len(terms.r)) if terms.w is None else terms.w
        reward = scaled(terms.r, self.reward_low, self.reward_high)
        place = context_class(largest_weights(block.arrays, terms), terms.unsupported)
        self.add_rows(w, reward, place)
        if terms.q is None or terms.v is None or block.own.v is None:
            return
        low, high = self.reward_low, self.reward_high
        # Predictions beyond the bounds would take scores below theirs; not to bet is always sound.
        if low <= terms.q_low and terms.q_high <= high:
            q, v, own = (scaled(each, low, high) for each in (terms.q, terms.v, block.own.v))
            self.add_model(w, reward - q, v, v - own, place)

    def add_rows(self, w: FloatArray, reward: FloatArray, place: IntArray) -> None:
        """Count rows by weight, reward scaled to [0, 1], and class of context."""
        add_by_reward(self.weights, w, reward, place)

    def add_model(
        self,
        w: FloatArray,
        residual: FloatArray,
        v: FloatArray,
        v_gain: FloatArray,
        place: IntArray,
    ) -> None:
        """Count doubly robust scores: of the value w * residual + v, of the gain alike."""
        self.model.add(place, w * residual + v)
        self.model_gain.add(place, (w - 1.0) * residual + v_gain)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.reward_low,
            self.reward_high,
            self.weights + other.weights,
            self.model + other.model,
            self.model_gain + other.model_gain,
        )

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        tallies = {name: getattr(self, name).state() for name in TALLIES}
        return {"bounds": np.array([self.reward_low, self.reward_high]), **nested(tallies)}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        low, high = state["bounds"].tolist()
        return cls(low, high, *(Tally.from_state(inner(state, name)) for name in TALLIES))


def scaled(reward: FloatArray, low: float, high: float) -> FloatArray:
    """Rewards counted from ``low`` on, in units of ``high`` - ``low``."""
    return (reward - low) / (high - low)


def add_by_reward(tally: Tally, values: FloatArray, reward: FloatArray, place: IntArray) -> None:
    """Count values by class of context and reward, in shares that keep the mean reward."""
    # Rounding must not carry a reward at its bound over it.
    at = (reward * REWARD_STEPS).clip(0.0, REWARD_STEPS)
    lower = np.floor(at)
    share = at - lower
    key = place * (REWARD_STEPS + 1) + lower.astype(np.int64)
    between = share > 0.0
    if not between.any():
        tally.add(key, values)
        return
    tally.add(key, values, 1.0 - share)
    tally.add(key[between] + 1, values[between], share[between])


def value_limits(
    bets: RowBets, confidence: float, *, largest_weight: float | None = None, longest: int = 1
) -> Limits:
    """Limits of the value, for all times together.

    Parameters
    ----------
    bets
        what was counted.
    confidence
        probability that the value is never outside the limits, however often they are looked at.
    largest_weight
        see :func:`authopt.evaluation.betting.betting.lower_limit`.
    longest
        most rows of a cluster, within which rows depend on each other; fixed beforehand. Each
        row's factor then counts with the power 1 / ``longest``: as a geometric mean is no larger
        than an arithmetic one, (1 + d_1) ... (1 + d_m) to that power is at most
        1 + (d_1 + ... + d_m) / ``longest`` for m <= ``longest``, whatever the dependence. The
        limits hold when all clusters are complete.

    Returns
    -------
    (float, float)
        within the bounds of the reward, and the bounds themselves if no value fits the log: its
        propensities are wrong, or an event of probability 1 - ``confidence`` has happened.
    """
    lower, upper = value_ends(bets, confidence, largest_weight, longest)
    return (lower, upper) if lower <= upper else (bets.reward_low, bets.reward_high)


def gain_limits(
    bets: RowBets, confidence: float, *, largest_weight: float | None = None, longest: int = 1
) -> Limits:
    """Limits of the value less the logging policy's, for all times together.

    Parameters and limits as in :func:`value_limits`; a gain is within plus or minus the span of
    the rewards.
    """
    lower, upper = gain_ends(bets, confidence, largest_weight, longest)
    span = bets.reward_high - bets.reward_low
    return (lower, upper) if lower <= upper else (-span, span)


def value_ends(
    bets: RowBets, confidence: float, largest_weight: float | None, longest: int
) -> Limits:
    """As :func:`value_limits`, but the lower end is above the upper one if no value fits."""
    variates = [Variate(c, -c) for c in CONSTANTS]
    lower, upper = _ends(
        bets,
        bets.model,
        variates,
        lambda w, r, c: w * (r - c) + c,
        0.0,
        (1.0 - confidence) / 2.0,
        largest_weight,
        longest,
    )
    span = bets.reward_high - bets.reward_low
    return bets.reward_low + span * lower, bets.reward_low + span * upper


def gain_ends(
    bets: RowBets, confidence: float, largest_weight: float | None, longest: int
) -> Limits:
    """As :func:`gain_limits`, but the lower end is above the upper one if no gain fits."""
    variates = [Variate(c, -c - 1.0) for c in CONSTANTS]
    lower, upper = _ends(
        bets,
        bets.model_gain,
        variates,
        lambda w, r, c: 1.0 + (w - 1.0) * (r - c),
        1.0,
        (1.0 - confidence) / 2.0,
        largest_weight,
        longest,
    )
    span = bets.reward_high - bets.reward_low
    return span * lower, span * upper


def _ends(
    bets: RowBets,
    model: Tally,
    variates: list[Variate],
    score: Callable[[FloatArray, FloatArray, float], FloatArray],
    shift: float,
    alpha: float,
    largest_weight: float | None,
    longest: int,
) -> Limits:
    """Limits of what scores less ``shift`` have as their mean, rewards being scaled to [0, 1].

    ``score`` takes weights, rewards and a control variate's constant; with 1 less the rewards, its
    mean is 1 less what is in question.
    """
    reading = Reading(largest_weight)
    by_model = reading.points(model)
    by_weight = {
        largest: flat(points)
        for largest, points in reading.points(bets.weights, REWARD_STEPS + 1).items()
    }
    if by_model:
        variates = [*variates, Variate(1.0, 0.0)]

    def limit(mirrored: bool) -> float:
        groups = []
        for largest, (w, reward, rows) in by_weight.items():
            r, count = 1.0 - reward if mirrored else reward, rows / longest
            controlled = [Scores.of(score(w, r, c), count) for c in CONSTANTS]
            if by_model:
                d, times = by_model.get(largest, {0: (w[:0], w[:0])})[0]
                d = 1.0 - d if mirrored else shift + d
                controlled.append(Scores.of(d, times / longest))
            groups.append(Group(largest, Scores.of(score(w, r, 0.0), count), tuple(controlled)))
        return lower_limit(
            groups, variates, alpha, 0.0, 1.0 + shift, largest_weight=reading.largest_weight
        )

    return limit(mirrored=False) - shift, 1.0 - limit(mirrored=True)


def flat(by_reward: dict[int, Points]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values, rewards and counts out of points by multiple of 1 / ``REWARD_STEPS``."""
    rewards = [np.full(len(x), step / REWARD_STEPS) for step, (x, _) in by_reward.items()]
    values, counts = zip(*by_reward.values(), strict=True)
    return np.concatenate(values), np.concatenate(rewards), np.concatenate(counts)
