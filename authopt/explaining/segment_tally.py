"""Sums of what two policies do, by the segments of one column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.segment_values import MOST_SEGMENTS
from authopt.explaining.behaviour import Movement, Segment
from authopt.rules.durations import duration

MOST_MOVEMENTS = 5
NOW = "now"


@dataclass(slots=True)
class Names:
    """Numbers of names, in order of appearance over chunks."""

    index: dict[str, int] = field(default_factory=dict)

    def places(self, names: Sequence[str]) -> IntArray:
        """int64[names], the number of each; new names get the next ones."""
        return np.array([self.index.setdefault(name, len(self.index)) for name in names], np.int64)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is known of the m actions of a chunk of a log.

    Attributes
    ----------
    route, delay
        int64[m], number of the route's and the delay's name; -1 where there is none.
    own, live
        float64[m], probabilities of the two policies.
    score
        float64[m], what the policy expects of the action, NaN where it does not say; None where it
        never does.
    """

    route: IntArray
    delay: IntArray
    own: FloatArray
    live: FloatArray
    score: FloatArray | None


@dataclass(slots=True)
class Tally:
    """Sums over the decisions of each segment of one column.

    Attributes
    ----------
    column
        what the segments are by.
    labels
        names of the segments.
    decisions
        of each segment.
    sums
        by what they are of: an array with one row per segment.
    """

    column: str
    labels: Names = field(default_factory=Names)
    decisions: list[int] = field(default_factory=list)
    sums: dict[str, FloatArray] = field(default_factory=dict)

    def add(
        self,
        batch: LoggedBatch,
        codes: IntArray,
        labels: Sequence[str],
        part: Chunk,
        n_routes: int,
        n_delays: int,
    ) -> None:
        """Add a chunk.

        Parameters
        ----------
        batch
            n decisions.
        codes, labels
            int64[n], the segment of each decision, and the segments' names.
        part
            what is known of their actions.
        n_routes, n_delays
            names of routes and of delays so far.

        Raises
        ------
        UserError
            If there are too many segments.
        """
        segment = self.labels.places(labels)[codes]
        size = len(self.labels.index)
        if size > MOST_SEGMENTS:
            raise UserError(
                f"column {self.column!r} has more than {MOST_SEGMENTS} values: too many to read. "
                "Form segments by a coarser column"
            )
        count = np.bincount(segment, minlength=size)
        before = [*self.decisions, *[0] * (size - len(self.decisions))]
        self.decisions = [old + new for old, new in zip(before, count.tolist(), strict=True)]
        row = np.repeat(np.arange(batch.n), batch.counts)
        for kind, place, width in (
            ("route", part.route, n_routes),
            ("delay", part.delay, n_delays),
        ):
            there = place >= 0
            cell = row[there] * width + place[there]
            own, live = (
                _by_cell(cell, each[there], batch.n, width) for each in (part.own, part.live)
            )
            self._sum(f"own {kind}", segment, own, size)
            self._sum(f"live {kind}", segment, live, size)
            self._sum(f"moved {kind}", segment, _moved(own, live), size)
        distance = 0.5 * batch.sum_by_decision(np.abs(part.own - part.live))
        self._sum("changed", segment, distance, size)
        self._sum("choice", segment, _choice_changed(batch, part), size)
        if part.score is not None:
            self._value(batch, segment, part, size)

    def _value(self, batch: LoggedBatch, segment: IntArray, part: Chunk, size: int) -> None:
        """Of decisions in which all that either policy may take has a score."""
        assert part.score is not None
        known = np.isfinite(part.score)
        needed = (part.own > 0.0) | (part.live > 0.0)
        whole = batch.sum_by_decision((needed & ~known).astype(np.float64)) == 0.0
        score = np.where(known, part.score, 0.0)
        self._sum("valued", segment, whole.astype(np.float64), size)
        for name, each in (("value", part.own), ("live value", part.live)):
            expected = batch.sum_by_decision(each * score)
            self._sum(name, segment, np.where(whole, expected, 0.0), size)

    def _sum(self, name: str, segment: IntArray, values: FloatArray, size: int) -> None:
        """Add values (n rows of any shape) up by segment; earlier sums grow as names appear."""
        shape = (size, *values.shape[1:])
        total = np.zeros(shape)
        order = np.argsort(segment, kind="stable")
        present, first = np.unique(segment[order], return_index=True)
        total[present] = np.add.reduceat(values[order], first, axis=0)
        if name in self.sums:
            old = self.sums[name]
            total[tuple(slice(0, each) for each in old.shape)] += old
        self.sums[name] = total

    def segments(
        self, routes: Sequence[str], delays: Sequence[str], of: int
    ) -> tuple[Segment, ...]:
        """All segments, the largest first.

        Parameters
        ----------
        routes, delays
            their names, in the order of their numbers; delays in seconds.
        of
            decisions of the whole log.
        """
        made = [
            self._segment(place, name, routes, delays, of)
            for name, place in self.labels.index.items()
            if self.decisions[place]
        ]
        return tuple(sorted(made, key=lambda each: (-each.decisions, each.name)))

    def _segment(
        self, place: int, name: str, routes: Sequence[str], delays: Sequence[str], of: int
    ) -> Segment:
        count = self.decisions[place]
        mean = {
            what: _padded(sums[place], what, len(routes), len(delays)) / count
            for what, sums in self.sums.items()
        }
        share_valued = float(mean["valued"]) if "valued" in mean else 0.0

        def value(what: str) -> float | None:
            return float(mean[what]) / share_valued if share_valued else None

        return Segment(
            name=name,
            decisions=count,
            share=count / of,
            routes=_named(routes, mean["own route"]),
            live_routes=_named(routes, mean["live route"]),
            delays=_waits(delays, mean["own delay"]),
            live_delays=_waits(delays, mean["live delay"]),
            changed=float(mean["changed"]),
            choice_changed=float(mean["choice"]),
            value=value("value"),
            live_value=value("live value"),
            movements=_movements(routes, mean["moved route"], count),
            delay_movements=_movements(
                [_wait(each) for each in delays], mean["moved delay"], count
            ),
        )


