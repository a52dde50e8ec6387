"""A lower limit of the gain that holds at all times together, whatever the world does meanwhile.

What it bounds is the mean gain over the decision points that arose so far, which may change from
one to the next and depend on what came before, as that of a retry depends on the attempt before it.
So it needs no independent payments and no world that stands still; the interval by betting
(``authopt.evaluation.betting``) needs both, and is tighter where payments have one attempt.

With rewards scaled to [0, 1], a the candidate's weight and b the live policy's, the score

    s = (a - b) (r - c)

has at any decision point the gain there as its mean, for any c that the past determines: the
weights have the same mean. Where a has the mass u without support and b the mass v, s + c (v - u)
- v has a mean of at most the gain: the actions that the log never takes count as worthless for the
candidate and as certain for the live policy. As c, the mean of the rewards before is taken.

The limit is the empirical Bernstein one with the gamma-exponential mixture: for scores of at least
-k and guesses g in [0, 1] made by the past, the sum of the scores less their means is
sub-exponential with scale g + k and intrinsic time sum (s - g)^2 (Howard, Ramdas, McAuliffe &
Sekhon, Annals of Statistics 49, 2021, theorem 4; for scores that are importance weighted:
Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro, arXiv 2210.10768, section 3; as a gate of
deployment: Karampatziakis, Mineiro & Ramdas, 'Off-policy confidence sequences', ICML 2021, and
Thomas, Theocharous & Ghavamzadeh, 'High confidence off-policy improvement', ICML 2015, with limits
for a fixed log). The guess here is 0: a gate compares policies that are close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.betting.boundaries import best_rho, gamma_exponential_bound
from authopt.evaluation.betting.confidence_sequences import USUAL_TIME
from authopt.evaluation.terms import Terms

BLOCK = 1_000
"""Decisions for which the same c serves: those before the block have determined it."""

FIRST_GUESS = 0.5


@dataclass(slots=True)
class GainSequence:
    """Sums along the log, in its order, that the limit is read from.

    Attributes
    ----------
    low, high
        bounds of the reward.
    rows, reward
        decisions so far, and the sum of their scaled rewards.
    guess
        c of the block that is being filled.
    total, time
        sum of the scores, and of their squares.
    largest
        largest weight that an action could have had, of either policy; infinite where the log does
        not say.
    """

    low: float
    high: float
    rows: int = 0
    reward: float = 0.0
    guess: float = FIRST_GUESS
    total: float = 0.0
    time: float = 0.0
    largest: float = 1.0

    def add(self, candidate: Terms, live: Terms) -> None:
        """Take in decisions, which come after those before, with both policies' terms."""
        n = len(candidate.r)
        r = (candidate.r - self.low) / (self.high - self.low)
        difference = _weights(candidate) - _weights(live)
        u, v = _missing(candidate), _missing(live)
        start = 0
        while start < n:
            if self.rows % BLOCK == 0 and self.rows:
                self.guess = self.reward / self.rows
            # Blocks run on over the ends of chunks, so that the limit does not depend on these.
            rows = slice(start, start + BLOCK - self.rows % BLOCK)
            c = self.guess
            score = difference[rows] * (r[rows] - c) + c * (v[rows] - u[rows]) - v[rows]
            self.rows += len(score)
            self.reward += float(r[rows].sum())
            self.total += float(score.sum())
            self.time += float(np.square(score).sum())
            start += len(score)
        self.largest = max(self.largest, candidate.largest_weight, live.largest_weight)

    def lower(self, alpha: float, largest_weight: float | None = None) -> float:
        """Limit which the mean gain is ever below with a probability of at most ``alpha``.

        Parameters
        ----------
        alpha
            in (0, 1/2).
        largest_weight
            as declared beforehand; by default the largest that the contexts of the log allow.

        Returns
        -------
        float
            in units of the reward, from -span on; that where the log does not bound the weights.
        """
        span = self.high - self.low
        largest = self.largest if largest_weight is None else largest_weight
        if not self.rows or not np.isfinite(largest):
            return -span
        # s >= -largest, and what stands for mass without support takes at most 1 more.
        scale = largest + 1.0
        rho = best_rho(USUAL_TIME, alpha)
        limit = (self.total - gamma_exponential_bound(self.time, alpha, rho, scale)) / self.rows
        return span * max(-1.0, limit)


def _weights(terms: Terms) -> FloatArray:
    return np.ones(len(terms.r)) if terms.w is None else terms.w


def _missing(terms: Terms) -> FloatArray:
    return np.zeros(len(terms.r)) if terms.unsupported is None else terms.unsupported
