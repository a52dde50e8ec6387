"""Outcomes that come late or get lost: how much the rows that have one must count for the others.

At the end of a log some outcomes have not come yet, and some never will. To judge by the rows that
have an outcome is to judge by those that answer fast: routes that answer late, or lose answers,
count too little. A row whose outcome came after d is given the weight

    1 / (K(d) M),

K(d) being the share of the attempts of its stratum that were waited for at least as long, and M the
share of outcomes that come within the wait W at all. K undoes the end of the log, also where the
outcome itself tells when it comes (declines are fast, say): Robins & Rotnitzky, 'Recovery of
Information and Adjustment for Dependent Censoring Using Surrogate Markers', 1992, section 3. M is
read off the Kaplan-Meier curve, which counts those that are still waited for, and undoes loss that
is at random within the stratum. Delays of feedback in bandits: Vernade, Cappe & Perchet,
'Stochastic Bandit Models for Delayed Conversions', UAI 2017.

Curves are estimated without the payments of the row's own fold. Where loss may depend on the lost
outcome itself, nothing at random is assumed: the lost rows are then kept, and given the worst and
the best reward in turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from authopt.batch import BoolArray, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.late.curves import Curves
from authopt.evaluation.late.follow_up import CAME, OPEN, FollowUpSums, follow_up, last_time

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}

FLOOR = 0.05
"""Least probability of having an outcome: no row stands for more than 20."""


@dataclass(frozen=True, slots=True, eq=False)
class RowWeights:
    """How much each of n rows counts.

    Attributes
    ----------
    weights
        float64[n]; 0 for rows that do not count.
    floored
        bool[n], rows whose weight was held down.
    lost
        bool[n], rows without an outcome that count nevertheless (never, where loss is at random).
    """

    weights: FloatArray
    floored: BoolArray
    lost: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class CensoringModel:
    """How much rows with an outcome count, so that they stand for those without.

    Attributes
    ----------
    as_of, wait_s, floor
        as in :func:`censoring_model`.
    timed
        whether the log says when outcomes came; if not, attempts count that were waited for.
    curves
        when outcomes come, and how many are lost.
    largest
        weight that a row can have at most.
    """

    as_of: np.datetime64
    wait_s: float
    floor: float
    timed: bool
    curves: Curves
    largest: float

    def completed(self, batch: LoggedBatch, lost: float | None = None) -> LoggedBatch:
        """The batch with rewards that make up for outcomes that are late or lost.

        A reward r of weight c becomes m + c (r - m), m being the mean reward known in its stratum;
        an outcome that has not come becomes m. Given context and action its mean is that of r, so
        that every estimator works on it as it is (augmented inverse probability weighting: Robins,
        Rotnitzky & Zhao, 'Estimation of Regression Coefficients When Some Regressors Are Not
        Always Observed', JASA 89, 1994). Rewards then lie within :meth:`bounds`.

        Parameters
        ----------
        batch
            n decisions; an outcome is unknown where the reward is NaN. It still is where a row
            does not count.
        lost
            reward that lost outcomes count with; None where they are lost at random.
        """
        found = self.weights(batch, lost_at_random=lost is None)
        centre = self.curves.centre[self.curves.places(batch)]
        reward = batch.reward if lost is None else np.where(found.lost, lost, batch.reward)
        pseudo = centre + found.weights * (np.where(found.weights > 0.0, reward, centre) - centre)
        if not self.timed:
            pseudo[follow_up(batch, self.as_of).waited_s < self.wait_s] = np.nan
        return replace(batch, reward=pseudo)

    def bounds(self, low: float, high: float) -> tuple[float, float]:
        """What rewards between ``low`` and ``high`` lie between once they are completed."""
        return high - self.largest * (high - low), low + self.largest * (high - low)

    def weights(self, batch: LoggedBatch, *, lost_at_random: bool = True) -> RowWeights:
        """The weights of n rows: how many decisions each stands for.

        Parameters
        ----------
        batch
            n decisions; an outcome is unknown where the reward is NaN.
        lost_at_random
            whether a lost outcome is like those of its stratum that were not lost. If not, rows
            that were waited for in vain count too.
        """
        found = follow_up(batch, self.as_of)
        place = self.curves.places(batch)
        delay_s = found.age_s - found.waited_s
        waited = found.waited_s >= self.wait_s
        share = np.ones(batch.n)
        if self.timed:
            came = np.where(found.known, np.nan_to_num(found.came_after_s), np.inf)
            # Who has no outcome, or a late one, is known for it only once the wait is over.
            share = self.curves.share_aged(place, delay_s + np.minimum(came, self.wait_s))
            counts = found.known & (came <= self.wait_s)
        else:
            counts = found.known & waited
        lost = np.zeros(batch.n, np.bool_)
        if lost_at_random:
            share = share * self.curves.complete[place]
        else:
            counts |= waited
            lost = waited & ~found.known
        weights = np.where(counts, 1.0 / np.maximum(share, self.floor), 0.0)
        return RowWeights(weights, counts & (share < self.floor), lost)


def parse_wait(text: str) -> float:
    """Seconds of a wait such as ``90min``, ``72h`` or ``10d``.

    Raises
    ------
    UserError
        If the text is no such wait.
    """
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(s|min|h|d)", text.strip())
    if not found or not float(found[1]):
        raise UserError(
            f"{text!r} is no wait; expected a number and a unit, such as 90min, 72h, 10d"
        )
    return float(found[1]) * _SECONDS[found[2]]


def fit_censoring(
    read: Callable[[], Iterable[LoggedBatch]],
    wait_s: float,
    *,
    as_of: np.datetime64 | None = None,
    by: tuple[str, ...] = (),
    floor: float = FLOOR,
    seed: int = 0,
) -> tuple[CensoringModel, FollowUpSums]:
    """Read a log and estimate when its outcomes come.

    Parameters
    ----------
    read
        gives the batches of the log from its beginning; it is called twice without ``as_of``.
    wait_s, floor
        as in :func:`censoring_model`.
    as_of
        when the log was written; by default its last decision or outcome.
    by
        columns that outcomes may be late or lost by, besides route, delay and attempt.
    seed
        of the folds.

    Raises
    ------
    UserError
        As :func:`censoring_model`, and if the log is empty or has no such column.
    """
    sums = FollowUpSums(last_time(read()) if as_of is None else as_of, by, seed)
    for batch in read():
        sums.add(batch)
    return censoring_model(sums, wait_s, floor=floor), sums


def censoring_model(
    sums: FollowUpSums, wait_s: float, *, floor: float = FLOOR, timed: bool | None = None
) -> CensoringModel:
    """Estimate when outcomes come.

    Parameters
    ----------
    sums
        of the whole log.
    wait_s
        seconds from an attempt after which an outcome that has not come counts as lost.
    floor
        least probability of having an outcome that a weight is made of, above 0.
    timed
        whether to go by the times of outcomes; by default where the log has them for nearly all.
        Where the log lacks no outcome, every row counts once.

    Raises
    ------
    UserError
        If the wait or the floor is out of range, or no outcome came within the wait.
    """
    if not 0.0 < wait_s < np.inf:
        raise UserError(f"the wait is {wait_s} seconds; expected a number above 0")
    if not 0.0 < floor <= 1.0:
        raise UserError(f"the floor is {floor}; expected a probability above 0 and at most 1")
    whole = sums.counts.sums.sum(axis=(0, 1))
    known = float(whole[CAME])
    if timed is None:
        timed = sums.untimed <= 0.01 * known
    if not known:
        raise UserError("no decision of the log has an outcome; there is nothing to learn from")
    curves = Curves.of(sums, wait_s, timed)
    if not whole[OPEN]:
        return CensoringModel(sums.as_of, np.inf, floor, True, curves.uncensored(), 1.0)
    share = curves.complete
    if timed:
        longest = np.full(len(share), wait_s + sums.longest_delay_s)
        share = share * curves.share_aged(np.arange(len(share)), longest)
    largest = 1.0 / max(floor, float(share.min()))
    return CensoringModel(sums.as_of, wait_s, floor, timed, curves, largest)