def _padded(values: FloatArray, what: str, n_routes: int, n_delays: int) -> FloatArray:
    """With zeros for names that appeared after the segment's last chunk."""
    width = n_routes if what.endswith("route") else n_delays
    return np.pad(values, [(0, width - each) for each in values.shape]) if values.ndim else values


def _by_cell(cell: IntArray, values: FloatArray, n: int, width: int) -> FloatArray:
    return np.bincount(cell, values, n * width).astype(np.float64).reshape(n, width)


def _moved(own: FloatArray, live: FloatArray) -> FloatArray:
    """float64[n, width, width], what goes from the columns that lose to those that gain."""
    lost, gained = np.maximum(live - own, 0.0), np.maximum(own - live, 0.0)
    total = gained.sum(axis=1, keepdims=True)
    part = np.divide(gained, total, out=np.zeros_like(gained), where=total > 0.0)
    return np.asarray(lost[:, :, None] * part[:, None, :])


def _choice_changed(batch: LoggedBatch, part: Chunk) -> FloatArray:
    """float64[n], 1 where no action is among the likeliest of both policies."""
    common = np.ones(batch.m, np.bool_)
    for each in (part.own, part.live):
        most = np.maximum.reduceat(each, batch.offsets[:-1])
        common &= each >= np.repeat(most, batch.counts) - 1e-9
    return np.asarray(batch.sum_by_decision(common.astype(np.float64)) == 0.0, np.float64)


def _named(names: Sequence[str], values: FloatArray) -> dict[str, float]:
    found = dict(zip(names, values.tolist(), strict=True))
    last = {STOP_ROUTE: found.pop(STOP_ROUTE)} if STOP_ROUTE in found else {}
    return {**dict(sorted(found.items())), **last}


def _waits(seconds: Sequence[str], values: FloatArray) -> dict[str, float]:
    found = sorted(zip(seconds, values.tolist(), strict=True), key=lambda each: int(each[0]))
    return {_wait(each): value for each, value in found}


def _wait(seconds: str) -> str:
    return duration(int(seconds)) if int(seconds) else NOW


def _movements(names: Sequence[str], moved: FloatArray, count: int) -> tuple[Movement, ...]:
    flat = [
        Movement(names[source], names[target], float(moved[source, target]), 0.0)
        for source, target in zip(*np.nonzero(moved > 1e-9), strict=True)
    ]
    largest = sorted(flat, key=lambda each: (-each.share, each.source, each.target))
    return tuple(
        Movement(each.source, each.target, each.share, each.share * count)
        for each in largest[:MOST_MOVEMENTS]
    )
