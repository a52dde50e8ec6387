"""What past payments came to on average that were alike in a column: what CUPED foretells by.

The mean of few payments is drawn towards that of all, as one that rests on little says little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.evaluation.buckets import UIntArray
from authopt.experiments.log_payments import MISSING_HASH

STRENGTH = 10.0
"""Payments' worth of the overall mean in the past mean of a card, a merchant or another value."""


class SavedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A :class:`PastColumn`, as little-endian bytes: uint64, uint32 and float64.

    There may be hundreds of thousands of values; JSON holds bytes as base64.
    """

    hashes: bytes
    payments: bytes
    totals: bytes


class SavedMeans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """:class:`PastMeans` as JSON holds them, exactly."""

    payments: int
    total: float
    columns: dict[str, SavedColumn]


@dataclass(frozen=True, slots=True, eq=False)
class PastColumn:
    """k different values of a column in the past.

    Attributes
    ----------
    hashes
        uint64[k], of the values, rising.
    payments
        int64[k], that had each.
    totals
        float64[k], sum of what they came to.
    """

    hashes: UIntArray
    payments: IntArray
    totals: FloatArray

    @classmethod
    def empty(cls) -> Self:
        """No value yet."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0))

    def plus(self, hashes: UIntArray, value: FloatArray) -> Self:
        """With the payments of these values, n each; one without a value is left out."""
        known = hashes != MISSING_HASH
        seen, place = np.unique(np.append(self.hashes, hashes[known]), return_inverse=True)
        payments = np.append(self.payments, np.ones(int(known.sum()), np.int64))
        totals = np.append(self.totals, value[known])
        return type(self)(
            seen,
            np.bincount(place, payments, len(seen)).astype(np.int64),
            np.asarray(np.bincount(place, totals, len(seen)), np.float64),
        )

    def place(self, hashes: UIntArray) -> IntArray:
        """int64[n], index of each value; k where it did not come."""
        at = np.searchsorted(self.hashes, hashes).astype(np.int64)
        return np.where(np.append(self.hashes, MISSING_HASH)[at] == hashes, at, len(self.hashes))


@dataclass(slots=True, eq=False)
class PastMeans:
    """Sums of past payments, by the values of some columns.

    Attributes
    ----------
    columns
        by name.
    payments
        all of them.
    total
        what they came to together.
    """

    columns: dict[str, PastColumn]
    payments: int = 0
    total: float = 0.0

    @classmethod
    def of(cls, columns: Sequence[str]) -> Self:
        """No payments yet."""
        return cls({name: PastColumn.empty() for name in columns})

    @property
    def mean(self) -> float:
        """What a payment came to; NaN without any."""
        return self.total / self.payments if self.payments else float("nan")

    @property
    def telling(self) -> tuple[str, ...]:
        """Names of the columns that tell payments apart, sorted."""
        # JSON may have moved them, and what foretells keeps to one order.
        return tuple(sorted(name for name, each in self.columns.items() if len(each.hashes) > 1))

    def add(self, hashes: Mapping[str, UIntArray], value: FloatArray) -> None:
        """Count n payments.

        Parameters
        ----------
        hashes
            uint64[n] for every column, of its value; 0 where it is missing.
        value
            float64[n]; a payment whose value is not known (NaN) is left out.
        """
        known = ~np.isnan(value)
        self.payments += int(known.sum())
        self.total += float(value[known].sum())
        for name, column in self.columns.items():
            self.columns[name] = column.plus(hashes[name][known], value[known])

    def foretold(self, hashes: Mapping[str, UIntArray]) -> FloatArray:
        """Past means of the payments that were alike in each column.

        Parameters
        ----------
        hashes
            uint64[n] for some columns.

        Returns
        -------
        float64[n, len(hashes)]
            NaN where there was no such payment.
        """
        found = []
        for name, asked in hashes.items():
            column = self.columns[name]
            means = (column.totals + STRENGTH * self.mean) / (column.payments + STRENGTH)
            found.append(np.append(means, np.nan)[column.place(asked)])
        return np.column_stack(found)

    def knows(self, name: str, hashes: UIntArray) -> BoolArray:
        """bool[n], whether there was a payment of each value of a column."""
        column = self.columns[name]
        return np.asarray(column.place(hashes) < len(column.hashes))

    def saved(self) -> SavedMeans:
        """All that it takes to go on."""
        return SavedMeans(
            self.payments,
            self.total,
            {
                name: SavedColumn(
                    column.hashes.astype("<u8").tobytes(),
                    column.payments.astype("<u4").tobytes(),
                    column.totals.astype("<f8").tobytes(),
                )
                for name, column in self.columns.items()
            },
        )

    @classmethod
    def restored(cls, saved: SavedMeans) -> Self:
        """What was saved."""
        columns = {
            name: PastColumn(
                np.frombuffer(column.hashes, "<u8").astype(np.uint64),
                np.frombuffer(column.payments, "<u4").astype(np.int64),
                np.frombuffer(column.totals, "<f8").astype(np.float64),
            )
            for name, column in saved.columns.items()
        }
        return cls(columns, saved.payments, saved.total)
