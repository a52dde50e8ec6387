"""Everything that one pass of a replay keeps of the log, over all repetitions.

Rewards and terms are counted from the lowest reward on, in units of the range of rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.replay.result import Method
from authopt.evaluation.replay.run import Followed
from authopt.evaluation.replay.sums import BASES, CapitalSums, CurveSums, RatioSums


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """What was asked for; see :func:`authopt.evaluation.replay.replay.replay`.

    ``quantile`` is None where ``max_weight`` is given, and the other way round.
    """

    method: Method
    reward: str
    reward_low: float
    reward_high: float
    reward_currency: str | None
    max_weight: float | None
    quantile: float | None
    update_every: int
    confidence: float
    reward_model: str | None
    path: Path | None

    @property
    def span(self) -> float:
        """Largest possible difference between two rewards."""
        return self.reward_high - self.reward_low

    def reward_of(self, share: float) -> float:
        """A share of the range as a reward."""
        return self.reward_low + self.span * share


@dataclass(slots=True)
class RunTotals:
    """Sums over the rows of one repetition; c is the multiplier, w the importance weight.

    Attributes
    ----------
    c, c_term
        of c, and of c times the doubly robust term.
    accepted, earned
        accepted rows, and the sum of their rewards.
    c_excess, c_unsupported
        of c times the mass that rejection cannot bring out, and times that without support.
    cw, cw_squared, spread
        of c * w, of its square, and of c^2 (w - 1)^2.
    """

    c: float = 0.0
    c_term: float = 0.0
    accepted: float = 0.0
    earned: float = 0.0
    c_excess: float = 0.0
    c_unsupported: float = 0.0
    cw: float = 0.0
    cw_squared: float = 0.0
    spread: float = 0.0

    def add(self, part: Followed, earned: FloatArray, term: FloatArray) -> None:
        """Add n rows; ``earned`` and ``term`` are float64[n], in units of the range."""
        c, w = part.multiplier, part.weight
        self.c += float(c.sum())
        self.c_term += float(c @ term)
        self.accepted += float(part.accepted.sum())
        self.earned += float(part.accepted @ earned)
        self.c_excess += float(c @ part.excess)
        self.c_unsupported += float(c @ part.unsupported)
        self.cw += float(c @ w)
        self.cw_squared += float(((c * w) ** 2).sum())
        self.spread += float(((c * (w - 1.0)) ** 2).sum())


@dataclass(slots=True, eq=False)
class Replayed:
    """Sums of a replay over the rows of the log.

    The two ratios add the repetitions up row by row before they square, so that what repetitions
    share (a row's outcome) is not counted as if it had been seen several times.

    Attributes
    ----------
    settings
        what was asked for.
    runs, curves
        of each repetition.
    rejection, dr
        numerator and denominator of the two estimates.
    logged_capital, accepted_capital, dr_capital, gain_capital
        for the betting limits of the mean logged reward, of the two values, and of the doubly
        robust gain, which counts from -1 in units of twice the range; the latter two only where
        the weights have a bound.
    rows, retries, first, last
        of the log.
    first_multiplier
        the c that the replay started with.
    support_known
        whether the log has the probability of every eligible action.
    """

    settings: ReplaySettings
    runs: list[RunTotals]
    curves: list[CurveSums]
    dr_capital: CapitalSums
    gain_capital: CapitalSums
    logged_capital: CapitalSums = field(default_factory=lambda: CapitalSums(BASES))
    accepted_capital: CapitalSums = field(default_factory=lambda: CapitalSums(BASES))
    rejection: RatioSums = field(default_factory=RatioSums)
    dr: RatioSums = field(default_factory=RatioSums)
    rows: int = 0
    retries: int = 0
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    first_multiplier: float = 1.0
    support_known: bool = True

    @classmethod
    def empty(cls, settings: ReplaySettings, repetitions: int) -> Replayed:
        """Of no rows."""
        largest = settings.max_weight or 1.0
        return cls(
            settings=settings,
            runs=[RunTotals() for _ in range(repetitions)],
            curves=[CurveSums() for _ in range(repetitions)],
            # A term is at least the lowest reward less the largest weight times the range.
            dr_capital=CapitalSums(np.asarray(BASES + largest)),
            gain_capital=CapitalSums(np.asarray(BASES + 0.5 * largest)),
        )

    def add(self, batch: LoggedBatch, arrays: LoggedArrays, followed: Sequence[Followed]) -> None:
        """Add n rows with what each repetition made of them."""
        self.rows += batch.n
        self.retries += int((batch.attempt > 1).sum())
        self.first = batch.decided_at[0] if self.first is None else self.first
        self.last = batch.decided_at[-1]
        self.support_known &= arrays.probability is not None
        low, span = self.settings.reward_low, self.settings.span
        earned = (arrays.reward - low) / span
        self.logged_capital.add(earned, earned)
        accepted, multiplier, c_terms = np.zeros((3, batch.n))
        for part, run, curve in zip(followed, self.runs, self.curves, strict=True):
            term = (part.term - low) / span
            run.add(part, earned, term)
            accepted += part.accepted
            multiplier += part.multiplier
            c_terms += part.multiplier * term
            if self.settings.method is Method.DR:
                curve.add(part.before, part.multiplier * term, part.multiplier)
            else:
                curve.add(part.before, part.accepted * earned, part.accepted)
            outcome = earned[part.accepted > 0.0]
            self.accepted_capital.add(outcome, outcome)
            if self.settings.max_weight is not None:
                worst, best = (part.worst - low) / span, (part.best - low) / span
                self.dr_capital.add(worst, best)
                self.gain_capital.add(0.5 * (worst - earned + 1.0), 0.5 * (best - earned + 1.0))
        self.rejection.add(accepted * earned, accepted, earned)
        self.dr.add(c_terms, multiplier, earned)
