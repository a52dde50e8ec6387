"""When outcomes come and how many are lost, by stratum, without a row's own payments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.evaluation.labelled import LabelledSums
from authopt.evaluation.late.follow_up import (
    AGED,
    BINS,
    EDGES_S,
    FOLDS,
    SEPARATOR,
    FollowUpSums,
    bin_of,
    share_complete,
    strata_of,
)
from authopt.features.folds import fold_of

LEAST_ROWS = 200.0
"""Strata with fewer attempts share the curves of their route, or of all attempts."""

_LAST = "last"


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Curves by fold and stratum.

    Attributes
    ----------
    by, seed
        further columns of the strata, and the seed of the folds.
    strata
        place of each ``fold, stratum`` among the curves; what is missing has the last one.
    aged
        float64[curves, BINS + 1], share of decisions at least as old as the start of a bin.
    complete
        float64[curves], share of outcomes that come within the wait.
    centre
        float64[curves], mean of the known rewards.
    """

    by: tuple[str, ...]
    seed: int
    strata: dict[str, int]
    aged: FloatArray
    complete: FloatArray
    centre: FloatArray

    @classmethod
    def of(cls, sums: FollowUpSums, wait_s: float, timed: bool) -> Self:
        """The curves of a log in which some outcome is known."""
        groups, rewards = _groups(sums.counts), _groups(sums.rewards)
        known, total = rewards[_LAST].tolist()
        enough = [
            key
            for key, table in groups.items()
            if table[:, AGED].sum() >= LEAST_ROWS or key.endswith(_of_all(""))
        ]
        keys = [*enough, _LAST]
        aged = np.zeros((len(keys), BINS + 1))
        complete, centre = np.ones(len(keys)), np.full(len(keys), total / known)
        for place, key in enumerate(keys):
            table = groups[key]
            older = np.cumsum(table[::-1, AGED])[::-1]
            aged[place, :-1] = older / older[0]
            complete[place] = share_complete(table, wait_s, timed)
            if rewards[key][0]:
                centre[place] = rewards[key][1] / rewards[key][0]
        strata = {key: place for place, key in enumerate(keys)}
        return cls(sums.by, sums.seed, strata, aged, complete, centre)

    def uncensored(self) -> Self:
        """The curves where nothing is missing: every decision is old enough, no outcome is lost."""
        return replace(self, aged=np.ones_like(self.aged), complete=np.ones_like(self.complete))

    def places(self, batch: LoggedBatch) -> IntArray:
        """int64[n], the curve of each decision."""
        stratum, names = strata_of(batch, self.by)
        fold = fold_of(batch.payment_id, FOLDS, self.seed)
        table = [[self._place(str(at), name) for name in names] for at in range(FOLDS)]
        return np.asarray(np.array(table, np.int64)[fold, stratum])

    def _place(self, fold: str, name: str) -> int:
        route = name.rsplit(SEPARATOR, 1)[-1]
        for key in (f"{fold}{SEPARATOR}{name}", _of_route(fold, route), _of_all(fold)):
            if key in self.strata:
                return self.strata[key]
        return self.strata[_LAST]

    def share_aged(self, place: IntArray, seconds: FloatArray) -> FloatArray:
        """Share of decisions at least so old (float64[n]), within bins by a straight line."""
        at = bin_of(seconds)
        low = np.concatenate([[-1.0, 0.0], EDGES_S])[at]
        high = np.concatenate([[0.0], EDGES_S, [2.0 * EDGES_S[-1]]])[at]
        inside = np.clip((seconds - low) / (high - low), 0.0, 1.0)
        above, below = self.aged[place, at], self.aged[place, at + 1]
        return np.asarray(above + inside * (below - above))


def _groups(sums: LabelledSums) -> dict[str, FloatArray]:
    """Sums of all folds but one: by stratum, by route and of all; the last is of everything."""
    fine: dict[str, dict[int, FloatArray]] = {}
    for label, table in zip(sums.labels, sums.sums, strict=True):
        fold, _, name = label.partition(SEPARATOR)
        route = name.rsplit(SEPARATOR, 1)[-1]
        for key in dict.fromkeys((SEPARATOR + name, _of_route("", route), _of_all(""))):
            by_fold = fine.setdefault(key, {})
            by_fold[int(fold)] = by_fold.get(int(fold), 0.0) + table
    groups: dict[str, FloatArray] = {}
    for key, by_fold in fine.items():
        total = np.sum(list(by_fold.values()), axis=0)
        for held_out in range(FOLDS):
            table = total - by_fold.get(held_out, np.zeros_like(total))
            # With a single payment there is nothing out of fold.
            groups[f"{held_out}{key}"] = table if table.any() else total
    groups[_LAST] = np.sum(list(fine[_of_all("")].values()), axis=0)
    return groups


def _of_route(fold: str, route: str) -> str:
    return f"{fold}{SEPARATOR}route{SEPARATOR}{route}"


def _of_all(fold: str) -> str:
    return f"{fold}{SEPARATOR}all"
