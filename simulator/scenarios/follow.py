"""Let policies act in a stage and add up, bin by bin of time, what they did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray, LoggedBatch, concat
from authopt.policies.protocol import LearningPolicy, Policy
from simulator.live import simulate_live
from simulator.scenarios.contenders import Contender
from simulator.scenarios.scenario import Series, Stage
from simulator.simulate import simulate

ROWS = 8_000
"""Decisions that are added up at a time; a slot alone would be too few for its fixed costs."""

_COLUMNS = ("decisions", "attempts", "approved", "first", "first_approved", "expected", "best")


def follow(stage: Stage, contenders: Sequence[Contender]) -> tuple[Series, ...]:
    """The series of every policy in every group of the stage."""
    return tuple(series for each in contenders for series in follow_one(stage, each))


def follow_one(
    stage: Stage,
    contender: Contender,
    watch: Callable[[LoggedBatch], None] | None = None,
) -> tuple[Series, ...]:
    """The series of one policy, a group after the other.

    Parameters
    ----------
    stage, contender
        where, and who acts.
    watch
        is shown every batch too.
    """
    tallies = [_Tally(stage) for _ in stage.groups]
    for batch in _gathered(batches_of(stage, contender)):
        chance = stage.world.approval_probability(batch)
        if watch is not None:
            watch(batch)
        for tally, rows_of in zip(tallies, stage.groups.values(), strict=True):
            tally.add(batch, chance, np.flatnonzero(rows_of(batch)))
    return tuple(
        tally.series(contender.label, group)
        for tally, group in zip(tallies, stage.groups, strict=True)
    )


def batches_of(stage: Stage, contender: Contender) -> Iterator[LoggedBatch]:
    """The log of a policy in a stage, by time, up to the end of the traffic."""
    starts = stage.bin_starts
    end = starts[-1] + np.timedelta64(stage.bin_s, "s")
    for batch in _acting(stage, contender.policy):
        if not batch.n:
            continue
        if batch.decided_at[0] >= end:
            return
        cut = int(np.searchsorted(batch.decided_at, end))
        yield batch if cut == batch.n else batch.take(slice(0, cut))


def _acting(stage: Stage, policy: Policy) -> Iterator[LoggedBatch]:
    world, traffic, rules = stage.world, stage.traffic, stage.rules
    if isinstance(policy, LearningPolicy):
        return simulate_live(world, traffic, policy, rules=rules, slot_s=stage.slot_s)
    # The same rows, without the price of many slots.
    return simulate(world, traffic, policy, rules=rules)


def _gathered(batches: Iterator[LoggedBatch]) -> Iterator[LoggedBatch]:
    waiting: list[LoggedBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.n
        if rows >= ROWS:
            yield concat(waiting)
            waiting, rows = [], 0
    if waiting:
        yield concat(waiting)


class _Tally:
    """Sums of one policy in one group."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.starts = stage.bin_starts
        self.routes = tuple(stage.world.route_names)
        bins = len(self.starts)
        self.sums = np.zeros((len(_COLUMNS), bins))
        self.by_route = np.zeros((bins, len(self.routes)))
        self.eligible = np.zeros((bins, len(self.routes)))
        self.measures = {name: np.zeros(bins) for name in stage.measures}

    def add(self, batch: LoggedBatch, chance: FloatArray, rows: IntArray) -> None:
        """Decisions of a batch at these places; ``chance`` is float64[m], of the whole batch."""
        if not len(rows):
            return
        bins = len(self.starts)
        seconds = (batch.decided_at - self.starts[0]).astype("m8[s]").astype(np.int64)
        at = np.clip(seconds // self.stage.bin_s, 0, bins - 1)[rows]
        assert batch.probability is not None
        made = (~batch.is_stop[batch.chosen_action])[rows]
        approved = np.nan_to_num(np.asarray(batch.outcome["approved"], np.float64))[rows]
        first = made & (batch.attempt[rows] == 1)
        expected = batch.sum_by_decision(batch.probability * chance)[rows]
        best = np.maximum.reduceat(chance, batch.offsets[:-1])[rows]
        columns = (np.ones(len(rows)), made, approved, first, first * approved, expected, best)
        for place, column in enumerate(columns):
            self.sums[place] += np.bincount(at, column, bins)
        self._routes(batch, rows, at, made)
        for name, measure in self.stage.measures.items():
            self.measures[name] += np.bincount(at, measure(batch)[rows], bins)

    def _routes(self, batch: LoggedBatch, rows: IntArray, at: IntArray, made: BoolArray) -> None:
        known = {name: place for place, name in enumerate(self.routes)}
        place = np.array([known.get(name, -1) for name in batch.routes], np.int64)
        size = len(self.routes)
        taken = place[batch.action_route[batch.chosen_action[rows]]]
        cells = (at * size + taken)[made]
        self.by_route += np.bincount(cells, minlength=self.by_route.size).reshape(-1, size)
        bin_of = np.full(batch.n, -1, np.int64)
        bin_of[rows] = at
        route = place[batch.action_route]
        of = batch.decision_of_action
        offered = np.unique((of * size + route)[(route >= 0) & (bin_of[of] >= 0)])
        cells = bin_of[offered // size] * size + offered % size
        self.eligible += np.bincount(cells, minlength=self.eligible.size).reshape(-1, size)

    def series(self, policy: str, group: str) -> Series:
        named = dict(zip(_COLUMNS, self.sums, strict=True))
        return Series(
            policy=policy,
            group=group,
            routes=self.routes,
            by_route=self.by_route,
            eligible=self.eligible,
            measures=self.measures,
            **named,
        )
