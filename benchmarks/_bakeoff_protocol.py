"""From classification to a bandit, and what a learner lost (Bietti, Agarwal and Langford, 2021).

The protocol is that of "A Contextual Bandit Bake-off", JMLR 22(133), section 4: a set is shuffled
and gone through once; in every round the learner sees the features, picks a class, and is told
whether it was right. The progressive loss is the share of rounds in which it was wrong. A learner
is better than another on a set when a z-test of the two shares says so at 5%.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks._bakeoff_data import Problem

SIGNIFICANCE = 0.05


class Learner(Protocol):
    """What plays a problem: it picks, and learns from what it picked."""

    def pick(self, features: NDArray[np.float64], draw: float) -> tuple[int, float, float]:
        """Pick a class.

        Parameters
        ----------
        features
            float64[d].
        draw
            uniform on 0..1, the round's own: for learners that give probabilities.

        Returns
        -------
        tuple of int, float and float
            the class, its probability, and the least probability of a class; NaN where the learner
            does not know them.
        """

    def learn(
        self, features: NDArray[np.float64], action: int, loss: float, probability: float
    ) -> None:
        """Learn from a round: the loss, 0 or 1, of the class that was picked."""


@dataclass(frozen=True, slots=True)
class Played:
    """A problem played once.

    Attributes
    ----------
    loss
        progressive loss, 0 to 1.
    least
        the smallest probability that any class had in any round; NaN if the learner gives none.
    rounds
        number of rounds.
    seconds
        wall clock.
    """

    loss: float
    least: float
    rounds: int
    seconds: float


def play(problem: Problem, learner: Learner, *, seed: int, rounds: int) -> Played:
    """Play the first ``rounds`` rows of the problem, shuffled by ``seed``.

    All learners meet the same rows in the same order with the same draws.
    """
    random = np.random.default_rng([seed, len(problem.labels)])
    order = random.permutation(len(problem.labels))[:rounds]
    draws = random.random(len(order))
    wrong, smallest = 0, np.inf
    started = time.perf_counter()
    for row, draw in zip(order.tolist(), draws.tolist(), strict=True):
        features = problem.features[row]
        action, probability, least = learner.pick(features, draw)
        loss = float(action != problem.labels[row])
        learner.learn(features, action, loss, probability)
        wrong += int(loss)
        smallest = min(smallest, least) if least == least else np.nan
    seconds = time.perf_counter() - started
    return Played(wrong / len(order), float(smallest), len(order), seconds)


def drawn(probabilities: list[float], draw: float) -> int:
    """The class that a uniform draw falls on; the probabilities sum to 1 up to rounding."""
    below = 0.0
    for action, probability in enumerate(probabilities):
        below += probability
        if draw < below:
            return action
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def better(first: float, second: float, rounds: int) -> bool:
    """Whether the first loss is significantly smaller than the second one, each over ``rounds``."""
    spread = np.sqrt((first * (1.0 - first) + second * (1.0 - second)) / rounds)
    if spread == 0.0:
        return first < second
    return bool(stats.norm.sf((second - first) / spread) < SIGNIFICANCE)
