"""How long outcomes took to come, and how long the log waited for them: counts that merge.

Times count from the attempt (the decision plus the delay of its action): until its outcome came,
and until the log ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.block import State, inner, nested
from authopt.evaluation.labelled import LabelledSums, sums_by
from authopt.evaluation.segment_values import segments_of
from authopt.features.folds import fold_of

FOLDS = 5
PER_OCTAVE = 16
EDGES_S = 2.0 ** (np.arange(26 * PER_OCTAVE + 1) / PER_OCTAVE)
"""Inner edges of the bins of a time, 1 s to two years; what is below 0 has a bin of its own."""

BINS = len(EDGES_S) + 2

CAME, OPEN, WAITED, AGED = range(4)
"""Columns of the counts: outcomes by when they came; attempts whose outcome has not come, by how
long it was waited for; all attempts, by how long was waited; all of them, by how long ago the
decision was (its action may have been to wait)."""

SEPARATOR = "\x1f"
_DELAY_BANDS_S = (0, 3_600, 86_400, 7 * 86_400)


@dataclass(frozen=True, slots=True, eq=False)
class FollowUp:
    """Of n decisions.

    Attributes
    ----------
    age_s, waited_s
        float64[n], seconds from the decision, and from the attempt, to the end of the log; below 0
        where it was still to come.
    came_after_s
        float64[n], seconds from the attempt to its outcome; NaN where there is no outcome, and
        where the log does not say when it came.
    known
        bool[n], whether there is an outcome.
    """

    age_s: FloatArray
    waited_s: FloatArray
    came_after_s: FloatArray
    known: BoolArray


def follow_up(batch: LoggedBatch, as_of: np.datetime64) -> FollowUp:
    """When outcomes came, by ``outcome_at`` or else by ``latency_ms``.

    Parameters
    ----------
    batch
        n decisions; an outcome is unknown where the reward is NaN.
    as_of
        when the log was written: what came later is not in it.
    """
    delay_s = batch.action_delay_s[batch.chosen_action].astype(np.float64)
    age_s = (as_of - batch.decided_at) / np.timedelta64(1, "s")
    known = ~np.isnan(batch.reward)
    came = np.full(batch.n, np.nan)
    latency = batch.outcome.get("latency_ms")
    if latency is not None:
        came = np.asarray(latency, np.float64) / 1000.0
    at = batch.outcome.get("outcome_at")
    if at is not None:
        since = (np.asarray(at) - batch.decided_at) / np.timedelta64(1, "s") - delay_s
        came = np.where(np.isnan(since), came, since)
    # Nothing is waited for where the payment was given up; clocks may differ a little.
    came = np.where(batch.is_stop[batch.chosen_action], 0.0, np.maximum(came, 0.0))
    return FollowUp(age_s, age_s - delay_s, np.where(known, came, np.nan), known)


def bin_of(seconds: FloatArray) -> IntArray:
    """int64[n], the bin of each time."""
    return np.where(seconds < 0.0, 0, 1 + np.searchsorted(EDGES_S, seconds, side="right"))


def last_time(batches: Iterable[LoggedBatch]) -> np.datetime64:
    """The latest decision or outcome of a log: the earliest time it can have been written at.

    Raises
    ------
    UserError
        If the log is empty.
    """
    latest: list[np.datetime64] = []
    for batch in batches:
        for times in (batch.decided_at, batch.outcome.get("outcome_at")):
            known = None if times is None else np.asarray(times)[~np.isnat(np.asarray(times))]
            if known is not None and len(known):
                latest.append(known.max())
    if not latest:
        raise UserError("the log holds no decisions, so there is no time that it ends at")
    return np.datetime64(max(latest))


def strata_of(batch: LoggedBatch, by: tuple[str, ...]) -> tuple[IntArray, list[str]]:
    """Groups of decisions whose outcomes may come at different times, or get lost.

    By attempt (first or later), delay of the action, the columns ``by``, and route.

    Returns
    -------
    int64[n], list of str
        the stratum of each decision, and their names: the finest part, the route, comes last.
    """
    route = batch.action_route[batch.chosen_action].astype(np.int64)
    delay = batch.action_delay_s[batch.chosen_action]
    band = np.searchsorted(_DELAY_BANDS_S, delay)
    later = (batch.attempt > 1).astype(np.int64)
    if by:
        codes, labels = segments_of(batch, "+".join(by))
    else:
        codes, labels = np.zeros(batch.n, np.int64), ("",)
    bands = len(_DELAY_BANDS_S) + 1
    whole = ((later * bands + band) * len(labels) + codes) * len(batch.routes) + route
    used, place = np.unique(whole, return_inverse=True)
    sizes = (2, bands, len(labels), len(batch.routes))
    names = []
    for at in zip(*np.unravel_index(used, sizes), strict=True):
        parts = (str(at[0]), str(at[1]), labels[int(at[2])], batch.routes[int(at[3])])
        names.append(SEPARATOR.join(parts))
    return place, names


def kaplan_meier(table: FloatArray) -> FloatArray:
    """Share without an outcome at the end of each bin.

    Kaplan & Meier, 'Nonparametric Estimation from Incomplete Observations', JASA 53, 1958. Those
    whose waiting ends within a bin are at risk for half of it (the actuarial convention).

    Parameters
    ----------
    table
        float64[BINS, 4], counts.

    Returns
    -------
    float64[BINS]
    """
    at_risk = np.cumsum((table[:, CAME] + table[:, OPEN])[::-1])[::-1] - table[:, OPEN] / 2.0
    hazard = np.divide(table[:, CAME], at_risk, out=np.zeros(BINS), where=at_risk > 0.0)
    return np.asarray(np.cumprod(1.0 - np.minimum(hazard, 1.0)))


def share_complete(table: FloatArray, wait_s: float, timed: bool) -> float:
    """Share of outcomes that come within the wait, from counts (float64[BINS, 4]).

    Without the times of outcomes, by the attempts alone that were waited for.
    """
    last = int(bin_of(np.array([wait_s]))[0])
    if timed:
        return float(1.0 - kaplan_meier(table)[last])
    waited = table[last + 1 :, WAITED].sum()
    return float(1.0 - table[last + 1 :, OPEN].sum() / waited) if waited else 0.0


@dataclass(slots=True, eq=False)
class FollowUpSums:
    """Counts of outcomes and of waiting, by fold of payments and stratum.

    Parts of pieces of a log add up to those of the whole.

    Attributes
    ----------
    as_of
        when the log ends.
    by
        further columns that strata are formed by.
    seed
        of the folds.
    counts
        float64[bins, 4] by ``fold, stratum``; the columns are CAME, OPEN, WAITED and AGED.
    rewards
        float64[2] by ``fold, stratum``: known rewards, and their sum.
    untimed
        outcomes of which the log does not say when they came.
    longest_delay_s
        longest delay of an action that was taken.
    """

    as_of: np.datetime64
    by: tuple[str, ...] = ()
    seed: int = 0
    counts: LabelledSums = field(default_factory=lambda: LabelledSums((BINS, 4)))
    rewards: LabelledSums = field(default_factory=lambda: LabelledSums((2,)))
    untimed: int = 0
    longest_delay_s: float = 0.0

    def add(self, batch: LoggedBatch) -> None:
        """Add decisions, with and without an outcome."""
        if not batch.n:
            return
        found = follow_up(batch, self.as_of)
        timed = ~np.isnan(found.came_after_s)
        self.untimed += int((found.known & ~timed).sum())
        stratum, names = strata_of(batch, self.by)
        cell = fold_of(batch.payment_id, FOLDS, self.seed) * len(names) + stratum
        size = FOLDS * len(names)
        waited = bin_of(found.waited_s)
        sums = np.zeros((size, BINS, 4))
        # Where the log does not say when an outcome came, it counts as if it had come at once.
        came = np.where(timed, bin_of(np.nan_to_num(found.came_after_s)), 1)
        everything = np.ones(batch.n, np.bool_)
        for column, rows, bins in (
            (CAME, found.known, came),
            (OPEN, ~found.known, waited),
            (WAITED, everything, waited),
            (AGED, everything, bin_of(found.age_s)),
        ):
            key = cell[rows] * BINS + bins[rows]
            sums[:, :, column] = np.bincount(key, minlength=size * BINS).reshape(size, BINS)
        labels = [f"{fold}{SEPARATOR}{name}" for fold in range(FOLDS) for name in names]
        used = np.flatnonzero(sums.any(axis=(1, 2))).tolist()
        nothing = np.zeros((len(used), 0))
        self.counts.add([labels[at] for at in used], sums[used], nothing)
        rewards = np.stack([found.known, np.where(found.known, batch.reward, 0.0)])
        self.rewards.add([labels[at] for at in used], sums_by(cell, rewards, size)[used], nothing)
        self.longest_delay_s = max(
            self.longest_delay_s, float((found.age_s - found.waited_s).max())
        )

    def __add__(self, other: FollowUpSums) -> FollowUpSums:
        return FollowUpSums(
            self.as_of,
            self.by,
            self.seed,
            self.counts + other.counts,
            self.rewards + other.rewards,
            self.untimed + other.untimed,
            max(self.longest_delay_s, other.longest_delay_s),
        )

    def state(self) -> State:
        """All that is held, as plain arrays."""
        return {
            "as_of": np.array(self.as_of, "M8[us]"),
            "by": np.array(self.by, np.str_),
            "seed": np.array(self.seed),
            "untimed": np.array(self.untimed),
            "longest_delay_s": np.array(self.longest_delay_s),
            **nested({"counts": self.counts.state(), "rewards": self.rewards.state()}),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The sums that gave this state."""
        return cls(
            np.datetime64(state["as_of"].item(), "us"),
            tuple(state["by"].tolist()),
            int(state["seed"]),
            LabelledSums.from_state(inner(state, "counts")),
            LabelledSums.from_state(inner(state, "rewards")),
            int(state["untimed"]),
            float(state["longest_delay_s"]),
        )
