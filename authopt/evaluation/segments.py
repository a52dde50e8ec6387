"""Sums by segment: what the gain by issuer, country, attempt or amount is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement
from typing import Self

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.block import Block, State
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import Columns, product
from authopt.evaluation.segment_values import MOST_SEGMENTS, segments_of
from authopt.evaluation.terms import Terms

GROUPS = 256
"""Buckets of one segment: its variance is known to sqrt(2 / 256) = 9%."""

VOLUME = "volume"
"""Name of the sums by currency in which every decision counts with its amount."""


def segment_columns(with_model: bool) -> tuple[str, ...]:
    """What the estimates of a segment, and their covering intervals, are made from."""
    scores = ["r", "wr", "coverage", "unsupported"]
    if with_model:
        scores.append("dr_supported")
    pairs = combinations_with_replacement(scores, 2)
    plain = ["one", "w", *scores, *(["dr"] if with_model else [])]
    return (*plain, "w*w", *(product(left, right) for left, right in pairs))


@dataclass(slots=True, eq=False)
class SegmentSums:
    """The bucket table of every segment of one column, under one policy.

    Attributes
    ----------
    column
        what the segments are by; ``volume`` stands for the currency, with rewards multiplied by
        the amount (minor units).
    columns
        names of the columns that are added up.
    labels
        names of the segments.
    sums
        float64[columns, segments, ``GROUPS``].
    amount, largest_amount
        float64[segments], sum of the amounts and the largest one; where rewards are not multiplied
        by them, every amount is 1.
    """

    column: str
    columns: tuple[str, ...]
    labels: tuple[str, ...] = ()
    sums: FloatArray = field(default_factory=lambda: np.zeros((0, 0, GROUPS)))
    amount: FloatArray = field(default_factory=lambda: np.zeros(0))
    largest_amount: FloatArray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def empty(cls, column: str, with_model: bool) -> Self:
        """Nothing added up yet."""
        names = segment_columns(with_model)
        return cls(column, names, (), np.zeros((len(names), 0, GROUPS)))

    def add(self, block: Block, terms: Terms) -> None:
        """Add decisions; see :class:`authopt.evaluation.block.Part`."""
        if block.batch is None:
            return
        amount = np.ones(block.arrays.n)
        name = self.column
        if name == VOLUME:
            name, amount = "currency", _amounts(block.batch)
            terms = _multiplied(terms, amount)
        codes, labels = segments_of(block.batch, name)
        place = self._places(labels)[codes]
        size = len(self.labels) * GROUPS
        cell = place * GROUPS + (block.bucket & (GROUPS - 1))
        columns = Columns.of(terms)
        for row, column in enumerate(self.columns):
            values = columns[column]
            if values is None:
                continue
            if "*" in column:
                # Of products only the total is asked for: it stands in the first bucket.
                self.sums[row, :, 0] += np.bincount(place, values, len(self.labels))
            else:
                self.sums[row] += np.bincount(cell, values, size).reshape(-1, GROUPS)
        self.amount += np.bincount(place, amount, len(self.labels))
        np.maximum.at(self.largest_amount, place, amount)

    def __add__(self, other: SegmentSums) -> SegmentSums:
        total = SegmentSums(self.column, self.columns, (), np.zeros((len(self.columns), 0, GROUPS)))
        for part in (self, other):
            place = total._places(part.labels)
            total.sums[:, place] += part.sums
            total.amount[place] += part.amount
            total.largest_amount[place] = np.maximum(
                total.largest_amount[place], part.largest_amount
            )
        return total

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        return {
            "column": np.array(self.column),
            "columns": np.array(self.columns),
            "labels": np.array(self.labels, np.str_),
            "sums": self.sums,
            "amount": self.amount,
            "largest_amount": self.largest_amount,
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        return cls(
            str(state["column"]),
            tuple(state["columns"].tolist()),
            tuple(state["labels"].tolist()),
            np.array(state["sums"]),
            np.array(state["amount"]),
            np.array(state["largest_amount"]),
        )

    def table(self, label: str) -> BucketTable:
        """The bucket table of one segment."""
        return BucketTable(self.columns, self.sums[:, self.labels.index(label)])

    def _places(self, labels: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """int64[labels]: index of each label here, after making room for those that are new."""
        index = {label: place for place, label in enumerate(self.labels)}
        new = [label for label in labels if label not in index]
        if new:
            for label in new:
                index[label] = len(index)
            if len(index) > MOST_SEGMENTS:
                raise UserError(
                    f"column {self.column!r} has more than {MOST_SEGMENTS} values: too many to "
                    "tell segments apart. Form segments by a coarser column (x_... of your own)"
                )
            self.labels = tuple(index)
            wider = ((0, 0), (0, len(new)), (0, 0))
            self.sums = np.pad(self.sums, wider)
            self.amount = np.pad(self.amount, (0, len(new)))
            self.largest_amount = np.pad(self.largest_amount, (0, len(new)))
        return np.array([index[label] for label in labels], np.int64)


def _amounts(batch: LoggedBatch) -> FloatArray:
    amount = batch.context.get("amount_minor")
    if not isinstance(amount, np.ndarray) or "currency" not in batch.context:
        raise UserError("the log has no amount_minor and currency to weigh approvals by")
    return np.nan_to_num(np.asarray(amount, np.float64), nan=0.0)


def _multiplied(terms: Terms, amount: FloatArray) -> Terms:
    """The terms of the reward times the amount: approved volume where the reward is approval."""

    def times(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values * amount

    scale = float(amount.max(initial=0.0))
    return replace(
        terms,
        r=terms.r * amount,
        q=times(terms.q),
        v=times(terms.v),
        v_unsupported=times(terms.v_unsupported),
        q_low=min(0.0, terms.q_low * scale),
        q_high=terms.q_high * scale,
    )
