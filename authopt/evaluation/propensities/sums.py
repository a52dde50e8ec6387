"""What one pass adds up to tell whether the propensities are those that actions were drawn with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.block import Block, State, inner, nested
from authopt.evaluation.buckets import BUCKETS, bucket_of
from authopt.evaluation.labelled import LabelledSums, sums_by
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.propensities.scores import (
    BINS,
    CDF_BINS,
    GROUPS,
    POSITIONS,
    SCORES,
    UNBOUNDED,
    Listed,
    cdf_sums,
    draw_deviations,
    event_sums,
    listed_of,
    positions,
    scores_of,
)
from authopt.evaluation.segment_values import AMOUNT_BAND, ATTEMPT, segments_of
from authopt.evaluation.terms import Terms
from authopt.hashing import hash_strings, salted
from authopt.payments import CONTEXT_BY_NAME, Kind
from authopt.time_bins import TimeBins

HOUR = 3600

MOST_VALUES = 64
"""A column with more values than this is no control variate here."""

DELAYS = (
    ("now", 0),
    ("up to 1 h", HOUR),
    ("up to 6 h", 6 * HOUR),
    ("up to 1 day", 24 * HOUR),
    ("up to 3 days", 72 * HOUR),
    ("up to 7 days", 168 * HOUR),
    ("later", np.iinfo(np.int64).max),
)
"""Bands of the delay of an action: name and longest delay in seconds."""

ALL = "all="
"""Label of the cell of all decisions."""

FAMILIES = ("route", "delay", "position")

_WHOLE_NUMBERS = ("local_hour", "local_day")
_GROUP_SALT = "propensity-group"
_PER_CELL = 1 + 2 * len(SCORES)


@dataclass(slots=True, eq=False)
class PropensitySums:
    """Sums of :mod:`authopt.evaluation.propensities.scores`; a part of the logging policy alone.

    Attributes
    ----------
    rows, exact
        decisions, and whether the probability of every eligible action is known for all of them.
    events
        by family, and within it by label: ``event_sums``.
    cells
        by segment (``column=value``): decisions, scores, variances; largest scores.
    too_many
        columns that have too many values to form segments.
    hours
        the same sums by time.
    cdf
        float64[2, CDF_BINS], of ``cdf_sums``.
    draws
        float64[2, BUCKETS], deviations of the draws and their variance by bucket of payments.
    listed
        contradictions among the listed probabilities.
    """

    rows: int = 0
    exact: bool = True
    events: dict[str, LabelledSums] = field(
        default_factory=lambda: {family: LabelledSums((BINS, 4)) for family in FAMILIES}
    )
    cells: LabelledSums = field(default_factory=lambda: LabelledSums((_PER_CELL,), UNBOUNDED))
    too_many: frozenset[str] = frozenset()
    hours: TimeBins = field(default_factory=lambda: TimeBins(_PER_CELL, UNBOUNDED, HOUR))
    cdf: FloatArray = field(default_factory=lambda: np.zeros((2, CDF_BINS)))
    draws: FloatArray = field(default_factory=lambda: np.zeros((2, BUCKETS)))
    listed: Listed = field(default_factory=Listed)

    def add(self, block: Block, terms: Terms) -> None:
        """Add decisions; the terms, which are the logging policy's own, are not needed."""
        log = block.arrays
        if not log.n:
            return
        scores = scores_of(log, _groups(log, block.batch))
        self.rows += log.n
        self.exact &= scores.exact
        self.listed += listed_of(log)
        columns = np.concatenate([np.ones((1, log.n)), scores.values, scores.variance])
        self.cells.add([ALL], columns.sum(axis=1)[None, :], scores.largest.max(axis=1)[None, :])
        if block.batch is not None:
            self.hours.add(block.batch.decided_at, columns, scores.largest)
            self._add_segments(block.batch, columns, scores.largest)
        if log.probability is not None:
            self._add_events(block.batch, log)
            self.cdf += cdf_sums(log)
            bucket = block.bucket if block.payment is None else bucket_of(block.payment)
            for row, values in enumerate(draw_deviations(log)):
                self.draws[row] += np.bincount(bucket, values, BUCKETS)

    def _add_events(self, batch: LoggedBatch | None, log: LoggedArrays) -> None:
        names = [str(place + 1) for place in range(POSITIONS)]
        families: list[tuple[str, IntArray, list[str]]] = [("position", positions(log), names)]
        if batch is not None:
            routes = batch.action_route.astype(np.int64)
            families.append(("route", routes, list(batch.routes)))
            band = np.searchsorted([longest for _, longest in DELAYS], batch.action_delay_s)
            families.append(("delay", band, [name for name, _ in DELAYS]))
        for family, kind, labels in families:
            sums = event_sums(log, kind, len(labels))
            used = np.flatnonzero(sums[:, :, 0].any(axis=1)).tolist()
            nothing = np.zeros((len(used), 0))
            self.events[family].add([labels[at] for at in used], sums[used], nothing)

    def _add_segments(self, batch: LoggedBatch, columns: FloatArray, largest: FloatArray) -> None:
        for name in _segment_columns(batch):
            if name in self.too_many:
                continue
            try:
                codes, labels = segments_of(batch, name)
            except UserError:
                continue
            self._add_cells([f"{name}={label}" for label in labels], codes, columns, largest)
            self._drop_wide(name)

    def _add_cells(
        self, labels: list[str], codes: IntArray, columns: FloatArray, largest: FloatArray
    ) -> None:
        most = np.zeros((len(labels), UNBOUNDED))
        for row in range(UNBOUNDED):
            np.maximum.at(most[:, row], codes, largest[row])
        self.cells.add(labels, sums_by(codes, columns, len(labels)), most)

    def _drop_wide(self, name: str) -> None:
        count = sum(label.startswith(f"{name}=") for label in self.cells.labels)
        if count <= MOST_VALUES and name not in self.too_many:
            return
        self.too_many |= {name}
        labels = self.cells.labels
        keep = [at for at, label in enumerate(labels) if not label.startswith(f"{name}=")]
        kept = LabelledSums((_PER_CELL,), UNBOUNDED)
        kept.add([labels[at] for at in keep], self.cells.sums[keep], self.cells.largest[keep])
        self.cells = kept

    def __add__(self, other: PropensitySums) -> PropensitySums:
        total = PropensitySums(
            rows=self.rows + other.rows,
            exact=self.exact and other.exact,
            events={name: self.events[name] + other.events[name] for name in FAMILIES},
            cells=self.cells + other.cells,
            too_many=self.too_many | other.too_many,
            hours=self.hours + other.hours,
            cdf=self.cdf + other.cdf,
            draws=self.draws + other.draws,
            listed=self.listed + other.listed,
        )
        for name in {label.split("=", 1)[0] for label in total.cells.labels}:
            total._drop_wide(name)
        return total

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        parts = {f"events by {family}": sums.state() for family, sums in self.events.items()}
        return {
            "rows": np.array(self.rows),
            "exact": np.array(self.exact),
            "too_many": np.array(sorted(self.too_many), np.str_),
            "cdf": self.cdf,
            "draws": self.draws,
            "listed": np.array(astuple(self.listed), np.float64),
            **nested({"cells": self.cells.state(), "hours": self.hours.state(), **parts}),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        whole = state["listed"].tolist()
        listed = Listed(*(value if at == 3 else int(value) for at, value in enumerate(whole)))
        return cls(
            rows=int(state["rows"]),
            exact=bool(state["exact"]),
            events={
                family: LabelledSums.from_state(inner(state, f"events by {family}"))
                for family in FAMILIES
            },
            cells=LabelledSums.from_state(inner(state, "cells")),
            too_many=frozenset(state["too_many"].tolist()),
            hours=TimeBins.from_state(inner(state, "hours")),
            cdf=np.array(state["cdf"]),
            draws=np.array(state["draws"]),
            listed=listed,
        )


def groups_of(names: Sequence[str]) -> IntArray:
    """int64[names], random bits by name: bit j says whether it is in group j."""
    hashes = salted(hash_strings(pa.array(names, pa.string())), _GROUP_SALT)
    return (hashes & np.uint64((1 << len(GROUPS)) - 1)).astype(np.int64)


def _groups(log: LoggedArrays, batch: LoggedBatch | None) -> IntArray:
    if batch is None:
        return groups_of([str(place + 1) for place in range(POSITIONS)])[positions(log)]
    return groups_of(batch.routes)[batch.action_route]


def _segment_columns(batch: LoggedBatch) -> list[str]:
    """Columns that are known before the draw and have few values, as far as their kind tells."""
    names = [ATTEMPT]
    if isinstance(batch.context.get("amount_minor"), np.ndarray):
        names.append(AMOUNT_BAND)
    for name, column in batch.context.items():
        known = CONTEXT_BY_NAME.get(name)
        flag = known is not None and known.kind is Kind.FLAG
        if isinstance(column, Categorical) or flag or name in _WHOLE_NUMBERS:
            names.append(name)
    return names
